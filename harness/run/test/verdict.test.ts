import t from 'tap';
import type { KernelRequest } from '../../../kernels/request.ts';
import type { AgentConnection } from '../../../loader/agent/connection.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import type { ReasonCode } from '../../../loader/resolve/outcome.ts';
import type { FactCondition } from '../../config/fact-condition.ts';
import { CLASSES, type MatrixException, type Truth } from '../../config/schema.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { CLASS_OF_REASON } from '../outcome.ts';
import { describeGroup, planGroups, selectKernels, selectPrograms } from '../select.ts';
import { evaluateTruth } from '../truth.ts';
import { type CellSituation, conditionHolds, findExpectation, judge } from '../verdict.ts';
import { STRICT, sampleKernel, sampleMatrix, sampleProgram, selected, WORKS } from './samples.ts';
import { TABLE } from './verdict-table.ts';
import './bisect-tests.ts';
import './collect-tests.ts';
import './history-tests.ts';
import './judge-loader-tests.ts';
import './unused-expectations-tests.ts';
import './loader-outcome-tests.ts';
import './guest-loaders-tests.ts';
import './loader-words-tests.ts';
import './origin-tests.ts';
import './source-line-tests.ts';

const HERE: CellSituation = { version: [6, 12, 3], variant: 'default', facts: {} };

for (const [what, outcome, expected, verdict, why] of TABLE) {
  t.test(`${what}: ${verdict}`, (t) => {
    const { outcome: wanted, externs = {} } = expected ?? {};
    const applied = wanted && { outcome: wanted, externs, reason: 'because I say so', source: 'here' };
    const judgement = judge(outcome, applied);
    t.equal(judgement.verdict, verdict);
    t.match(judgement.why, why);
    t.end();
  });
}

t.test('every verdict but pass and xfail makes a run fail', (t) => {
  t.same([...RED_VERDICTS].sort(), ['fail', 'flaky', 'infra', 'panic', 'timeout', 'xpass']);
  t.end();
});

t.test('every reason of the loader has a class that an expectation may name', (t) => {
  const reasons = Object.entries(CLASS_OF_REASON) as [ReasonCode, (typeof CLASSES)[number]][];
  t.equal(reasons.length, 16);
  for (const [reason, kind] of reasons) t.ok(CLASSES.includes(kind), `${reason} is ${kind}`);
  t.end();
});

t.test('the first expectation whose condition holds counts, and an exception comes before all of them', (t) => {
  const program = sampleProgram(
    'one',
    ['default'],
    [
      { when: { kernel: '<6.0' }, outcome: { phase: 'load', class: 'btf-rejected' }, reason: 'too old for this' },
      { when: { variant: 'strict' }, outcome: { phase: 'resolve', class: 'kallsyms-hidden' }, reason: 'hidden there' },
      { ...WORKS, externs: { a: 'address' } },
      { outcome: { phase: 'load', class: 'map-rejected' }, reason: 'never looked at' },
    ],
  );
  t.match(findExpectation(program, [], HERE), { source: 'programs/one.yaml expect[2]', externs: { a: 'address' } });
  t.match(findExpectation(program, [], { ...HERE, version: [5, 10] }), { source: 'programs/one.yaml expect[0]' });
  t.match(findExpectation(program, [], { ...HERE, variant: 'strict' }), { source: 'programs/one.yaml expect[1]' });
  const exceptions: MatrixException[] = [
    { program: 'other', when: {}, outcome: 'works', reason: 'of another program' },
    { program: 'one', when: { kernel: '6.1' }, outcome: 'works', reason: 'of another kernel' },
    { when: { kernel: '6.12', 'config.SMP': 'y' }, outcome: { phase: 'run', class: 'vm-silent' }, reason: 'of any' },
  ];
  t.match(findExpectation(program, exceptions, HERE), { source: 'programs/one.yaml expect[2]' });
  t.match(findExpectation(program, exceptions, { ...HERE, facts: { 'config.SMP': 'y' } }), {
    source: 'matrix.yaml exceptions[2]',
    outcome: { class: 'vm-silent' },
    externs: {},
  });
  const narrow = sampleProgram('one', ['default'], [{ ...WORKS, when: { kernel: '7.0' } }]);
  t.equal(findExpectation(narrow, [], HERE), undefined, 'nothing covers the cell');
  t.end();
});

