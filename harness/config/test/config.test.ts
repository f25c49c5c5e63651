import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ExplainedError } from '../../../loader/errors.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { DEFAULT_DEADLINES } from '../../vm/machine-parts.ts';
import { CAPABILITIES } from '../capabilities.ts';
import { factHolds } from '../fact-condition.ts';
import { FACTS, KERNEL_OPTIONS } from '../fact-registry.ts';
import { jsonSchemas } from '../json-schema.ts';
import { loadMatrix } from '../load.ts';
import { suggest } from '../suggest.ts';
import { compareKernelVersions, isInRange, parseKernelVersion, parseVersionRange } from '../version-range.ts';
import { ConfigError } from '../yaml-file.ts';
import './kernel-entries-tests.ts';

/** A program file that nothing is wrong with. */
const PROGRAM = 'title: A program\nrun: []\nexpect: [{outcome: works, reason: nothing can go wrong}]\n';

/** A folder with matrix.yaml and programs; every program has its C file unless it is told otherwise. */
function folder(
  t: Test,
  matrix: string,
  programs: Record<string, string> = { one: PROGRAM },
  withSource = true,
): string {
  const files = Object.entries(programs).flatMap(([name, text]) => [
    [`${name}.yaml`, text] as const,
    ...(withSource ? [[`${name}.bpf.c`, ''] as const] : []),
  ]);
  return join(t.testdir({ 'matrix.yaml': matrix, programs: Object.fromEntries(files) }), 'matrix.yaml');
}

/** The text of the error that reading a matrix ends with. */
async function complaint(path: string): Promise<string> {
  try {
    await loadMatrix(path);
  } catch (error) {
    if (error instanceof ConfigError) return error.explain();
    throw error;
  }
  return 'no error at all';
}

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

// Each: what is wrong, matrix.yaml, where it is (line:column, counted by hand from one), what is said about it.
const MATRIX_MISTAKES: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a key that is not known, with the nearest one',
    'kernels: [{debian: "6.12", flavor: cloud}]\nprograms: [one]\n',
    '1:28',
    /unknown key "flavor" \(did you mean "flavour"\?\)/,
  ],
  [
    'a key at the top that is not known',
    'kernels: [{debian: "6.12"}]\nprogramms: [one]\nprograms: [one]\n',
    '2:1',
    /unknown key "programms" \(did you mean "programs"\?\)/,
  ],
  [
    'a key deep inside that resembles none, with all that are known',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nmachine:\n  memory: 512\n  zzzzzzzz: 1\n',
    '5:3',
    /unknown key "zzzzzzzz" \(known: memory, cpus\)/,
  ],
  [
    'a range that is not understood',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - kernel: ">= six"\n    outcome: works\n    reason: for the sake of it\n',
    '4:13',
    /">=six" in the kernel range ">= six" is not understood/,
  ],
  [
    'a program that is not there',
    'kernels: [{debian: "6.12"}]\nprograms:\n  - one\n  - onne\n',
    '4:5',
    /unknown program "onne" \(did you mean "one"\?\)/,
  ],
  [
    'a program that is listed twice',
    'kernels: [{debian: "6.12"}]\nprograms: [one, one]\n',
    '2:17',
    /program "one" is listed twice/,
  ],
  [
    'a kernel that is listed twice',
    'kernels:\n  - debian: "6.12"\n  - debian: "6.12"\nprograms: [one]\n',
    '3:5',
    /kernel "6.12" is listed twice/,
  ],
  [
    'an exception for a variant that is not there',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants: {strict: {}}\nexceptions: [{variant: stirct, outcome: works, reason: for the sake of it}]\n',
    '4:24',
    /unknown variant "stirct" \(did you mean "strict"\?\)/,
  ],
  [
    'an exception for a program that the matrix does not run',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions: [{program: two, outcome: works, reason: for the sake of it}]\n',
    '3:24',
    /unknown program "two"/,
  ],
  [
    'an exception on a fact that is not there',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - btf.var: 0\n    outcome: works\n    reason: for the sake of it\n',
    '4:5',
    /unknown fact "btf.var" \(did you mean "btf.vars"\?\)/,
  ],
  [
    'an exception without a reason, at the exception',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - outcome: works\n',
    '4:5',
    /exceptions\[0\]\.reason: missing/,
  ],
  [
    'a version that YAML takes for a number',
    'kernels:\n  - debian: 6.10\nprograms: [one]\n',
    '2:13',
    /kernels\[0\]\.debian: .*write it in quotes/,
  ],
  [
    'a class of failure that is not known',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - outcome: {phase: load, class: verifier-rejects}\n    reason: for the sake of it\n',
    '4:35',
    /unknown value "verifier-rejects" \(did you mean "verifier-rejected"\?\)/,
  ],
  [
    'an outcome that is neither `works` nor a failure',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - {outcome: work, reason: for the sake of it}\n',
    '4:15',
    /outcome: unknown value "work" \(did you mean "works"\?\)/,
  ],
  [
    'an exception without an outcome, at the exception',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - {reason: for the sake of it}\n',
    '4:5',
    /exceptions\[0\]\.outcome: missing/,
  ],
  [
    'the variant that changes nothing being redefined',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants:\n  default: {}\n',
    '4:3',
    /"default" changes nothing and cannot be redefined/,
  ],
  [
    'a capability that is not there',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants:\n  blind: {capabilities: {drop: [CAP_SYSLOGG]}}\n',
    '4:33',
    /unknown value "CAP_SYSLOGG" \(did you mean "CAP_SYSLOG"\?\)/,
  ],
  [
    'capabilities that are both dropped and kept',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants:\n  blind: {capabilities: {drop: [CAP_BPF], only: []}}\n',
    '4:43',
    /unknown key "only"/,
  ],
  ['a list of kernels that is empty', 'kernels: []\nprograms: [one]\n', '1:10', /kernels: /],
];

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
  t.match(missing, 'ENOENT');
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

