import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { KernelStore } from '../../../kernels/store.ts';
import { locateVirtmeNg } from '../../../kernels/virtme-ng.ts';
import { buildAgent } from '../../../loader/agent/build.ts';
import { chooseAccelerator } from '../../vm/accelerator.ts';
import { DEFAULT_DEADLINES } from '../../vm/machine-parts.ts';
import { MachineSource } from '../../vm/machine-source.ts';
import { prepareMachine } from '../../vm/prepare.ts';
import { GuestStates, guestObserver } from '../guest-observer.ts';
import { findModules } from '../module-files.ts';
import { describeModules } from '../module-outcome.ts';
import { createRunPlace, runReal, type TestProgram } from './real-run.ts';

const KERNEL = '6.12';
/** A small module of Debian's cloud kernels, with functions in kallsyms and in its BTF. */
const MODULE = 'dummy';
const place = createRunPlace();
t.teardown(() => place.end());

const REASON = 'reason: written for this test';
const address = (symbol: string): string =>
  `extern const void ${symbol} __ksym;\n__u64 address;\n` +
  'SEC("socket") int go(void *ctx) { address = (__u64)&SYMBOL; return 0; }\n'.replace('SYMBOL', symbol);
const program = (name: string, code: string, head: string, expect: string): TestProgram => ({
  name,
  code,
  expect: `${head}run: [{program: go, returns: 0}]\nexpect:\n${expect}`,
});

const PROGRAMS: readonly TestProgram[] = [
  program(
    'in-module',
    address('dummy_setup'),
    `modules: [${MODULE}]\nvariants: [single]\nchecks: [{variable: address, equals: {kallsyms: dummy_setup}}]\n`,
    `  - {when: {cpus: 1, modules.available: true, kallsyms.module-symbols: ">0"}, outcome: works, externs: {dummy_setup: address}, ${REASON}}\n`,
  ),
  program(
    'absent',
    address('dummy_setup'),
    'modules: [ksym_matrix_no_such]\n',
    `  - {when: {modules.available: false, btf.vars: ">0"}, outcome: {phase: boot, class: module-missing}, ${REASON}}\n`,
  ),
  program(
    'typeless',
    address('bpf_link_fops'),
    'variants: [default, blind, ordinary, lacking, forbidden, again]\n',
    `  - {when: {variant: [blind, ordinary]}, outcome: {phase: resolve, class: kallsyms-hidden}, ${REASON}}\n` +
      `  - {when: {variant: [lacking, forbidden]}, outcome: {phase: boot, class: variant-unavailable}, ${REASON}}\n` +
      `  - {outcome: works, externs: {bpf_link_fops: address}, ${REASON}}\n`,
  ),
  program(
    'typed',
    'extern const int bpf_prog_active __ksym;\nSEC("raw_tp") int go(void *ctx) { return bpf_this_cpu_ptr(&bpf_prog_active) == 0; }\n',
    'variants: [ordinary, powerless]\n',
    `  - {when: {variant: powerless}, outcome: {phase: load, class: load-refused, errno: EPERM}, ${REASON}}\n` +
      `  - {outcome: works, externs: {bpf_prog_active: btf-id}, ${REASON}}\n`,
  ),
];

const VARIANTS = `variants:
  single: {cpus: 1}
  blind: {capabilities: {drop: [CAP_SYSLOG]}}
  ordinary: {user: 65534, capabilities: {only: [CAP_BPF, CAP_PERFMON]}}
  powerless: {user: 65534, capabilities: {only: []}}
  lacking: {sysctl: {kernel.ksym_matrix_no_such: 1}}
  forbidden: {sysctl: {kernel.kptr_restrict: 77}}
  again: {sysctl: {kernel.kptr_restrict: 1}}
`;

t.test(
  'on a real kernel, variants change what the loader may do and what it sees, and nothing of it stays',
  async (t) => {
    const { results } = await runReal(place, place.write('variants', KERNEL, PROGRAMS, VARIANTS));
    const seen = results.cells.map(({ program, variant, verdict, why }) => [`${program}@${variant}`, verdict, why]);
    for (const [name, verdict, why] of seen) t.match(verdict, /^(pass|xfail)$/, `${name}: ${why}`);
    t.equal(seen.length, 10);
    t.same(
      results.cells.flatMap(({ leftovers }) => leftovers),
      [],
      'all is put back',
    );
    // Which of the two comes first depends on which was saved before.
    const boots = results.kernels[0]?.boots
      .map(({ cpus, modules, restored }) => [cpus, modules, restored])
      .sort((left, right) => Number(left[0] ?? 0) - Number(right[0] ?? 0));
    t.same(
      boots,
      [
        [null, [], 2],
        [1, [MODULE], 1],
      ],
      'two kinds of machine, restored; what has no module to load needs no kind of its own',
    );
  },
);

t.test(
  'a module that the kernel refuses is an outcome with the words of the kernel, also on a restored machine',
  async (t) => {
    const cache = cacheDirectory();
    const store = new KernelStore({ cache });
    const kernel = await store.get({ debian: KERNEL }, { modules: [MODULE] });
    const { files } = await findModules(kernel, [MODULE]);
    t.same(
      files.map(({ name }) => name),
      [MODULE],
    );
    const foreign = withoutSignature(readFileSync(files[0]?.path ?? '')).replaceAll(
      'register_netdevice',
      'register_netnothin',
    );
    const path = join(place.folder, `${MODULE}.ko`);
    writeFileSync(path, foreign, 'latin1');
    const modules = { files: [{ name: MODULE, path }], missing: [] };
    const prepared = await prepareMachine({
      ...{ image: kernel.image, imageSha256: kernel.sha256, memoryMiB: 512, cpus: 2, cache, modules: modules.files },
      agent: await buildAgent({ outputDirectory: join(cache, 'agent') }),
      virtme: await locateVirtmeNg({ cache, source: store.debian }),
    });
    const accelerator = await chooseAccelerator({
      wanted: 'auto',
      image: kernel.image,
      qemu: prepared.plan.qemu,
      cache,
    });
    const source = new MachineSource({ cache, observer: guestObserver, templates: true });
    const consolePath = join(place.folder, 'refused.log');
    const opened = await source.open({
      prepared,
      accelerator,
      append: ['nopti'],
      consolePath,
      deadlines: DEFAULT_DEADLINES,
    });
    t.teardown(() => opened.machine.close('kill'));
    t.equal(opened.machine.beginning, 'restored');
    const state = await new GuestStates(1).of(opened.observations, kernel.config);
    t.match(await describeModules(modules, state, opened.boot.log), {
      phase: 'boot',
      class: 'module-load-failed',
      message: /did not load the module dummy: .*Unknown symbol \w*register_netnothin/,
    });
  },
);

/** A module as it was before it was signed, in Latin-1: a signature that does not fit is refused before anything else is looked at. */
function withoutSignature(module: Buffer): string {
  const magic = '~Module signature appended~\n';
  if (module.toString('latin1', module.length - magic.length) !== magic) return module.toString('latin1');
  // struct module_signature (include/linux/module_signature.h) ends with the signature's length, and has 12 bytes.
  const end = module.length - magic.length;
  return module.toString('latin1', 0, end - 12 - module.readUInt32BE(end - 4));
}