t.test('all that a condition names must hold, and a fact that is not known does not', (t) => {
  const situation = { ...HERE, facts: { 'btf.vars': 0, 'btf.funcs': 9, 'btf.present': true, 'config.SMP': 'y' } };
  const holds = (facts: Readonly<Record<`${string}.${string}`, FactCondition>>): boolean =>
    conditionHolds(facts, situation);
  t.ok(conditionHolds({}, situation));
  t.ok(holds({ 'btf.vars': false }), 'a count of zero is false');
  t.notOk(holds({ 'btf.vars': true }));
  t.ok(holds({ 'btf.funcs': true }), 'any other count is true');
  t.notOk(holds({ 'btf.funcs': false }));
  t.ok(holds({ 'btf.funcs': 9 }), 'and may be asked for exactly');
  t.notOk(holds({ 'btf.funcs': 8 }));
  t.ok(holds({ 'btf.present': true, 'config.SMP': 'y' }));
  t.notOk(holds({ 'btf.present': true, 'config.SMP': 'n' }), 'one of two is not enough');
  t.notOk(holds({ 'config.NOPE': 'n' }), 'an unknown fact is not `n`');
  t.notOk(holds({ 'config.NOPE': false }), 'nor false');
  t.notOk(holds({ 'config.NOPE': true }));
  t.notOk(holds({ 'config.NOPE': '!=n' }), 'nor anything but `n`');
  t.notOk(conditionHolds({ kernel: '6.12', variant: 'strict' }, situation));
  t.ok(conditionHolds({ variant: ['strict', 'default'] }, situation), 'one of several');
  t.notOk(conditionHolds({ variant: ['strict', 'booted'] }, situation));
  t.notOk(conditionHolds({ kernel: '6.11', variant: 'default' }, situation));
  t.end();
});

t.test('the truth that values are compared with comes from the guest and the check alone', async (t) => {
  const kallsyms = Kallsyms.parse(
    new TextEncoder().encode(
      'ffffffff81000000 T _text\nffffffff82000010 d twice\nffffffff82000020 d twice\nffffffff82000030 d once\n',
    ),
  );
  const agent = { readFile: async (path: string) => new Uint8Array(path === '/sys/kernel/btf/vmlinux' ? 4321 : 0) };
  const sources = {
    agent: agent as unknown as AgentConnection,
    kallsyms,
    cpu: 3,
    readVariable: async (name: string) => BigInt(name.length),
  };
  const cases: readonly (readonly [Truth, bigint])[] = [
    [5, 5n],
    [-1, 2n ** 64n - 1n],
    ['0xffffffff81000000', 0xffffffff81000000n],
    ['-2', 2n ** 64n - 2n],
    ['cpu', 3n],
    [{ kallsyms: 'once' }, 0xffffffff82000030n],
    [{ 'file-size': '/sys/kernel/btf/vmlinux' }, 4321n],
    [{ variable: 'four' }, 4n],
    [{ sum: [{ kallsyms: 'once' }, { 'file-size': '/sys/kernel/btf/vmlinux' }, -1] }, 0xffffffff82000030n + 4320n],
    [{ sum: ['0xffffffffffffffff', 1] }, 0n],
  ];
  for (const [truth, value] of cases) t.equal(await evaluateTruth(truth, sources), value, JSON.stringify(truth));
  await t.rejects(evaluateTruth({ kallsyms: 'twice' }, sources), { code: 'truth-unavailable', message: /2 addresses/ });
  await t.rejects(evaluateTruth({ kallsyms: 'none' }, sources), { code: 'truth-unavailable', message: /0 addresses/ });
  await t.rejects(evaluateTruth({ kallsyms: 'once' }, { ...sources, kallsyms: null }), { code: 'truth-unavailable' });
});

t.test('filters choose programs by name and wildcard; a name that is not there is an error with a suggestion', (t) => {
  const matrix = sampleMatrix(['typed-a', 'typed-b', 'typeless'].map((name) => sampleProgram(name)));
  const names = (programs: string[]): string[] =>
    selectPrograms(matrix, { kernels: [], programs }).map((program) => program.name);
  t.same(names([]), ['typed-a', 'typed-b', 'typeless']);
  t.same(names(['typeless', 'typed-a']), ['typed-a', 'typeless'], 'in the order of the matrix');
  t.same(names(['typed-*']), ['typed-a', 'typed-b']);
  t.same(names(['*-b', 'typeless']), ['typed-b', 'typeless']);
  t.throws(() => names(['typed']), { code: 'no-such-program' }, 'a part of a name is not the name');
  t.throws(() => names(['typed-a', 'typedless']), { code: 'no-such-program', message: /did you mean "typeless"/ });
  t.throws(() => names(['typed.a']), { code: 'no-such-program' }, 'a dot is a dot');
  t.end();
});

t.test('a filter chooses one variant of a program, as the commands that repeat a cell do', (t) => {
  const matrix = sampleMatrix([
    sampleProgram('typed-a', ['default', 'cap-bpf', 'strict']),
    sampleProgram('typed-b'),
    sampleProgram('typeless', ['strict']),
  ]);
  const cells = (...programs: string[]): string[] =>
    selectPrograms(matrix, { kernels: [], programs }).map(({ name, variants }) => `${name}: ${variants.join(' ')}`);
  t.same(cells('typed-*'), ['typed-a: default cap-bpf strict', 'typed-b: default'], 'all variants');
  t.same(cells('typed-a@cap-bpf'), ['typed-a: cap-bpf']);
  t.same(cells('*@strict'), ['typed-a: strict', 'typeless: strict']);
  t.same(cells('typed-*@default'), ['typed-a: default', 'typed-b: default']);
  t.same(cells('typed-a@strict', 'typed-b', 'typed-a@cap-*'), ['typed-a: cap-bpf strict', 'typed-b: default']);
  t.same(matrix.programs[0]?.variants.length, 3, 'the matrix is as it was');
  t.throws(() => cells('typed-a@cap-bpv'), {
    code: 'no-such-variant',
    message: /did you mean "cap-bpf"/,
    where: '--program typed-a@cap-bpv',
    why: 'typed-a is run with `default`, `cap-bpf`, `strict`',
  });
  t.throws(() => cells('typed-b@strict'), { code: 'no-such-variant', why: 'typed-b is run with `default`' });
  t.throws(() => cells('typed-x@strict'), { code: 'no-such-program' });
  t.throws(() => cells('typed-a', '@'), { code: 'no-such-program' });
  t.end();
});

