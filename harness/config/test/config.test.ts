import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { DEFAULT_DEADLINES } from '../../vm/machine-parts.ts';
import { CAPABILITIES } from '../capabilities.ts';
import { jsonSchemas } from '../json-schema.ts';
import { loadMatrix } from '../load.ts';
import './comparison-tests.ts';
import './difference-tests.ts';
import './kernel-entries-tests.ts';
import { complaint, folder, PROGRAM } from './matrix-folder.ts';
import { MATRIX_MISTAKES, PROGRAM_MISTAKES } from './mistakes.ts';

t.test('a matrix is read with its defaults, in its own order', async (t) => {
  const path = folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [two, one]\ndeadlines: {ready: 2.5}\n', {
    one: PROGRAM,
    two: PROGRAM.replace('run', 'variants: [default]\nrun'),
  });
  const matrix = await loadMatrix(path);
  t.same(
    matrix.programs.map((program) => [program.name, program.source.split('/').at(-1), program.variants]),
    [
      ['two', 'two.bpf.c', ['default']],
      ['one', 'one.bpf.c', ['default']],
    ],
  );
  t.same([...matrix.variants.keys()], ['default'], 'the variant that changes nothing is always there');
  // docs: seconds in the file, milliseconds inside.
  t.same(matrix.deadlines, { ...DEFAULT_DEADLINES, ready: 2500 });
  t.equal(matrix.memoryMiB, 512);
  t.equal(matrix.cpus, 2);
});

t.test('a sysctl of a variant may be a number, and a boot parameter is kept as it is', async (t) => {
  const path = folder(
    t,
    'kernels: [{debian: newest}]\nprograms: [one]\nvariants: {strict: {sysctl: {kernel.kptr_restrict: 2}, boot: ["a=b c"]}}\n',
  );
  const { variants } = await loadMatrix(path);
  t.same(variants.get('strict'), { name: 'strict', sysctl: { 'kernel.kptr_restrict': '2' }, boot: ['a=b c'] });
});

for (const [what, matrix, place, message] of MATRIX_MISTAKES) {
  t.test(`matrix.yaml: ${what}, is placed`, async (t) => {
    const path = folder(t, matrix);
    const text = await complaint(path);
    t.match(text, message);
    t.ok(text.startsWith(`${path}:${place}: `), `it is at ${place}: ${text}`);
    t.equal(text.split('\n').length, 3, 'one finding: the message, the line, a pointer below it');
  });
}

t.test('the line in question is shown with a pointer below the column', async (t) => {
  const path = folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [one, onne]\n');
  const [, source = '', pointer = ''] = (await complaint(path)).split('\n');
  t.equal(source.trim(), 'programs: [one, onne]');
  t.equal(pointer.indexOf('^'), source.indexOf('onne'));
});

t.test('everything wrong with a file is said at once', async (t) => {
  const path = folder(t, 'kernels: [{debian: "6.12", x: 1}]\nprograms: [one]\nmachine: {memory: much}\nbogus: 1\n');
  const text = await complaint(path);
  t.match(text, `${path}:1:28: `);
  t.match(text, `${path}:3:19: machine.memory`);
  t.match(text, `${path}:4:1: `);
});

