import { join } from 'node:path';
import t from 'tap';
import { findModules } from '../module-files.ts';
import { describeModules } from '../module-outcome.ts';
import type { Outcome } from '../outcome.ts';
import { FakeMachine, STATE } from './fake-machine.ts';
import { play } from './stint-tests.ts';

// As depmod writes it: what a module needs stands in the reverse order of loading.
const MODULES_DEP = `kernel/drivers/net/dummy.ko:
kernel/mm/zsmalloc.ko:
kernel/drivers/block/zram.ko: kernel/mm/zsmalloc.ko kernel/lib/842/842_compress.ko
kernel/lib/842/842_compress.ko:
kernel/drivers/gone.ko:
kernel/drivers/virtio-rng.ko:
`;

t.test('modules are found with what they need, in the order of loading', async (t) => {
  const ko = { 'dummy.ko': '', 'virtio-rng.ko': '' };
  const directory = t.testdir({
    lib: {
      modules: {
        '6.12.1': {
          'modules.dep': MODULES_DEP,
          'modules.builtin': 'kernel/fs/ext4/ext4.ko\nkernel/lib/842/842_compress.ko\n',
          kernel: {
            drivers: { net: ko, block: { 'zram.ko': '' }, 'virtio-rng.ko': '' },
            mm: { 'zsmalloc.ko': '' },
          },
        },
      },
    },
  });
  const kernel = { directory, release: '6.12.1' };
  const found = async (...names: string[]): Promise<unknown> => {
    const { files, missing } = await findModules(kernel, names);
    return [files.map(({ name }) => name), missing];
  };
  t.same(await found(), [[], []]);
  t.same(await found('zram', 'dummy'), [['zsmalloc', 'zram', 'dummy'], []], 'what is built in is not loaded');
  t.same(await found('virtio-rng'), [['virtio_rng'], []], 'named as in lsmod');
  t.same(await found('ext4'), [[], []], 'built in');
  t.same(await found('bpf_testmod', 'dummy'), [['dummy'], ['bpf_testmod']]);
  t.same(await found('gone'), [[], ['gone']], 'depmod knew it, and its file is not there');
  const [first] = (await findModules(kernel, ['dummy'])).files;
  t.equal(first?.path, join(directory, 'lib/modules/6.12.1/kernel/drivers/net/dummy.ko'));
  t.same(await findModules({ directory, release: '5.0' }, ['dummy']), { files: [], missing: ['dummy'] });
});

t.test(
  'a module that is missing, and one that the kernel refused, are told apart, with the words of the kernel',
  async (t) => {
    const state = { ...STATE, baseline: { ...STATE.baseline, modules: 'virtio_net dummy' } };
    const file = (name: string) => ({ name, path: `/${name}.ko` });
    const log = join(t.testdir({ log: BOOT_LOG }), 'log');
    const describe = (files: readonly string[], missing: readonly string[] = [], path = log) =>
      describeModules({ files: files.map(file), missing }, state, path);
    t.equal(await describe([]), null);
    t.equal(await describe(['dummy']), null);
    t.match(await describe(['dummy'], ['late']), { phase: 'boot', class: 'module-missing', message: /no module late/ });
    t.match(await describe(['dummy', 'broken']), {
      phase: 'boot',
      class: 'module-load-failed',
      message:
        'the kernel did not load the module broken: broken: Unknown symbol nowhere (err -2); insmod: unknown symbol in module',
    });
    t.match(await describe(['broken'], [], '/no/such/log'), { message: 'the kernel did not load the module broken' });
  },
);

t.test(
  'a machine on which no cell of the group can run gives each its reason, and the facts of its kernel',
  async (t) => {
    const refusal: Outcome = { phase: 'boot', class: 'module-missing', message: 'no module x', resolutions: [] };
    const machine = new FakeMachine(() => t.fail('nothing is run'));
    const ran = await play(t, ['a', 'b'], () => undefined, {
      open: async () => ({ ...machine.opened(), refusal }),
      retries: 1,
    });
    t.same(ran.seen, ['a module-missing', 'b module-missing'], 'once each, since it would end the same');
    t.same(ran.attempts.get('a')?.[0]?.state, STATE);
    t.equal(machine.closed, 1);
  },
);

const BOOT_LOG = `[    2.000000] ksym-matrix: loading module dummy\r
ksym-matrix: loading module broken\r
[    2.100000] broken: Unknown symbol nowhere (err -2)\r
ksym-matrix: module broken was not loaded: insmod: unknown symbol in module\r
ksym-matrix: agent starts on /dev/vport0p1\r
`;
