import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'ksym-matrix-package-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** Nothing here fetches anything: npm is told so, and packages are linked from where they are installed. */
const OFFLINE = { npm_config_offline: 'true', npm_config_update_notifier: 'false' };

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

// The scripts that compile are left out: the tests run what was compiled, and others run at the same time.
const [packed] = JSON.parse(
  run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], PACKAGE_ROOT),
) as Packed[];
const files = packed?.files.map(({ path }) => path) ?? [];
const tarball = join(folder, packed?.filename ?? '');
const manifest = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
};

t.test('The package has what runs, the sources of the library, and the agent', (t) => {
  for (const path of [
    'harness/launch.mjs',
    'harness/vm/init.sh',
    'harness/guest/host-root.sh',
    'kernels/config/bpf.config',
    'build/harness/cli/main.js',
    'build/harness/report/site/client/grid.js',
    'build/loader/index.js',
    'build/loader/index.d.ts',
    'build/loader/index.js.map',
    'loader/index.ts',
    'loader/agent/agent.c',
    'loader/agent/system.h',
    'loader/agent/PROTOCOL.md',
    'schema/matrix.schema.json',
    'examples/github/matrix.yaml',
    'README.md',
    'LICENSE',
  ]) {
    t.ok(files.includes(path), path);
  }
  t.equal(packed?.files.find(({ path }) => path === 'harness/launch.mjs')?.mode.toString(8), '755');
  t.end();
});

t.test('The package has no tests, and nothing that only a checkout can use', (t) => {
  const places = [
    /^build\/(agent|loader|kernels|harness)\//,
    /^loader\/.*\.(ts|c|h)$|^loader\/agent\/PROTOCOL\.md$/,
    /^harness\/(launch\.mjs|vm\/init\.sh|guest\/[^/]+\.sh)$/,
    /^harness\/loaders\/(PROTOCOL\.md|.*\.(c|h|go|yaml))$/,
    /^(kernels\/config|schema|examples)\//,
    /^(package\.json|README\.md|LICENSE)$/,
  ];
  t.strictSame(
    files.filter((path) => !places.some((place) => place.test(path))),
    [],
    'every file is in one of its places',
  );
  const unwanted = [
    /\/test\//,
    /\.test\./,
    /^build\/harness\/(api-docs|bench|corpus|fuzz)\//,
    // Of the harness, only what boots a kernel for the library is to be imported.
    /^build\/(harness|kernels)\/(?!boot-kernel\.d\.ts$).*\.(map|d\.ts)$/,
  ];
  t.strictSame(
    files.filter((path) => unwanted.some((one) => one.test(path))),
    [],
  );
  t.end();
});

t.test('Every source that a map of the library names is in the package', (t) => {
  const missing = files.filter((path) => path.endsWith('.js.map') && !files.includes(sourceOf(path)));
  t.strictSame(missing, []);
  t.end();
});