t.test('filters choose kernels by line, name and wildcard, and only those are fetched', async (t) => {
  const fetched: string[] = [];
  const messages: string[] = [];
  const lines: Record<string, string> = { newest: '7.3' };
  const store = {
    expand: async (request: KernelRequest): Promise<KernelRequest[]> =>
      'debian' in request && request.debian === 'all'
        ? ['5.10', '6.1', '6.5'].map((debian) => ({ debian }))
        : [request],
    get: async (request: KernelRequest) => {
      const wanted = 'debian' in request ? request.debian : '';
      fetched.push(wanted);
      if (wanted === '6.5') throw new ExplainedError('kernel-line-unknown', 'the mirror has no 6.5');
      const line = lines[wanted] ?? wanted;
      return { ...sampleKernel(line, `${line}.1-amd64`), name: wanted };
    },
  };
  const choose = async (kernels: string[], entries = ['5.10', '6.12', 'newest']): Promise<string[]> => {
    fetched.length = 0;
    const matrix = sampleMatrix(
      [],
      [],
      [],
      [
        ...entries.map((debian) => ({ request: { debian }, name: undefined })),
        { request: { debian: '6.1' }, name: 'old' },
      ],
    );
    const onMessage = (text: string): void => void messages.push(text);
    return (await selectKernels(matrix, { kernels, programs: [] }, store, { onMessage })).map((one) => one.name);
  };
  t.same(await choose([]), ['5.10', '6.12', '7.3', 'old'], 'newest goes by the line that it is now');
  t.same(await choose(['6.12']), ['6.12']);
  t.same(fetched, ['6.12']);
  t.same(await choose(['old']), ['old']);
  t.same(await choose(['6.1']), ['old'], 'a kernel with a name answers to its line as well');
  t.same(await choose(['6.*']), ['6.12', 'old']);
  t.same(await choose(['newest']), ['7.3']);
  t.same(await choose(['7.3']), ['7.3'], 'which line newest is shows when it is looked up');
  await t.rejects(choose(['6.13']), { code: 'no-such-kernel', message: /did you mean "6.12"/ });
  t.same(messages, []);
  t.same(await choose([], ['all']), ['5.10', '6.1', 'old'], 'a line that Debian has dropped is left out');
  t.match(messages, [/6\.5: left out/]);
  await t.rejects(choose([], ['6.5']), { code: 'kernel-line-unknown' }, 'one that the matrix names is not');
  await t.rejects(choose([], ['7.3', 'newest']), { code: 'kernel-listed-twice', fix: /name/ });
});

const BOOTED = { name: 'booted', sysctl: {}, boot: ['nosmp'] };

t.test('cells that can share a machine do, the default variant first', (t) => {
  const programs = [sampleProgram('a', ['strict', 'default']), sampleProgram('b', ['booted', 'default'])];
  const matrix = sampleMatrix(programs, [STRICT, BOOTED]);
  const groups = planGroups([selected('5.10'), selected('6.12')], programs, matrix);
  const seen = groups.map((group) => [
    group.kernel.name,
    group.boot.join(' '),
    group.cells.map((cell) => `${cell.program.name}@${cell.variant.name}`).join(' '),
  ]);
  t.same(seen, [
    ['5.10', '', 'a@default b@default a@strict'],
    ['5.10', 'nosmp', 'b@booted'],
    ['6.12', '', 'a@default b@default a@strict'],
    ['6.12', 'nosmp', 'b@booted'],
  ]);
  t.end();
});

t.test('cells that want other modules or another number of processors get machines of their own', (t) => {
  const one = { name: 'one', sysctl: {}, boot: [], cpus: 1 };
  const two = { name: 'two', sysctl: {}, boot: [], cpus: 2 };
  const programs = [
    sampleProgram('a', ['default', 'one', 'two']),
    { ...sampleProgram('b'), modules: ['zram', 'dummy'] },
    { ...sampleProgram('c', ['default', 'one']), modules: ['dummy', 'zram', 'dummy'] },
  ];
  const groups = planGroups([selected('6.12')], programs, sampleMatrix(programs, [one, two]));
  const seen = groups.map((group) => [
    describeGroup(group),
    group.cells.map((cell) => `${cell.program.name}@${cell.variant.name}`).join(' '),
  ]);
  t.same(seen, [
    ['', 'a@default a@two'],
    ['modules=dummy,zram', 'b@default c@default'],
    ['cpus=1', 'a@one'],
    ['cpus=1 modules=dummy,zram', 'c@one'],
  ]);
  t.end();
});
