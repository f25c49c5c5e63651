import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { ExplainedError } from '../../../loader/errors.ts';
import { cacheDirectory } from '../../cache-directory.ts';
import { DebianSource } from '../../debian/source.ts';
import type { InstallContext, KernelParts, ResolvedKernel } from '../../kernel-source.ts';
import { runTool } from '../../run-tool.ts';
import { locateVirtmeNg } from '../../virtme-ng.ts';
import { baseFragments } from '../base-config.ts';
import { BuildSource, buildKey } from '../build-source.ts';
import { findConflicts, readFragment, wantedOptions } from '../fragments.ts';
import { buildFolder, inBuildFolder } from '../object-tree.ts';
import { findSourceCode } from '../source-code.ts';
import { BUILD_TOOLS, requireBuildTools } from '../tools.ts';
import { writeFakeSource, writeFakeTools } from './fake-source.ts';

t.test('a fragment is a file or one option, and what kconfig would pass over is refused with its line', async (t) => {
  const folder = t.testdir({
    'a.config': '# a comment\nCONFIG_BPF=y\n\n# CONFIG_NET is not set\nCONFIG_HZ=250\nCONFIG_LSM="bpf"\n',
    bad: 'CONFIG_A=y\nBPF=y\n',
  });
  const fragments = [await readFragment(join(folder, 'a.config')), await readFragment('CONFIG_NET=m')];
  t.same(
    wantedOptions(fragments).map(({ name, value }) => `${name}=${value}`),
    ['CONFIG_BPF=y', 'CONFIG_NET=m', 'CONFIG_HZ=250', 'CONFIG_LSM="bpf"'],
  );
  await t.rejects(readFragment(join(folder, 'bad')), {
    code: 'config-fragment-bad',
    where: `${join(folder, 'bad')}:2`,
  });
  await t.rejects(readFragment('CONFIG_NET=yes'), { code: 'config-fragment-bad' });
  await t.rejects(readFragment(join(folder, 'none.config')), { code: 'config-fragment-missing' });
  const slip = await readFragment(join(folder, 'KALLSYMS_ALL=n')).catch((error: unknown) => error);
  t.match(slip, { fix: /in its place: CONFIG_KALLSYMS_ALL=n\.$/ }, 'an option without CONFIG_');
  const conflicts = findConflicts(fragments, 'CONFIG_BPF=y\nCONFIG_NET=y\n# CONFIG_HZ is not set\nCONFIG_LSM="bpf"\n');
  t.same(
    conflicts.map(({ wanted, found }) => [wanted.fragment.name, wanted.name, wanted.value, found]),
    [
      ['CONFIG_NET=m', 'CONFIG_NET', 'm', 'y'],
      [join(folder, 'a.config'), 'CONFIG_HZ', '250', 'n'],
    ],
  );
  t.ok((await baseFragments()).every((fragment) => fragment.own));
});

t.test('the key of a kernel changes with every input', async (t) => {
  const fragments = [await readFragment('CONFIG_A=y')];
  const code = { kind: 'archive', name: 'linux', version: null, digest: 'aa', path: '/linux.tar', size: 1 } as const;
  const toolchain = { compiler: 'gcc 12', linker: 'ld 2.40', pahole: 'v1.24' };
  const inputs = { code, fragments, modules: [], toolchain, virtmeVersion: '1.35' };
  const others = [
    { ...inputs, code: { ...code, digest: 'ab' } },
    { ...inputs, fragments: [await readFragment('CONFIG_A=n')] },
    { ...inputs, modules: ['bpf_testmod'] },
    { ...inputs, toolchain: { ...toolchain, compiler: 'gcc 13' } },
    { ...inputs, toolchain: { ...toolchain, linker: 'ld 2.41' } },
    { ...inputs, toolchain: { ...toolchain, pahole: 'v1.21' } },
    { ...inputs, virtmeVersion: '1.36' },
  ];
  const keys = [inputs, ...others].map(buildKey);
  t.equal(new Set(keys).size, keys.length);
  t.equal(buildKey({ ...inputs, code: { ...code, path: '/elsewhere.tar' } }), keys[0], 'where it lies does not matter');
  const [one] = fragments;
  const commented = one === undefined ? [] : [{ ...one, text: `# why\n${one.text}` }];
  t.equal(buildKey({ ...inputs, fragments: commented }), keys[0], 'nor do comments');
});

t.test('all tools that are missing are named at once, with their packages', async (t) => {
  const none = { name: 'no-such-bison', purpose: 'reads', package: 'bison' };
  const error = await Promise.resolve()
    .then(() => requireBuildTools([none, { ...none, name: '/no/such/header.h', package: 'libelf-dev' }]))
    .catch((reason: ExplainedError) => reason);
  t.match(error, { code: 'build-tools-missing', why: /no-such-bison.*header\.h/, fix: /bison libelf-dev/ });
  t.ok(BUILD_TOOLS.every((tool) => tool.package !== ''));
});

