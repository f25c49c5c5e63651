import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type MatrixLoader, readLoaders } from '../../../config/loader-entries.ts';
import type { LoaderEntry } from '../../../config/schema.ts';
import { matrixSchema } from '../../../config/schema.ts';
import { ConfigError, readYamlFile } from '../../../config/yaml-file.ts';
import type { AdapterAnswer } from '../../adapter-answer.ts';
import { classifyKnownWords } from '../../known-words.ts';
import { checkOwnLoaders } from '../../prepare-loaders.ts';
import type { BuiltLoader } from '../../prepared-loader.ts';
import { type CommandSearch, prepareCommand } from '../prepare-command.ts';
import { readCommandEnd } from '../read-end.ts';

const SEARCH: CommandSearch = { path: '/usr/bin:/bin', classify: () => null };
const RUNS = [
  { program: 'first', cpu: 0 },
  { program: 'second', cpu: 1 },
];

/** A script that any host can run. */
const SCRIPT = '#!/bin/sh\nexit 0\n';

t.test('a command becomes a program with files for the guest', async (t) => {
  t.test('a script comes with its interpreter, the tools of busybox and the files it is given', async (t) => {
    const folder = t.testdir({ 'settings.json': '{}', data: { one: '1' } });
    await executable(folder, 'load.sh', SCRIPT);
    const { program } = await prepare(['./load.sh', '--settings=./settings.json', './data', '-v', '{object}'], folder);
    t.strictSame(program.argv('/run/x.o', RUNS), [
      join(folder, 'load.sh'),
      `--settings=${join(folder, 'settings.json')}`,
      join(folder, 'data'),
      '-v',
      '/run/x.o',
    ]);
    const paths = program.files.map(({ path }) => path);
    for (const wanted of ['load.sh', 'settings.json', 'data', 'data/one']) {
      t.ok(paths.includes(join(folder, wanted)), `${wanted} goes along`);
    }
    t.ok(paths.includes('/bin/sh'), 'so does what #! names');
    t.has(
      program.files.find(({ path }) => path === '/run/applets/rm'),
      { kind: 'link', target: '/bin/busybox' },
    );
    t.equal(new Set(paths).size, paths.length, 'each once');
    t.equal(program.speaks, 'either');
  });

  t.test('a dynamic program comes with its libraries and without the tools, and is found in PATH', async (t) => {
    const { program } = await prepare(['env', '{object}'], t.testdir({}));
    t.equal(program.argv('/run/x.o', [])[0], '/usr/bin/env');
    const paths = program.files.map(({ path }) => path);
    t.ok(paths.some((path) => path.endsWith('/libc.so.6')));
    t.notOk(paths.some((path) => path.startsWith('/run/applets')));
  });

  t.test('a program that the command hands on to its script comes with its libraries', async (t) => {
    const folder = t.testdir({});
    await executable(folder, 'load.sh', SCRIPT);
    const { program } = await prepare(['./load.sh', '/usr/bin/env', '{object}'], folder);
    t.ok(program.files.some(({ path }) => path.endsWith('/libc.so.6')));
    t.equal(program.argv('x', [])[1], '/usr/bin/env');
  });

  t.test('what the guest makes up, folders by absolute paths and words without a slash stay as they are', async (t) => {
    const folder = t.testdir({ load: 'a file of that name' });
    await executable(folder, 'load.sh', SCRIPT);
    const words = ['/sys/fs/bpf/pins', '/proc/kallsyms', '/tmp', 'load', '--sections=/dev/null'];
    const { program } = await prepare(['./load.sh', ...words, '{object}'], folder);
    t.strictSame(program.argv('x', []).slice(1), [...words, 'x']);
  });

  t.test('the object is put in wherever its placeholder stands, and test runs where theirs does', async (t) => {
    const folder = t.testdir({});
    await executable(folder, 'load.sh', SCRIPT);
    const { program } = await prepare(['./load.sh', '--object={object}', '{runs}', '{object}:{object}'], folder);
    t.strictSame(program.argv('/run/$&.o', RUNS).slice(1), [
      ...['--object=/run/$&.o', '--run', 'first@0', '--run', 'second@1', '/run/$&.o:/run/$&.o'],
    ]);
    t.strictSame(program.argv('x', []).slice(1), ['--object=x', 'x:x']);
  });

  t.test('its version is that of its content, wherever that lies', async (t) => {
    const folder = t.testdir({ one: {}, two: {}, three: {} });
    const versions: string[] = [];
    for (const [name, text] of [
      ['one', SCRIPT],
      ['two', SCRIPT],
      ['three', `${SCRIPT}# changed\n`],
    ] as const) {
      await executable(join(folder, name), 'load.sh', text);
      versions.push((await prepare(['./load.sh', '{object}'], join(folder, name))).version);
    }
    t.match(versions[0], /^[0-9a-f]{12}$/);
    t.equal(versions[0], versions[1]);
    t.not(versions[0], versions[2]);
  });
});

