import t from 'tap';
import { deriveDisagreements } from '../../results/disagreements.ts';
import type { CellResult, KnownDifferenceResult, RunResults } from '../../results/results.ts';
import { renderTerminal } from '../formats/terminal.ts';
import { cutColumns } from '../loaders/cut-columns.ts';
import { kernelRange } from '../loaders/kernel-range.ts';
import { type LoadersView, viewLoaders } from '../loaders/loaders-view.ts';
import { renderLoadersMarkdown } from '../loaders/markdown.ts';
import { renderSupport } from '../loaders/support.ts';
import { viewSupport } from '../loaders/support-view.ts';
import { renderLoadersText, summarizeLoaders } from '../loaders/text.ts';
import { cell, PLAIN, results, sampleKernel } from './samples.ts';

const KNOWN: KnownDifferenceResult = {
  id: 'libbpf-old',
  loader: 'libbpf',
  versions: '<1.0',
  what: 'It cannot do it.',
  why: 'It came later.',
  source: ['https://github.com/libbpf/libbpf/commit/0e752094 (v0.5.0)', 'src/libbpf.c 0.3'],
  from: 'built-in',
};

const UNABLE: Partial<CellResult> = {
  loader: 'libbpf-0.3',
  difference: 'libbpf-old',
  outcome: {
    phase: 'resolve',
    class: 'loader-lacks-feature',
    message: 'libbpf-0.3: no such thing as one',
    extern: 'one',
  },
};

function sample(): RunResults {
  const kernels = ['5.10', '6.1', '6.12'].map((name) => sampleKernel(name));
  const cells = kernels.flatMap(({ name: kernel }) => [
    cell(kernel, 'same', 'pass'),
    cell(kernel, 'same', 'pass', { loader: 'libbpf-0.3' }),
    cell(kernel, 'other', 'pass'),
    kernel === '5.10'
      ? cell(kernel, 'other', 'pass', { loader: 'libbpf-0.3' })
      : cell(kernel, 'other', 'xfail', UNABLE),
  ]);
  const loaders = [
    { name: 'ksym-matrix', version: '0.1.0', family: 'ksym-matrix' },
    { name: 'libbpf-0.3', version: '0.3', family: 'libbpf' },
  ];
  const differences = deriveDisagreements({ cells, loaders }, [KNOWN]);
  return results(cells, { kernels, loaders, ...(differences === undefined ? {} : { differences }) });
}

function view(run: RunResults): LoadersView {
  return viewLoaders(run, run.differences ?? { compared: 0, known: [], disagreements: [] });
}

t.test('kernels are told in a few characters', (t) => {
  const all = ['5.10', '6.1', '6.12', '7.0'];
  const range = (...names: string[]): string => kernelRange(new Set(names), all);
  t.equal(range(...all), 'all');
  t.equal(range(), 'none');
  t.equal(range('6.1', '6.12', '7.0'), '6.1+');
  t.equal(range('7.0'), '7.0+');
  t.equal(range('5.10', '6.1'), '5.10–6.1');
  t.equal(range('5.10', '6.12', '7.0'), '5.10, 6.12+');
  t.end();
});

t.test('loaders stand side by side: where each program works, and below why they disagree', (t) => {
  const text = renderLoadersText(view(sample()), { paint: PLAIN, width: 250, all: false });
  // Written by hand.
  const expected = [
    'loaders disagree on 2 of 6 pairs of program and kernel: all explained by 1 known difference',
    '',
    'ksym-matrix  differs on none',
    'libbpf-0.3   differs on 2 of 6  libbpf-old 2',
    '',
    'libbpf-old libbpf <1.0: It cannot do it.',
    '    libbpf-0.3: loader-lacks-feature, where ksym-matrix works',
    '        6.1+: other',
    '        says: libbpf-0.3: no such thing as one',
    '    why: It came later.',
    '    see: https://github.com/libbpf/libbpf/commit/0e752094 (v0.5.0)',
    '    see: src/libbpf.c 0.3',
    '',
    'program     ksym-matrix  libbpf-0.3',
    'other       all          5.10 ≠',
    'differs on  none         2 of 6',
    '',
    'works on: all or none of 5.10 6.1 6.12, or those named (6.1+: 6.1 and later); refused: on all, as it has to be. ≠ another answer, or other values, on some kernel, as explained above; ! without an explanation.',
    '',
    '1 of 2 programs are the same with all loaders (--all shows all)',
    '',
    'loaders disagree on 2 of 6 pairs of program and kernel: all explained by 1 known difference',
    '',
  ].join('\n');
  t.equal(text, expected);
  t.match(renderLoadersText(view(sample()), { paint: PLAIN, width: 200, all: true }), /^same {8}all {10}all$/m);
  t.end();
});