t.test('what was written last before a build was killed is made again, and nothing else', async (t) => {
  const folder = buildFolder(t.testdir({}), 'linux-1');
  const paths = ['old.o', 'new.o', 'empty.o', 'include/config/auto.conf'].map((path) => join(folder.objects, path));
  mkdirSync(join(folder.objects, 'include/config'), { recursive: true });
  for (const path of paths) writeFileSync(path, path.endsWith('empty.o') ? '' : 'x');
  utimesSync(join(folder.objects, 'old.o'), new Date(), new Date(Date.now() - 300_000));
  const run = (work: () => Promise<void>) => inBuildFolder(folder, { onWait: () => {}, signal: undefined }, work);
  await run(async () => {});
  t.same(paths.map(existsSync), [true, true, true, true], 'a build that ended leaves whole files');
  await t.rejects(run(() => Promise.reject(new Error('killed'))));
  await run(async () => {
    t.same(paths.map(existsSync), [true, false, true, true]);
  });
});

t.test('a source is a package, a folder or an archive; what is none of them is said', async (t) => {
  const root = t.testdir({ empty: {}, used: {} });
  const debian = new DebianSource({ cache: join(root, 'cache'), offline: true });
  const find = (source: string) => findSourceCode(source, debian, { refresh: false, signal: undefined });
  await t.rejects(find(join(root, 'none')), { code: 'build-source-missing' });
  await t.rejects(find(join(root, 'empty')), { code: 'build-source-bad', why: /Makefile/ });
  writeFakeSource(join(root, 'used'));
  const before = await find(join(root, 'used'));
  t.match(before, { kind: 'folder', name: 'used' });
  writeFileSync(join(root, 'used/kernel/fork.c'), 'int other;\n');
  t.not((await find(join(root, 'used'))).digest, before.digest, 'an edit is another source');
  writeFileSync(join(root, 'used/.config'), '');
  await t.rejects(find(join(root, 'used')), { code: 'build-source-not-clean', fix: /mrproper/ });
});