t.test('mistakes are shown at their place in the matrix', async (t) => {
  const folder = t.testdir({ plain: 'no program', 'text.sh': 'no program either', 'orphan.sh': '#!/nowhere/at-all\n' });
  await chmod(join(folder, 'text.sh'), 0o755);
  await chmod(join(folder, 'orphan.sh'), 0o755);
  await executable(folder, 'other', foreignElf());
  await executable(folder, 'load.sh', SCRIPT);
  const cases: [string, RegExp][] = [
    ['./gone {object}', /there is no \/\S*\/gone\n/],
    ['plain {object}', /there is no program plain in PATH.*write \.\/plain for the file beside the matrix/],
    ['no-such-program-anywhere {object}', /no program no-such-program-anywhere in PATH.*\.\/my-loader/],
    ['./plain {object}', /may not be executed.*chmod \+x/],
    ['./text.sh {object}', /this file is no program/],
    ['./orphan.sh {object}', /interpreter is not on this host: \/nowhere\/at-all/],
    ['./other {object}', /for another machine.*aarch64/],
    ['./load.sh ./settings.json {object}', /there is no \.\/settings\.json beside the matrix/],
    ['./load.sh {objects} {object}', /there is no \{objects\}: \{object\} and \{runs\}/],
    ['./load.sh --runs={runs} {object}', /\{runs\} stands for several words/],
    ['{object}', /the command begins with a program/],
  ];
  for (const [command, wanted] of cases) {
    const error = await mistakeOf(command, folder, t);
    t.match(error.explain(), wanted, command);
    t.match(error.explain(), /matrix\.yaml:3:14: loaders\[0\]\.command: /, 'with line and column');
    t.notMatch(error.explain(), /--host-root|--env/, 'without the advice for another command');
  }
});

t.test('exit code and output are the verdict', async (t) => {
  t.strictSame(readCommandEnd({ exitCode: 0, stdout: 'fine\n', stderr: 'a warning\n' }), { kind: 'loaded' });
  t.strictSame(readCommandEnd({ exitCode: 2, stdout: 'begins\n', stderr: 'first\n\nlast\n' }), {
    kind: 'refused',
    message: 'last',
    lines: ['first', 'last', 'begins'],
  });
  t.has(readCommandEnd({ exitCode: 2, stdout: 'one\ntwo\n', stderr: '' }), { kind: 'refused', message: 'two' });
  t.has(readCommandEnd({ exitCode: 7, stdout: '', stderr: '' }), { message: 'it ended with 7 and said nothing' });
  t.has(readCommandEnd({ exitCode: 0, stdout: '{"loaded": 3}', stderr: '' }), { kind: 'loaded' }, 'JSON of its own');
  t.has(readCommandEnd({ exitCode: 1, stdout: '{ not JSON', stderr: '' }), { kind: 'refused', message: '{ not JSON' });
});

t.test('words of libbpf are understood behind its name, and whatever a program puts before that', (t) => {
  const missing = { class: 'ksym-not-in-kallsyms', extern: 'x' };
  for (const line of [
    "libbpf: extern 'x' (strong): not resolved",
    "12:30:01 my-loader: libbpf: extern 'x' (strong): not resolved",
    "libbpf: loading object\nlibbpf: extern 'x' (strong): not resolved\nlibbpf: failed to load object",
  ]) {
    t.strictSame(classifyKnownWords(line), missing, line);
  }
  t.equal(classifyKnownWords('cannot be loaded: No such process'), null);
  t.end();
});