t.test(
  'a run of several loaders shows the grid of the first, what is red of the others, and how much they disagree',
  (t) => {
    const run = sample();
    const text = renderTerminal(run, PLAIN);
    t.match(text, /^loader ksym-matrix$/m);
    t.notMatch(text, /^loader libbpf-0\.3$/m);
    t.notMatch(text, 'no such thing as one', 'an expected failure of another loader is for compare to tell');
    t.match(text, /^libbpf-0\.3 0\.3: differs on 2 of 6$/m);
    t.match(text, /^loaders disagree on 2 of 6 .*; ksym-matrix compare shows where and why$/m);
    const red = renderTerminal(
      {
        ...run,
        cells: run.cells.map((one) => (one.difference ? { ...one, verdict: 'fail', why: 'not what was said' } : one)),
      },
      PLAIN,
    );
    t.match(red, /^loader libbpf-0\.3$/m);
    t.match(red, 'not what was said');
    t.end();
  },
);

t.test('what nobody has explained is told first, and counted', (t) => {
  const run = sample();
  const cells = run.cells.map(({ difference: _difference, ...one }) => one);
  const differences = deriveDisagreements({ cells, loaders: run.loaders }, []);
  const shown = view({ ...run, cells, ...(differences === undefined ? {} : { differences }) });
  const text = renderLoadersText(shown, { paint: PLAIN, width: 200, all: false });
  t.match(text, /^other {7}all {10}5\.10 !$/m);
  t.match(text, /^libbpf-0\.3 {3}differs on 2 of 6 {2}UNEXPLAINED 2\n\nUNEXPLAINED: /m);
  t.equal(
    summarizeLoaders(shown),
    'loaders disagree on 2 of 6 pairs of program and kernel: 2 UNEXPLAINED, the others by 0 known differences',
  );
  t.end();
});

t.test('a program that has to be refused, and is, is not shown like one that does not work', (t) => {
  const run = sample();
  const toFail = { outcome: { phase: 'resolve', class: 'ksym-ambiguous' }, reason: 'so', source: 'here' } as const;
  const refused = { phase: 'resolve', class: 'ksym-ambiguous', message: 'two of them' } as const;
  const cells = run.cells.map((one) =>
    one.program === 'same' ? { ...one, outcome: refused, verdict: 'xfail' as const, expected: toFail } : one,
  );
  const rows = (own: readonly CellResult[]): string =>
    renderLoadersText(view({ ...run, cells: [...own] }), { paint: PLAIN, width: 200, all: true });
  t.match(rows(cells), /^same {8}refused {6}refused$/m);
  t.match(renderLoadersMarkdown(view({ ...run, cells }), { all: true }), '| same | *refused* | *refused* |');
  const loads = cells.map((one) =>
    one.program === 'same' && one.loader === 'libbpf-0.3'
      ? { ...one, outcome: { phase: 'check' as const, class: 'wrong-value' as const, message: 'NULL' } }
      : one,
  );
  t.match(rows(loads), /^same {8}refused {6}none$/m, 'it was loaded: that is no refusal');
  const breaks = cells.map((one) => (one.program === 'same' ? { ...one, expected: null } : one));
  t.match(rows(breaks), /^same {8}none {9}none$/m, 'nobody expects it');
  t.end();
});

t.test('what was not compared is told of each loader', (t) => {
  const run = sample();
  const extern = {
    name: 'x',
    kind: 'typeless' as const,
    weak: false,
    result: 'address' as const,
    address: '0x1' as const,
  };
  const [first, ...others] = run.cells.filter(({ loader, kernel }) => loader !== 'libbpf-0.3' || kernel !== '6.12');
  const cells = first === undefined ? [] : [{ ...first, externs: [extern] }, ...others];
  const shown = view({ ...run, cells });
  t.match(shown.loaders, [
    { untried: 0, unseen: 0 },
    { untried: 2, unseen: 1, compared: 4 },
  ]);
  t.match(
    renderLoadersText(shown, { paint: PLAIN, width: 200, all: false }),
    '(not tried on 2 that others were tried on, not seen what it made of externs on 1)',
  );
  t.end();
});

t.test('what differs in values stands with the loaders that see it, and with no other', (t) => {
  const id = { name: 'x', kind: 'kfunc' as const, weak: true, result: 'btf-id' as const, btfId: 7 };
  const number = { ...id, result: 'address' as const, address: '0x7' as const };
  const cells = [
    cell('6.12', 'one', 'pass', { externs: [id] }),
    cell('6.12', 'one', 'xfail', { ...UNABLE, loader: 'old', difference: 'old' }),
    cell('6.12', 'one', 'pass', { loader: 'go', externs: [number], difference: 'go' }),
  ];
  const loaders = ['ksym-matrix', 'old', 'go'].map((name) => ({ name, version: '1.0', family: name }));
  const known = [
    { ...KNOWN, id: 'old' },
    { ...KNOWN, id: 'go', resolves: 'address' },
  ];
  const kernels = [sampleKernel('6.12')];
  const differences = deriveDisagreements({ cells, loaders }, known);
  const { causes } = viewLoaders(
    results(cells, { kernels, loaders }),
    differences ?? { compared: 0, known: [], disagreements: [] },
  );
  t.match(causes, [
    { difference: { id: 'old' }, effects: [{ loaders: ['old'], values: [] }] },
    { difference: { id: 'go' }, effects: [{ loaders: ['go'], values: [{ name: 'x' }] }] },
  ]);
  t.same(causes[0]?.effects[0]?.values, []);
  t.end();
});