t.test('real make and virtme-ng with a source that is small', async (t) => {
  const root = t.testdir({});
  writeFakeSource(join(root, 'linux'));
  writeFakeTools(join(root, 'bin'));
  const { PATH } = process.env;
  process.env.PATH = `${join(root, 'bin')}:${PATH}`;
  t.teardown(() => {
    process.env.PATH = PATH;
  });
  const shared = cacheDirectory();
  const virtme = await locateVirtmeNg({ cache: shared, source: new DebianSource({ cache: shared }) });
  const debian = new DebianSource({ cache: root, offline: true });
  const make = { name: 'make', purpose: 'runs the build', package: 'make' };
  const source = new BuildSource({ cache: root, debian, virtme: async () => virtme, tools: [make] });
  const said: string[] = [];
  const details: string[] = [];
  const context = (signal?: AbortSignal) => ({
    name: 'fake',
    refresh: false,
    say: (message: string) => said.push(message),
    onProgress: ({ detail }: { detail?: string }) => details.push(detail ?? ''),
    signal,
  });
  let folders = 0;
  const request = (...config: string[]) => ({
    build: { source: join(root, 'linux'), config, modules: ['bpf_testmod'] },
  });
  const build = async (
    kernel: ResolvedKernel,
    config: readonly string[],
    signal?: AbortSignal,
  ): Promise<KernelParts> => {
    const folder = join(root, `parts-${folders++}`);
    mkdirSync(folder);
    const install: InstallContext = { ...context(signal), folder, modules: [] };
    return source.install(kernel, request(...config), install);
  };
  const log = (): string => {
    const [name = ''] = readdirSync(join(root, 'builds')).filter((one) => !one.startsWith('.'));
    return readFileSync(join(root, 'builds', name, 'build.log'), 'utf8');
  };
  const compiled = (): number => log().split('  CC ').length - 1;

  const base = await source.resolve(request(), context());
  t.match(base, { source: 'build', line: '6.1', version: '6.1.99-fake', release: null });
  const parts = await build(base, []);
  t.equal(parts.release, '6.1.99-fake');
  t.match(readFileSync(parts.image, 'utf8'), /int fork;[\s\S]*CONFIG_VIRTIO_CONSOLE=y/, "virtme-ng's options are in");
  t.match(readFileSync(parts.config ?? '', 'utf8'), 'CONFIG_DEBUG_INFO_BTF=y', 'and ours');
  t.same(readdirSync(parts.modules ?? ''), ['updates'], 'no links to the build');
  t.ok(existsSync(join(parts.modules ?? '', 'updates/bpf_testmod.ko')));
  t.match(details[0], /^configuring, \d+ s$/);
  t.equal(compiled(), 3);

  t.test('a variant compiles only what it changes', async (t) => {
    const variant = await source.resolve(request('CONFIG_KALLSYMS_ALL=n'), context());
    t.not(variant.folder, base.folder);
    const other = await build(variant, ['CONFIG_KALLSYMS_ALL=n']);
    t.notMatch(readFileSync(other.config ?? '', 'utf8'), 'CONFIG_KALLSYMS_ALL');
    t.equal(compiled(), 3);
  });

  t.test("an option that does not stick is the user's error, and only a warning where it is ours", async (t) => {
    const config = ['CONFIG_STUBBORN=y', 'CONFIG_NOWHERE=n'];
    const kernel = await source.resolve(request(...config), context());
    await t.rejects(build(kernel, config), {
      code: 'config-conflict',
      why: /CONFIG_STUBBORN=y asks for .* the kernel has n/,
    });
    t.same(said, []);
  });

  t.test(
    'a module that the source does not have, or the kernel cannot load, is said before anything is compiled',
    async (t) => {
      const before = compiled();
      const config = ['CONFIG_MODULES=n'];
      await t.rejects(build(await source.resolve(request(...config), context()), config), {
        code: 'selftest-module-missing',
        why: /CONFIG_MODULES/,
      });
      const asked = { build: { source: join(root, 'linux'), modules: ['bpf_testmode'] } };
      const kernel = await source.resolve(asked, context());
      const folder = join(root, 'parts-none');
      await t.rejects(source.install(kernel, asked, { ...context(), folder, modules: [] }), {
        code: 'selftest-module-missing',
        fix: /bpf_testmod\./,
      });
      t.equal(compiled(), before);
    },
  );

  t.test('a source that changes after it was looked up is not built under the old name', async (t) => {
    const kernel = await source.resolve(request(), context());
    writeFileSync(join(root, 'linux/kernel/exit.c'), '#error\n');
    await t.rejects(build(kernel, []), { code: 'build-inputs-changed' });
  });

  t.test("the compiler's words are shown, and where the rest of them is", async (t) => {
    const kernel = await source.resolve(request(), context());
    const error = await build(kernel, []).then(
      () => t.fail('it must not compile'),
      (reason: ExplainedError) => reason,
    );
    t.match(error, {
      code: 'build-failed',
      why: /exit\.c:1:2: error: #error this cannot be compiled/,
      fix: /build\.log/,
    });
  });

  t.test('an interruption ends the compiler at once, and the next build goes on', async (t) => {
    writeFileSync(join(root, 'linux/kernel/exit.c'), 'int slow;\n');
    const kernel = await source.resolve(request(), context());
    const controller = new AbortController();
    const before = compiled();
    const running = build(kernel, [], controller.signal);
    const isCompiling = (): boolean =>
      readdirSync('/proc').some(
        (pid) => /^\d+$/.test(pid) && commandLine(pid).includes(`exit.c\0${join(root, 'builds')}`),
      );
    for (let tries = 0; tries < 200 && !isCompiling(); tries++) await sleep(20);
    t.ok(isCompiling());
    const started = performance.now();
    controller.abort();
    await t.rejects(running, { code: 'interrupted' });
    t.ok(performance.now() - started < 3000);
    t.notOk(isCompiling(), 'nothing is left');
    t.ok(compiled() > before);
    writeFileSync(join(root, 'linux/kernel/exit.c'), 'int fast;\n');
    const parts = await build(await source.resolve(request(), context()), []);
    t.match(readFileSync(parts.image, 'utf8'), 'int fast;');
    t.notMatch(readFileSync(parts.image, 'utf8'), 'half');
  });

  t.test('an archive is unpacked once, and gives the same version', async (t) => {
    rmSync(join(root, 'linux/kernel/exit.c'));
    const archive = join(root, 'linux-6.1.99.tar.gz');
    await runTool('tar', ['-czf', archive, '-C', root, 'linux'], { package: 'tar' });
    const asked = { build: { source: archive } };
    const kernel = await source.resolve(asked, context());
    t.match(kernel, { version: '6.1.99-fake', files: [{ name: 'linux-6.1.99' }] });
    const folder = join(root, 'parts-archive');
    mkdirSync(folder);
    const parts = await source.install(kernel, asked, { ...context(), folder, modules: [] });
    t.match(readFileSync(parts.image, 'utf8'), 'int fork;');
  });
});

/** Words of a process, each with a NUL behind it; of one that has ended, none. */
function commandLine(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'cmdline'), 'utf8');
  } catch {
    return '';
  }
}