// Each: what is wrong, the program's file, where, what is said.
const PROGRAM_MISTAKES: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a variant that matrix.yaml does not have',
    `${PROGRAM}variants: [default, strickt]\n`,
    '4:21',
    /unknown variant "strickt" \(did you mean "strict"\?\)/,
  ],
  [
    'an expectation that can never be reached',
    'title: A\nrun: []\nexpect:\n  - {outcome: works, reason: always and everywhere}\n  - {outcome: works, reason: never looked at at all}\n',
    '5:5',
    /never looked at/,
  ],
  [
    'a check that is never made',
    'title: A\nrun: []\nchecks: [{variable: a, equals: 1}]\nexpect:\n  - {outcome: works, reason: always and everywhere}\n',
    '3:1',
    /never made/,
  ],
  [
    'a range in an expectation',
    'title: A\nrun: []\nexpect:\n  - when: {kernel: 6.x}\n    outcome: works\n    reason: always and everywhere\n',
    '4:20',
    /"6.x" in the kernel range/,
  ],
  [
    'a check that compares with nothing',
    'title: A\nrun: []\nchecks:\n  - variable: a\nexpect: [{outcome: works, reason: always and everywhere}]\n',
    '4:5',
    /either `equals` or `differs`/,
  ],
  [
    'a check with a condition on a variant that is not there',
    'title: A\nrun: []\nchecks:\n  - {variable: a, equals: 1, when: {variant: nope}}\nexpect: [{outcome: works, reason: always and everywhere}]\n',
    '4:46',
    /unknown variant "nope"/,
  ],
  [
    'a condition on a fact that is not there',
    'title: A\nrun: []\nexpect:\n  - when: {kernel: "6.12", btf.vras: ">0"}\n    outcome: works\n    reason: always and everywhere\n',
    '4:28',
    /unknown fact "btf.vras" \(did you mean "btf.vars"\?\)/,
  ],
  [
    'a condition on an option that is not recorded, in a check',
    'title: A\nrun: []\nchecks:\n  - {variable: a, equals: 1, when: {config.KALSYMS_ALL: y}}\nexpect: [{outcome: works, reason: always and everywhere}]\n',
    '4:37',
    /unknown fact "config.KALSYMS_ALL" \(did you mean "config.KALLSYMS_ALL"\?\)/,
  ],
  [
    'a condition on a fact that resembles none',
    'title: A\nrun: []\nexpect:\n  - when: {weather.in.the.guest: fine}\n    outcome: works\n    reason: always and everywhere\n',
    '4:12',
    /unknown fact "weather.in.the.guest" \(docs\/matrix-yaml.md lists what is known\)/,
  ],
  [
    'a comparison that is none',
    'title: A\nrun: []\nexpect:\n  - when: {btf.vars: "> some"}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /btf\.vars is a number, and "> some" is no comparison with one/,
  ],
  [
    'a text where a fact is true or false',
    'title: A\nrun: []\nexpect:\n  - when: {btf.present: yes}\n    outcome: works\n    reason: always and everywhere\n',
    '4:25',
    /btf\.present is true or false, not "yes"/,
  ],
  [
    'a number where a fact is a text',
    'title: A\nrun: []\nexpect:\n  - when: {lockdown: 0}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /lockdown is a text, not 0/,
  ],
  [
    'a text that a fact never has',
    'title: A\nrun: []\nexpect:\n  - when: {lockdown: "!=integrty"}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /lockdown is never "integrty" \(did you mean "integrity"\?\)/,
  ],
  [
    'true and false for a kernel option, which YAML 1.1 makes of y and n',
    'title: A\nrun: []\nexpect:\n  - when: {config.SMP: true}\n    outcome: works\n    reason: always and everywhere\n',
    '4:24',
    /a kernel option is y, m, n or a value, not true/,
  ],
  [
    'several values for a fact',
    'title: A\nrun: []\nexpect:\n  - when: {btf.vars: [1, 2]}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /btf\.vars is compared with one value, such as ">0" or 5/,
  ],
  [
    'one of several variants in a condition',
    'title: A\nrun: []\nexpect:\n  - {when: {variant: [strict, nope]}, outcome: works, reason: always and everywhere}\n',
    '4:31',
    /unknown variant "nope"/,
  ],
  [
    'an errno that is a number',
    'title: A\nrun: []\nexpect:\n  - outcome: {phase: load, class: verifier-rejected, errno: "13"}\n    reason: always and everywhere\n',
    '4:61',
    /an errno is written by name/,
  ],
  [
    'a key in a failure that is not known',
    'title: A\nrun: []\nexpect:\n  - outcome: {phase: load, class: verifier-rejected, exern: x}\n    reason: always and everywhere\n',
    '4:54',
    /unknown key "exern" \(did you mean "extern"\?\)/,
  ],
  [
    'a module that is named as a file',
    'title: A\nrun: []\nmodules: [dummy.ko]\nexpect:\n  - {outcome: works, reason: always and everywhere}\n',
    '3:11',
    /a module is named as in lsmod, without \.ko/,
  ],
  ['no expectation at all', 'title: A\nrun: []\nexpect: []\n', '3:9', /expect: /],
];

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