t.test('a document of the protocol is the whole answer', async (t) => {
  const answer: AdapterAnswer = {
    protocol: 1,
    loader: { name: 'mine', version: '1' },
    opened: true,
    loaded: false,
    failure: { phase: 'load', errno: 'EINVAL', message: 'no' },
    programs: [],
    runs: [],
    messages: [],
  };
  const end = (document: object, exitCode: number) =>
    readCommandEnd({ exitCode, stdout: `\n${JSON.stringify(document, undefined, 2)}\n`, stderr: 'chatter' });
  t.strictSame(end(answer, 0), { kind: 'answer', answer });
  t.strictSame(end(answer, 1), { kind: 'answer', answer }, 'a refusal may have its exit code as well');
  t.has(end({ ...answer, loaded: true, failure: null }, 0), { kind: 'answer' });
  t.match(end({ ...answer, loaded: true, failure: null }, 3), { kind: 'broken', message: /ended with 3/ });
  const half = JSON.stringify(answer).slice(0, 40);
  t.match(readCommandEnd({ exitCode: 0, stdout: half, stderr: '' }), {
    kind: 'broken',
    message: /does not end as one/,
  });
  t.match(readCommandEnd({ exitCode: 0, stdout: '{braces} for people', stderr: '' }), { kind: 'loaded' });
  t.match(end({ ...answer, protocol: 9 }, 0), { kind: 'broken', message: /PROTOCOL\.md[\s\S]*protocol/ });
  t.match(end({ ...answer, runs: [{ program: 'p' }] }, 0), { kind: 'broken', message: /runs\[0\]\.cpu/ });
});

t.test('what cannot be run is found before anything is fetched for the others', async (t) => {
  const request = { kind: 'command', command: ['./nowhere', '{object}'], directory: t.testdir({}) } as const;
  await checkOwnLoaders([OTHER]);
  await t.rejects(checkOwnLoaders([OTHER, { name: 'mine', request }]), { message: /nowhere/ });
  const folder = { kind: 'libbpf', path: join(t.testdir({}), 'src') } as const;
  await t.rejects(checkOwnLoaders([OTHER, { name: 'local', request: folder }]), {
    code: 'config-invalid',
    message: /there is no folder .*\/src/,
  });
});

/** Asking Debian for it would fail. */
const OTHER: MatrixLoader = { name: 'libbpf', request: { kind: 'libbpf', version: '99' } };

async function prepare(command: [string, ...string[]], directory: string): Promise<BuiltLoader> {
  return prepareCommand({ request: { kind: 'command', command, directory } }, SEARCH);
}

/** What is said to a matrix with this command. */
async function mistakeOf(command: string, folder: string, t: Test): Promise<ConfigError> {
  const path = join(folder, 'matrix.yaml');
  await writeFile(path, `kernels: [{ debian: "6.12" }]\nloaders:\n  - command: "${command}"\nprograms: [p]\n`);
  const file = await readYamlFile(path, matrixSchema);
  const entries: readonly LoaderEntry[] = file.value.loaders ?? [];
  const [loader] = readLoaders(entries, folder, (findings) => file.error(findings));
  if (loader?.request.kind !== 'command') throw new TypeError('no command');
  const { request, complain } = loader;
  const error: unknown = await prepareCommand(
    { request, ...(complain === undefined ? {} : { complain }) },
    SEARCH,
  ).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ConfigError) return error;
  t.fail(`no mistake was found in ${command}`, { error });
  return new ConfigError('none', '');
}

async function executable(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), content);
  await chmod(join(folder, name), 0o755);
}

/** The head of an ELF file for aarch64 (EM_AARCH64 is 183). */
function foreignElf(): Uint8Array {
  const elf = Buffer.alloc(64);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(183, 18);
  return elf;
}