t.test('text that is no YAML is placed', async (t) => {
  // The flow sequence of line 2 is never closed.
  const text = await complaint(folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [one\nmachine: {}\n'));
  t.match(text, /matrix\.yaml:\d+:\d+: this is not YAML: /);
});

t.test('a key that stands twice is an error, not a surprise', async (t) => {
  const text = await complaint(folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [one]\nprograms: [one]\n'));
  t.match(text, /matrix\.yaml:3:1: this is not YAML: .*unique/);
});

t.test('a matrix that is not there, or is no file, is named', async (t) => {
  const directory = t.testdir({});
  const missing = await complaint(join(directory, 'matrix.yaml'));
  t.match(missing, `${directory}/matrix.yaml: the file cannot be read`);
  t.match(missing, 'there is no such file');
  t.match(await complaint(directory), 'EISDIR');
});

t.test('an empty matrix and one that is a list are refused in words', async (t) => {
  t.match(await complaint(folder(t, '')), /matrix\.yaml:1:1: /);
  t.match(await complaint(folder(t, '- 1\n')), /matrix\.yaml:1:1: /);
});

t.test('a program without its C file says which file is missing', async (t) => {
  const text = await complaint(folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [one]\n', { one: PROGRAM }, false));
  t.match(text, /programs\/one\.yaml:\d+:\d+: source: there is no C file .*programs\/one\.bpf\.c/);
});

for (const [what, program, place, message] of PROGRAM_MISTAKES) {
  t.test(`a program's file: ${what}, is placed`, async (t) => {
    const path = folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants: {strict: {}}\n', { one: program });
    const text = await complaint(path);
    t.match(text, message);
    t.match(text, `programs/one.yaml:${place}: `);
  });
}

t.test('mistakes in several programs are said at once', async (t) => {
  const path = folder(t, 'kernels: [{debian: "6.12"}]\nprograms: [one, two]\n', { one: 'title: 1\n', two: 'x: 1\n' });
  const text = await complaint(path);
  t.match(text, 'programs/one.yaml:1:');
  t.match(text, 'programs/two.yaml:1:');
});

t.test('a variant may take capabilities away, be another user and have other processors', async (t) => {
  const variants =
    '{weak: {user: 65534, cpus: 1, capabilities: {only: [CAP_BPF]}}, blind: {capabilities: {drop: [CAP_SYSLOG]}}}';
  const matrix = `kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants: ${variants}\n`;
  const { variants: read } = await loadMatrix(folder(t, matrix));
  t.match(read.get('weak'), { user: 65534, cpus: 1, capabilities: { only: ['CAP_BPF'] } });
  t.match(read.get('blind'), { capabilities: { drop: ['CAP_SYSLOG'] } });
  // include/uapi/linux/capability.h
  const some = ['CAP_CHOWN', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_SYSLOG', 'CAP_PERFMON', 'CAP_BPF'] as const;
  t.same(
    some.map((name) => CAPABILITIES.indexOf(name)),
    [0, 12, 21, 34, 38, 39],
  );
  t.equal(CAPABILITIES.length, 41);
});

t.test('the JSON schemas in schema/ are what the definitions generate', (t) => {
  // If this fails: `ksym-matrix schema`, and commit what it wrote.
  for (const [name, text] of Object.entries(jsonSchemas())) {
    t.equal(readFileSync(join(PACKAGE_ROOT, 'schema', name), 'utf8'), text, name);
    t.match(JSON.parse(text), { $schema: 'http://json-schema.org/draft-07/schema#', additionalProperties: false });
  }
  t.end();
});

t.test("the project's own matrices are valid, and run every program that is there", async (t) => {
  const paths = readdirSync(PACKAGE_ROOT).filter((file) => /^matrix.*\.yaml$/.test(file));
  t.ok(paths.includes('matrix.yaml'));
  const matrices = await Promise.all(paths.map((path) => loadMatrix(join(PACKAGE_ROOT, path))));
  const programs = matrices.flatMap((matrix) => matrix.programs);
  const files = readdirSync(join(PACKAGE_ROOT, 'programs'), { recursive: true }).map(String);
  const names = files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -'.yaml'.length));
  t.same([...new Set(programs.map((program) => program.name))].sort(), names.sort());
  const sources = files.filter((file) => file.endsWith('.bpf.c')).map((file) => join(PACKAGE_ROOT, 'programs', file));
  t.same([...new Set(programs.map((program) => program.source))].sort(), sources.sort());
});

t.test('matrix.loaders.yaml is matrix.yaml with more loaders', async (t) => {
  const ours = await loadMatrix(join(PACKAGE_ROOT, 'matrix.yaml'));
  const loaders = await loadMatrix(join(PACKAGE_ROOT, 'matrix.loaders.yaml'));
  t.same(loaders.kernels, ours.kernels);
  t.same(
    loaders.programs.map(({ name }) => name),
    ours.programs.map(({ name }) => name),
  );
  t.same(loaders.variants, ours.variants);
  t.same(
    loaders.loaders.map(({ name }) => name),
    [
      'ksym-matrix',
      ...['0.3', '1.1', '1.4', '1.5', '1.7'].map((version) => `libbpf-${version}`),
      ...['0.2', '0.9', '0.11', '0.22'].map((version) => `cilium/ebpf-${version}`),
    ],
  );
});

t.test('a matrix may name its schema, as editors want it', async (t) => {
  const path = folder(t, '$schema: ./schema/matrix.schema.json\nkernels: [{debian: "6.12"}]\nprograms: [one]\n');
  writeFileSync(join(path, '../programs/one.yaml'), `# yaml-language-server: $schema=x\n$schema: x\n${PROGRAM}`);
  t.equal((await loadMatrix(path)).programs.length, 1);
});