t.test('publint and attw have nothing to say', async (t) => {
  const bytes = readFileSync(tarball);
  const pack = { tarball: new Uint8Array(bytes).buffer };
  const { messages, pkg } = await publint({ pack, strict: true });
  t.strictSame(
    messages.map((message) => formatMessage(message, pkg, { color: false })),
    [],
  );
  const attw = join(PACKAGE_ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
  const said = run(
    process.execPath,
    [attw, tarball, '--profile', 'esm-only', '--no-color', '--format', 'ascii'],
    folder,
  );
  // Its exit code says the rest.
  t.equal(said.match(/node16 \(from ESM\): 🟢/g)?.length, Object.keys(manifest.exports).length);
});

t.test('Installed, it needs neither TypeScript nor a compiler: the library is imported, the command starts', (t) => {
  const place = install();
  const library = `
    import * as main from 'ksym-matrix';
    import { ObjectSpec } from 'ksym-matrix/loader';
    import { bootKernel } from 'ksym-matrix/vm';
    try { ObjectSpec.parse(new Uint8Array(3), 'three-bytes.o'); } catch (error) { console.log(error.explain()); }
    console.log(main.ObjectSpec === ObjectSpec && typeof bootKernel === 'function');`;
  writeFileSync(join(place, 'use.mjs'), library);
  const said = run(process.execPath, ['use.mjs'], place);
  t.match(said, 'three-bytes.o');
  t.match(said, /true\n$/, 'both names give the same library');
  const command = join(place, 'node_modules', '.bin', 'ksym-matrix');
  t.equal(run(command, ['--version'], place).trim(), manifest.version);
  t.match(run(command, ['--help'], place), 'Examples:');
  const nothing = attempt(command, ['run'], place);
  t.equal(nothing.status, 2, 'an empty folder has no matrix');
  t.match(nothing.stderr, 'matrix.yaml');
  t.notMatch(nothing.stderr, /\n +at /, 'and that takes no stack trace');
  for (const name of ['bench', 'corpus', 'fuzz']) {
    t.match(attempt(command, [name], place).stderr, 'unknown command', `${name} is for checkouts`);
  }
  t.end();
});

t.test('Types of the library suit a strict program', (t) => {
  const place = install();
  writeFileSync(
    join(place, 'consumer.ts'),
    `import { ExplainedError, Kernel, LoadError, ObjectSpec } from 'ksym-matrix/loader';
     export async function load(path: string): Promise<number> {
       const spec = await ObjectSpec.open(path);
       for (const program of spec.programs) program.autoload = program.type === 'xdp';
       await using kernel = await Kernel.local();
       await using object = await kernel.load(spec);
       const { retval } = await object.program('main').testRun({ data: new Uint8Array(64) });
       return retval;
     }
     export const explain = (error: unknown): string =>
       error instanceof LoadError ? (error.verifierLog ?? '') : error instanceof ExplainedError ? error.explain() : '';
     // @ts-expect-error: there is no such type
     export const wrong: ReturnType<typeof ObjectSpec.parse>['programs'][number]['type'] = 'no-such-type';`,
  );
  const tsc = join(PACKAGE_ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const types = ['--types', 'node', '--typeRoots', join(PACKAGE_ROOT, 'node_modules', '@types')];
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noEmit'];
  const language = ['--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--module', 'nodenext'];
  const said = attempt(process.execPath, [tsc, ...types, ...strict, ...language, 'consumer.ts'], place);
  t.strictSame(said, { status: 0, stdout: '', stderr: '' });
  t.end();
});

/** A folder in which the package is installed as npm would do it, with its own dependencies alone. */
function install(): string {
  const place = join(folder, 'consumer');
  const modules = join(place, 'node_modules');
  const own = join(modules, 'ksym-matrix');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(own, { recursive: true });
  run('tar', ['-xzf', tarball, '-C', own, '--strip-components=1'], folder);
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(PACKAGE_ROOT, 'node_modules', name), link);
  }
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../ksym-matrix/harness/launch.mjs', join(modules, '.bin', 'ksym-matrix'));
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }\n');
  return place;
}

/** The TypeScript file of a source map's path. */
function sourceOf(map: string): string {
  return map.replace(/^build\//, '').replace(/\.js\.map$/, '.ts');
}

function run(command: string, args: readonly string[], cwd: string): string {
  // NODE_OPTIONS is tap's (harness/cli/test/command.ts); what it loads refuses TypeScript 7's tsc, a module without an extension.
  return execFileSync('/usr/bin/env', ['-u', 'NODE_OPTIONS', command, ...args], {
    cwd,
    env: { ...process.env, ...OFFLINE },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function attempt(
  command: string,
  args: readonly string[],
  cwd: string,
): { status: number; stdout: string; stderr: string } {
  try {
    return { status: 0, stdout: run(command, args, cwd), stderr: '' };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { status, stdout, stderr };
  }
}