t.test('columns that do not fit stand in another block', (t) => {
  const columns = [10, 20, 5, 40].map((width) => ({ width }));
  t.same(
    cutColumns(columns, 10, 45).map((part) => part.map(({ width }) => width)),
    [[10, 20], [5], [40]],
  );
  t.equal(cutColumns(columns, 10, Number.POSITIVE_INFINITY).length, 1);
  const narrow = renderLoadersText(view(sample()), { paint: PLAIN, width: 24, all: false });
  t.equal(
    Math.max(
      ...narrow
        .split('\n')
        .filter((line) => !/\S{20}/.test(line))
        .map(({ length }) => length),
    ) <= 24,
    true,
  );
  t.match(narrow, /^program {5}libbpf-0\.3$/m);
  t.end();
});

t.test('the same in Markdown, with links to the sources, and nothing in it comes alive', (t) => {
  const run = sample();
  const hostile = run.cells.map((one) =>
    one.difference === undefined ? one : { ...one, outcome: { ...one.outcome, message: 'a | b\n```\n<b>@someone' } },
  );
  const text = renderLoadersMarkdown(view({ ...run, cells: hostile }), { all: false });
  t.match(text, '| other | all | 5.10 ≠ |');
  t.match(
    text,
    '[`github.com/libbpf/libbpf/commit/0e752094`](https://github.com/libbpf/libbpf/commit/0e752094) (v0.5.0)',
  );
  t.match(text, '### libbpf `<1.0`: It cannot do it.');
  const why = 'Its `.ksym` lacks an s, as `find()` has it.';
  const shown = view({ ...run, differences: run.differences && { ...run.differences, known: [{ ...KNOWN, why }] } });
  t.match(renderLoadersMarkdown(shown, { all: false }), `\n${why} (libbpf-old: `);
  t.match(text, /````\n {2}a \| b\n {2}```\n {2}<b>@someone\n {2}````/);
  t.end();
});

t.test('what loaders support is told by the programs that show it, with the exact error elsewhere', (t) => {
  const run = sample();
  const [same, other] = run.programs;
  const programs = [
    ...(same === undefined ? [] : [{ ...same, shows: ['typeless' as const] }]),
    ...(other === undefined ? [] : [{ ...other, shows: ['typeless' as const, 'weak' as const] }]),
  ];
  const support = viewSupport({ ...run, programs });
  t.same(support.columns, [
    { features: ['typeless'], name: 'typeless', programs: ['same'] },
    { features: ['typeless', 'weak'], name: 'weak typeless', programs: ['other'] },
  ]);
  t.match(support.rows[1]?.cells, [
    { works: 'all', partly: 'none', errors: [] },
    {
      works: '5.10',
      errors: [{ kernels: '6.1+', class: 'loader-lacks-feature', says: 'libbpf-0.3: no such thing as one' }],
    },
  ]);
  const text = renderSupport(support);
  t.match(text, '| loader | version | typeless | weak typeless |');
  t.match(text, '| libbpf-0.3 | 0.3 | all | 5.10 |');
  t.match(
    text,
    /### Where weak typeless does not work\n\n- \*\*libbpf-0\.3\*\* on 6\.1\+: loader-lacks-feature \(other\)/,
  );
  const broken = run.cells.map((one) =>
    one.loader === 'libbpf-0.3' ? { ...one, outcome: { ...one.outcome, class: 'infra' as const } } : one,
  );
  t.same(viewSupport({ ...run, programs, cells: broken }).rows[1]?.cells, [null, null], 'nothing was tried');
  t.same(view({ ...run, cells: broken }).rows[0]?.cells[1], null);
  const lacking = run.cells.map((one) =>
    one.kernel !== '5.10' && one.program === 'other'
      ? { ...one, outcome: { ...one.outcome, class: 'module-missing' as const } }
      : one,
  );
  const some = viewSupport({ ...run, programs, cells: lacking });
  t.same(some.silent, ['none', '6.1+'], 'what a kernel cannot be asked is told');
  t.match(renderSupport(some), '\nNot asked on 6.1+, for want of the modules or of a machine: weak typeless.\n');
  t.notMatch(text, 'Not asked');
  // Two programs that show the same: one works, the other does not.
  const partly = viewSupport({ ...run, programs: programs.map((one) => ({ ...one, shows: ['typeless' as const] })) });
  t.match(partly.rows[1]?.cells, [{ works: '5.10', partly: '6.1+', errors: [{ programs: ['other'] }] }]);
  t.match(renderSupport(partly), '5.10; *partly*: 6.1+');
  const silent = viewSupport({ ...run, programs: programs.map(({ shows: _, ...one }) => one) });
  t.match(renderSupport(silent), /^No program of this run says in its file what it `shows`/);
  t.end();
});
