import t from 'tap';
import { cell, results, sampleKernel } from '../../report/test/samples.ts';
import { type CellChange, CHANGE_KINDS, compareResults } from '../compare.ts';
import { closedGates } from '../gate.ts';
import type { CellResult, KernelResult, RunResults } from '../results.ts';
import { TRANSITIONS, type Transition } from '../transitions.ts';
import { RED_VERDICTS, VERDICTS, type Verdict } from '../verdicts.ts';
import './disagreement-tests.ts';
import './history-tests.ts';
import './merge-tests.ts';

const isRed = (verdict: Verdict): boolean => RED_VERDICTS.has(verdict);

const brief = ({ kind, kernel, loader, program, variant }: CellChange): string =>
  `${kind} ${kernel} ${loader} ${program} ${variant}`;

t.test('every pair of verdicts is one transition, and the words mean what they say', (t) => {
  // Written down apart from the table, as the rules that it follows.
  const expected = (base: Verdict, head: Verdict): Transition => {
    if (base === head) return 'same';
    if (head === 'flaky') return 'flaky';
    if (isRed(head)) return !isRed(base) || head === 'infra' ? 'regressed' : 'changed';
    return isRed(base) ? 'fixed' : 'changed';
  };
  let pairs = 0;
  for (const base of VERDICTS) {
    for (const head of VERDICTS) {
      const outcome = { phase: 'load', class: 'verifier-rejected', message: '' } as const;
      const runOf = (verdict: Verdict): RunResults => results([cell('5.10', 'p', verdict, { outcome })]);
      const wanted = expected(base, head);
      t.equal(TRANSITIONS[base][head], wanted, `${base} → ${head}`);
      const { changes, unchanged, counts } = compareResults(runOf(base), runOf(head));
      t.same([changes.map(({ kind }) => kind), unchanged], wanted === 'same' ? [[], 1] : [[wanted], 0]);
      t.equal(wanted === 'same' ? 0 : counts[wanted], wanted === 'same' ? 0 : 1);
      pairs++;
    }
  }
  t.equal(pairs, 64);
  t.end();
});

t.test('a cell of the same verdict has changed if it fails in another way; not if nothing was learnt of it', (t) => {
  const outcome = { phase: 'load', class: 'verifier-rejected', message: 'one', errno: 'EACCES' } as const;
  const others: readonly [string, CellResult['outcome']][] = [
    ['class', { ...outcome, class: 'btf-rejected' }],
    ['phase', { ...outcome, phase: 'resolve' }],
    ['errno', { ...outcome, errno: 'EINVAL' }],
  ];
  const kinds = (verdict: Verdict, other: CellResult['outcome']): string[] =>
    compareResults(
      results([cell('5.10', 'p', verdict, { outcome })]),
      results([cell('5.10', 'p', verdict, { outcome: other, why: 'other words', durationMs: 99 })]),
    ).changes.map(({ kind }) => kind);
  for (const verdict of VERDICTS) {
    t.same(kinds(verdict, { ...outcome, message: 'another' }), [], `${verdict}: words alone are no change`);
    for (const [part, other] of others) {
      t.same(
        kinds(verdict, other),
        verdict === 'infra' || verdict === 'flaky' ? [] : ['changed'],
        `${verdict}, ${part}`,
      );
    }
  }
  t.end();
});

