import { join } from 'node:path';
import type { Test } from 'tap';
import { compileBpf, run } from '../../../loader/elf/test/compile.ts';
import { Kernel, LoadError, ObjectSpec } from '../../../loader/index.ts';
import { attachProgram } from '../../../loader/links/attach.ts';
import { readMapInfo } from '../../../loader/maps/map-info.ts';
import { INCLUDE } from '../../../loader/object/test/sources.ts';
import { openPinned, unpin } from '../../../loader/syscall/pin.ts';
import { LINKED, MAPS, OBJECT, REPLACED, REPLACING } from './loader-objects.ts';

const FLAGS = { flags: ['-g', '-O2', INCLUDE] };
const PACKET = { data: new Uint8Array(64) };
const FIRST_KEY = new Uint8Array(4);
const PIN_FOLDER = '/sys/fs/bpf';

const number = (bytes: Uint8Array | null): number =>
  Number(new DataView(bytes?.buffer ?? new ArrayBuffer(8)).getBigUint64(0, true));
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Tests of what objects declare, on Linux 6.12. */
export async function testObjects(t: Test, kernel: Kernel): Promise<void> {
  const folder = t.testdir();
  const objects = ObjectSpec.parse(compileBpf(folder, 'objects', OBJECT, FLAGS).bytes, 'objects.o');

  await t.test(
    'maps of maps, tail calls, sections of their own and a configuration work as the object says',
    async (t) => {
      await using object = await kernel.load(objects.copy());
      t.equal(
        (await object.program('entry').testRun(PACKET)).retval,
        77,
        'the tail call went to the program of element 2',
      );
      t.equal(number(await object.map('first').lookup(FIRST_KEY)), 5 + 6, 'element 1 of the array of maps');
      t.equal(number(await object.map('second').lookup(FIRST_KEY)), 9, 'key 2 of the hash of maps');

      const config = (await kernel.facts()).kernelConfig;
      const hertz = Number(config?.get('CONFIG_HZ'));
      t.ok(hertz >= 100, `the kernel's configuration has CONFIG_HZ=${hertz}`);
      const values = ['zeroed', 'custom', 'constant', 'hidden', 'runs', 'sum'].map((name) =>
        object.variable(name).get(),
      );
      // sum: y, m (2 in enum libbpf_tristate), and five times 1.
      t.same(await Promise.all(values), [hertz, 5, 6, 4, 1, 1 + 2 + 5]);
      const [major, minor, patch] = kernel.release.split(/[^0-9]/).map(Number);
      t.equal(
        await object.variable('LINUX_KERNEL_VERSION').get(),
        ((major ?? 0) << 16) + ((minor ?? 0) << 8) + (patch ?? 0),
      );
      t.equal(await object.variable('CONFIG_DEFAULT_HOSTNAME').get(), '(no', '"(none)", cut to the room there is');

      t.match(await failure(object.map('.rodata').update(FIRST_KEY, new Uint8Array(4))), {
        code: 'map-access',
        why: /^EPERM/,
      });
      const names = await Promise.all(object.maps.map(async ({ fd }) => (await readMapInfo(kernel.agent, fd)).name));
      for (const name of ['objects.data', '.data.custom', '.rodata.mine', 'objects.kconfig', 'objects.rodata']) {
        t.ok(names.includes(name), `a map is called ${name} in the kernel`);
      }
      await unpin(kernel.agent, `${PIN_FOLDER}/kept`);
    },
  );

  await t.test('a configuration that nobody has is an error that names where it was looked for', async (t) => {
    const ignorant = Kernel.over(kernel.agent);
    const error = await failure(ignorant.load(objects.copy()));
    t.ok(error instanceof LoadError);
    t.match(error, { phase: 'resolve', summary: /KCONFIG_UNREADABLE: .*\/proc\/config\.gz, \/boot\/config-6\.12/ });
    const own =
      'CONFIG_HZ=70000\nCONFIG_BPF=y\nCONFIG_VETH=n\nCONFIG_DEFAULT_HOSTNAME="x"\nCONFIG_KSYM_MATRIX_NOWHERE=1';
    t.match(await failure(ignorant.load(objects.copy(), { kconfig: own })), {
      message: 'cannot resolve extern CONFIG_HZ',
      summary: /KCONFIG_RANGE: .*unsigned integer of 16 bits/,
    });
  });

  await t.test('a map that is pinned is used again, unless it is of another kind', async (t) => {
    const path = `${PIN_FOLDER}/kept`;
    t.match(await failure(openPinned(kernel.agent, path, 'map')), { code: 'pin-missing' });
    for (const count of [1, 2]) {
      await using object = await kernel.load(objects.copy());
      await object.program('entry').testRun(PACKET);
      t.equal(number(await object.map('kept').lookup(FIRST_KEY)), count, `run ${count} counts in the same map`);
      t.equal(number(await object.map('first').lookup(FIRST_KEY)), 11, 'and begins anew with the others');
    }
    const other = objects.copy();
    other.map('kept').valueSize = 16;
    t.match(await failure(kernel.load(other)), {
      code: 'map-rejected',
      where: 'objects.o, map kept',
      why: 'its value_size is 8, the object declares 16',
      fix: /rm \/sys\/fs\/bpf\/kept/,
    });
    t.ok(await unpin(kernel.agent, path));

    const broken = objects.copy();
    broken.map('second').maxEntries = 7;
    broken.map('second').type = 1;
    t.match(await failure(kernel.load(broken)), {
      message: /map second cannot be its element 3/,
      fix: /bpf_map_meta_equal/,
    });
    t.match(
      await failure(openPinned(kernel.agent, path, 'map')),
      { code: 'pin-missing' },
      'a load that fails pins nothing',
    );
    await (await kernel.load(objects.copy(), { pinFolder: `${PIN_FOLDER}/mine` })).close();
    t.ok(await unpin(kernel.agent, `${PIN_FOLDER}/mine/kept`), 'the folder was made');
    t.match(await failure(kernel.load(objects.copy(), { pinFolder: '/tmp' })), {
      code: 'map-rejected',
      fix: /mount -t bpf/,
    });
  });

  await t.test('every type of map is created as it wants to be', async (t) => {
    const spec = ObjectSpec.parse(compileBpf(folder, 'maps', MAPS, FLAGS).bytes, 'maps.o');
    await using object = await kernel.load(spec);
    const info = async (name: string) => readMapInfo(kernel.agent, object.map(name).fd);
    t.match(await info('bloom'), { type: 30, mapExtra: 3n });
    t.match(await info('ring'), { type: 31, maxEntries: 8192 }, '5000 bytes, in whole pages and a power of two');
    t.match(await info('perf'), { type: 4, maxEntries: 2 }, 'one for each possible CPU');
    t.match(await info('arena'), { type: 33, flags: 1 << 10 });
    t.not((await info('storage')).btfId, 0, 'storage has types');
    t.equal((await info('queue')).btfId, 0, 'a queue has none');
    t.equal((await object.program('many_buffers').testRun({ data: new Uint8Array(8000) })).retval, 2);

    for (const [map, edit, why] of [
      ['queue', { maxEntries: 0 }, /max_entries of queue maps has to be more than 0/],
      ['trie', { flags: 0 }, /map_flags of lpm_trie maps must have BPF_F_NO_PREALLOC/],
      ['arena', { keySize: 4 }, /keys of arena maps take 0 bytes, not 4/],
    ] as const) {
      const wrong = spec.copy();
      Object.assign(wrong.map(map), edit);
      t.match(await failure(kernel.load(wrong)), { code: 'map-rejected', where: `maps.o, map ${map}`, why });
    }
  });

  await t.test('objects that bpftool linked share variables, maps and functions', async (t) => {
    const parts = LINKED.map((source, index) => compileBpf(folder, `part-${index}`, source, FLAGS).path);
    const path = join(folder, 'linked.o');
    run('bpftool', ['gen', 'object', path, ...parts]);
    await using object = await kernel.load(await ObjectSpec.open(path));
    // helper of the first + (shared_value + strong_value of the other file's helper + CONFIG_BPF) + what overrides the weak function
    t.equal((await object.program('one').testRun(PACKET)).retval, 100 + (1000 + 4 + 1) + 20000);
    t.equal((await object.program('two').testRun(PACKET)).retval, 20000);
    t.equal(number(await object.map('shared_map').lookup(FIRST_KEY)), 9);
  });

  await t.test('programs attach to functions of other programs', async (t) => {
    const parse = (name: string, source: string) =>
      ObjectSpec.parse(compileBpf(folder, name, source, FLAGS).bytes, `${name}.o`);
    const replacing = parse('replacing', REPLACING);
    await using object = await kernel.load(parse('replaced', REPLACED));
    const outermost = object.program('outermost');
    t.match(await failure(kernel.load(replacing)), { code: 'attach-target-missing', fix: /attachTo: { better: / });
    const lost = replacing.copy();
    lost.program('better').attachTarget = 'outer';
    t.match(await failure(kernel.load(lost, { attachTo: { better: outermost } })), {
      code: 'attach-target-not-found',
      why: 'its functions are outermost, inner',
    });

    {
      await using tracing = await kernel.load(replacing, { programs: ['watch'], attachTo: { watch: outermost } });
      await using _ = await attachProgram(tracing.program('watch'));
      t.equal((await outermost.testRun(PACKET)).retval, 5);
      t.equal(await tracing.variable('seen').get(), 1);
    }
    {
      await using other = await kernel.load(replacing, { attachTo: { better: outermost } });
      await using _ = await attachProgram(other.program('better'));
      t.equal((await outermost.testRun(PACKET)).retval, 42);
    }
    t.equal((await outermost.testRun(PACKET)).retval, 5, 'and it is as before once they are gone');
  });
}