t.test('versions are compared number by number, and ranges mean what docs/matrix-yaml.md says', (t) => {
  // uname -r and package versions of Debian's kernels.
  t.same(parseKernelVersion('6.12.117+deb13-cloud-amd64'), [6, 12, 117]);
  t.same(parseKernelVersion('7.3.4-1~bpo13+1'), [7, 3, 4]);
  t.same(parseKernelVersion('v6.12-rc3'), [6, 12]);
  t.throws(() => parseKernelVersion('bookworm'), { code: 'bad-kernel-version' });
  t.ok(compareKernelVersions([5, 9], [5, 10]) < 0, '5.9 is older than 5.10');
  t.equal(compareKernelVersions([6, 12], [6, 12, 0]), 0);
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['6.12.117', '6.12', true],
    ['6.1.12', '6.12', false],
    ['6.120.1', '6.12', false],
    ['6.12.3', '6.12.3', true],
    ['6.12.4', '6.12.3', false],
    ['6.2.0', '>=6.2 <6.15', true],
    ['6.14.99', '>=6.2 <6.15', true],
    ['6.15.0', '>=6.2 <6.15', false],
    ['6.12.5', '>6.12', true],
    ['6.12', '>6.12', false],
    ['6.12.5', '<=6.12', false],
    ['5.15.200', '<5.16 || >=6.1', true],
    ['6.0.9', '<5.16 || >=6.1', false],
    ['6.1.0', '<5.16 || >= 6.1', true],
  ];
  for (const [version, range, expected] of cases) {
    t.equal(isInRange(parseKernelVersion(version), parseVersionRange(range)), expected, `${version} in "${range}"`);
  }
  for (const range of ['', '>=', '6', '6.x', '>=6.2,<6.15', '6.2 ||', '6.1 - 6.2', '=>6.1']) {
    t.throws(() => parseVersionRange(range), ExplainedError, `"${range}" is refused`);
  }
  t.end();
});