t.test('cells are told apart by kernel, loader, program and variant, and come in the order of kinds and grid', (t) => {
  const kernels = ['7.1', '5.10', '6.12'].map((name) => sampleKernel(name));
  const base = results(
    [
      cell('5.10', 'b', 'pass'),
      cell('5.10', 'b', 'pass', { loader: 'libbpf' }),
      cell('5.10', 'b', 'xfail', { variant: 'nokaslr' }),
      cell('6.12', 'b', 'fail'),
      cell('7.1', 'b', 'pass'),
      cell('7.1', 'a', 'pass'),
      cell('5.10', 'gone', 'pass'),
      cell('6.12', 'gone', 'fail'),
    ],
    { kernels },
  );
  const head = results(
    [
      cell('7.1', 'b', 'panic'),
      cell('5.10', 'b', 'fail'),
      cell('5.10', 'b', 'fail', { variant: 'nokaslr' }),
      cell('5.10', 'b', 'pass', { loader: 'libbpf' }),
      cell('6.12', 'b', 'pass'),
      cell('7.1', 'a', 'flaky'),
      cell('7.1', 'fresh', 'fail'),
      cell('5.10', 'fresh', 'pass'),
      cell('5.10', 'a', 'pass', { variant: 'z' }),
    ],
    { kernels, complete: false },
  );
  const comparison = compareResults(base, head);
  t.same(comparison.changes.map(brief), [
    'regressed 5.10 ksym-matrix b default',
    'regressed 7.1 ksym-matrix b default',
    'regressed 5.10 ksym-matrix b nokaslr',
    'flaky 7.1 ksym-matrix a default',
    'vanished 5.10 ksym-matrix gone default',
    'vanished 6.12 ksym-matrix gone default',
    'new 5.10 ksym-matrix a z',
    'new 5.10 ksym-matrix fresh default',
    'new 7.1 ksym-matrix fresh default',
    'fixed 6.12 ksym-matrix b default',
  ]);
  t.same(comparison.counts, { regressed: 3, flaky: 1, vanished: 2, changed: 0, new: 3, fixed: 1 });
  t.equal(comparison.unchanged, 1);
  const [first] = comparison.changes;
  t.same([first?.base?.verdict, first?.head?.verdict], ['pass', 'fail']);
  const lone = comparison.changes.filter(({ base: old, head: now }) => old === null || now === null);
  t.same([...new Set(lone.map(({ kind }) => kind))], ['vanished', 'new']);
  const shuffled = (run: RunResults): RunResults => ({ ...run, cells: [...run.cells].reverse() });
  t.same(compareResults(shuffled(base), shuffled(head)), comparison, 'whatever the order of the cells');
  t.same(compareResults(base, base).changes, [], 'nothing differs from itself');
  t.same(compareResults(base, results([], { kernels: [] })).counts.vanished, base.cells.length);
  t.same(Object.keys(comparison.counts), [...CHANGE_KINDS]);

  const gate = (...gates: Parameters<typeof closedGates>[1]) => closedGates(comparison, gates);
  t.same(gate('regressed'), [{ gate: 'regressed', count: 3 }]);
  t.same(gate('new-red'), [{ gate: 'new-red', count: 1 }], 'a new program that fails is no regression, and yet red');
  t.same(gate('changed'), []);
  t.same(gate('vanished', 'flaky'), [
    { gate: 'flaky', count: 1 },
    { gate: 'vanished', count: 2 },
  ]);
  t.same(gate('any'), [{ gate: 'any', count: 10 }]);
  t.end();
});

t.test('kernels that are not the same in both runs are named: version, then image, then facts', (t) => {
  const facts = { a: 1, b: true, c: 'x', d: 4, e: 5 };
  const kernel = (name: string): KernelResult => sampleKernel(name, { facts, sha256: 'a'.repeat(64) });
  const kernels = ['1.1', '1.2', '1.3', '1.4', '1.5', '1.6'].map(kernel);
  const head = [
    kernel('1.1'),
    { ...kernel('1.2'), version: '1.2.9-1', sha256: 'b'.repeat(64) },
    { ...kernel('1.3'), sha256: 'b'.repeat(64) },
    { ...kernel('1.4'), facts: { ...facts, a: 2, b: false, c: 'y', d: 5 } },
    { ...kernel('1.5'), facts: {} },
  ];
  const { kernels: told } = compareResults(results([], { kernels }), results([], { kernels: head }));
  t.same(told, [
    { name: '1.2', base: '1.2.1-1 (1.2.1-amd64)', head: '1.2.9-1 (1.2.1-amd64)' },
    { name: '1.3', base: '1.3.1-1, image aaaaaaaaaaaa', head: '1.3.1-1, image bbbbbbbbbbbb' },
    { name: '1.4', base: 'a 1, b true, c x and 1 more', head: 'a 2, b false, c y and 1 more' },
    { name: '1.5', base: 'a 1, b true, c x and 2 more', head: 'no facts, because it did not boot' },
  ]);
  t.end();
});

t.test('300,000 cells are compared in a few seconds', (t) => {
  const one = cell('k', 'p', 'pass');
  const cells = Array.from({ length: 300_000 }, (_, index) => ({
    ...one,
    kernel: `k${index % 300}`,
    program: `p${Math.floor(index / 300) % 100}`,
    loader: `l${Math.floor(index / 30_000)}`,
  }));
  const run = results([], { cells, kernels: Array.from({ length: 300 }, (_, index) => sampleKernel(`k${index}`)) });
  const started = performance.now();
  const head = {
    ...run,
    cells: cells.map((same, index) => (index % 3 === 0 ? { ...same, verdict: 'fail' as const } : same)),
  };
  t.equal(compareResults(run, head).counts.regressed, 100_000);
  t.ok(performance.now() - started < 10_000, 'about a second where nothing else runs');
  t.end();
});