t.test('a condition on a fact compares as docs/matrix-yaml.md says', (t) => {
  const cases: readonly (readonly [boolean | number | string | undefined, boolean | number | string, boolean])[] = [
    [356, '>0', true],
    [0, '>0', false],
    [3, '>=1 <5', true],
    [5, '>=1 <5', false],
    [3, '!=3', false],
    [4, '!= 3', true],
    [3, '3', true],
    [3, 3, true],
    [3, 4, false],
    [3, true, true],
    [0, false, true],
    [0, true, false],
    [true, true, true],
    [false, true, false],
    ['none', 'none', true],
    ['integrity', '!=none', true],
    ['none', '!=none', false],
    ['y', 'y', true],
    ['m', '!=n', true],
    ['125', '>=122', true],
    ['0', '>=122', false],
    ['125', 125, true],
    ['n', '>=122', false],
    ['n', '!=122', true],
    [undefined, '!=3', false],
    [undefined, false, false],
  ];
  for (const [found, wanted, expected] of cases) {
    t.equal(factHolds(found, wanted), expected, `${JSON.stringify(found)} with ${JSON.stringify(wanted)}`);
  }
  t.end();
});

t.test('docs/matrix-yaml.md has every fact that is recorded, in the same words, and no other', (t) => {
  const text = readFileSync(join(PACKAGE_ROOT, 'docs', 'matrix-yaml.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z][\w.-]*)` \| (number|boolean|text|option) \| (.*) \|$/gm)];
  const described = FACTS.filter(({ type }) => type !== 'option').map(({ name, type, about, values }) => {
    const all = values === undefined ? about : `${about}: ${values.map((value) => `\`${value}\``).join(', ')}`;
    return [name, type, all];
  });
  t.same(
    rows.map(([, name, type, about]) => [name, type, about]),
    described,
  );
  const options = /`config\.NAME`: ((?:`\w+`(?:, )?\s*)+)/.exec(text)?.[1] ?? '';
  t.same(
    [...options.matchAll(/\w+/g)].map(([name]) => name),
    KERNEL_OPTIONS,
  );
  t.end();
});

t.test('a suggestion is given only for a word that is near', (t) => {
  t.equal(suggest('kernel', ['program', 'kernels']), 'kernels');
  t.equal(suggest('preogram', ['program', 'kernels']), 'program');
  t.equal(suggest('erxtern', ['extern']), 'extern');
  t.equal(suggest('zebra', ['program', 'kernels']), undefined);
  t.equal(suggest('x', []), undefined);
  t.end();
});

t.test('the JSON schemas in schema/ are what the definitions generate', (t) => {
  // If this fails: `ksym-matrix schema`, and commit what it wrote.
  for (const [name, text] of Object.entries(jsonSchemas())) {
    t.equal(readFileSync(join(PACKAGE_ROOT, 'schema', name), 'utf8'), text, name);
    t.match(JSON.parse(text), { $schema: 'http://json-schema.org/draft-07/schema#', additionalProperties: false });
  }
  t.same(readdirSync(join(PACKAGE_ROOT, 'schema')).sort(), Object.keys(jsonSchemas()).sort());
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

t.test('a matrix may name its schema, as editors want it', async (t) => {
  const path = folder(t, '$schema: ./schema/matrix.schema.json\nkernels: [{debian: "6.12"}]\nprograms: [one]\n');
  writeFileSync(join(path, '../programs/one.yaml'), `# yaml-language-server: $schema=x\n$schema: x\n${PROGRAM}`);
  t.equal((await loadMatrix(path)).programs.length, 1);
});
