import t from 'tap';
import type { CellResult } from '../../results/results.ts';
import type { Verdict } from '../../results/verdicts.ts';
import { renderFinding, renderStep } from '../bisect.ts';
import { renderDetails } from '../details.ts';
import { renderGrid } from '../grid.ts';
import { paintFor } from '../paint.ts';
import { repeatCommand } from '../repeat.ts';
import { renderSummary } from '../summary.ts';
import { cell, NOTHING, PLAIN, results, sampleKernel, stream, WARNED, withEnvironment } from './samples.ts';
import './history-tests.ts';
import './lifecycle-tests.ts';
import './loaders-tests.ts';
import './summary-tests.ts';

t.test(
  'the grid has a row for each program and variant, a column for each kernel, and a legend of what occurs',
  (t) => {
    const text = renderGrid(
      results([
        cell('5.10', 'second-one', 'xfail'),
        cell('5.10', 'first', 'pass'),
        cell('6.12-generic', 'second-one', 'xpass'),
        cell('6.12-generic', 'first', 'pass'),
        cell('6.12-generic', 'first', 'fail', { variant: 'strict' }),
      ]),
      PLAIN,
    );
    // Written by hand: names to the left, each column as wide as its widest entry, what was not run as a dot.
    const expected = [
      'program       5.10     6.12-generic',
      '───────────────────────────────────',
      'second-one    ○ xfail  ✖ XPASS',
      'first         ✔ pass   ✔ pass',
      'first@strict  ·        ✖ FAIL',
      '',
      '✔ pass       2  works, and every value it read is right',
      '○ xfail      1  is refused, exactly as expected',
      '✖ FAIL       1  fails, and should not, or not like this',
      '✖ XPASS      1  works, and should not',
      '',
    ];
    t.same(text.split('\n'), expected);
    t.end();
  },
);

t.test('every verdict has a symbol and a word; red ones are told by capitals, without colour', (t) => {
  const verdicts: Verdict[] = ['pass', 'xfail', 'fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky'];
  const text = renderGrid(results(verdicts.map((verdict) => cell('5.10', verdict, verdict))), PLAIN);
  for (const word of ['✔ pass', '○ xfail', '✖ FAIL', '✖ XPASS', '✖ PANIC', '✖ TIMEOUT', '! INFRA', '~ FLAKY'])
    t.match(text, word);
  t.notMatch(text, '\u001b');
  t.end();
});

t.test('a grid of nothing is still a grid', (t) => {
  t.match(renderGrid(results([]), PLAIN), /^program {2}5\.10 {2}6\.12-generic\n/);
  t.equal(renderDetails(results([]), PLAIN), '');
  t.end();
});

t.test('details say why, what was expected and where the evidence lies, the red ones last', (t) => {
  const evidence = { ...NOTHING, console: '5.10/console-1.log' };
  const text = renderDetails(
    results([
      cell('5.10', 'red', 'fail', {
        outcome: {
          phase: 'load',
          class: 'verifier-rejected',
          errno: 'EACCES',
          message: 'refused',
        },
        why: 'refused\nR0 cannot write into rdonly_mem',
        evidence: { ...evidence, verifierLog: '5.10/red/verifier.log', values: '5.10/red/values.json' },
      }),
      cell('5.10', 'fine', 'pass'),
      cell('5.10', 'expected', 'xfail', { evidence: { ...evidence, values: '5.10/expected/values.json' } }),
      cell('5.10', 'crash', 'panic'),
      cell('5.10', 'never', 'infra', { evidence: { ...evidence, console: null } }),
      cell('5.10', 'elsewhere', 'fail', { evidence: { ...evidence, console: '6.12/console-10.log' } }),
    ]),
    PLAIN,
  );
  t.same(text.split('\n'), [
    '○ xfail expected on 5.10',
    '    verifier-rejected in phase load: the verifier refused it',
    '    as expected: it works everywhere',
    '    evidence: 5.10/expected',
    '✖ FAIL red on 5.10',
    '    verifier-rejected in phase load (EACCES): refused',
    '    R0 cannot write into rdonly_mem',
    '    evidence: 5.10/red/verifier.log',
    '✖ PANIC crash on 5.10',
    '    verifier-rejected in phase load: the verifier refused it',
    '    evidence: 5.10/console-1.log',
    '! INFRA never on 5.10',
    '    verifier-rejected in phase load: the verifier refused it',
    '    evidence: none: it was never run',
    '✖ FAIL elsewhere on 5.10',
    '    verifier-rejected in phase load: the verifier refused it',
    '    evidence: 6.12/console-10.log',
    '',
  ]);
  t.end();
});

t.test('kernels that gave the same answer are put together; addresses and counts do not make it another', (t) => {
  const text = renderDetails(
    results([
      cell('5.10', 'a', 'fail', { why: 'a is 0xffffffff81000000 and 98210 symbols' }),
      cell('6.12-generic', 'a', 'fail', { why: 'a is 0xffffffff82abcdef and 101 symbols' }),
      cell('6.12-generic', 'b', 'fail', { why: 'something else' }),
    ]),
    PLAIN,
  );
  t.equal(text.match(/✖ FAIL/g)?.length, 2);
  t.match(text, '✖ FAIL a on 5.10, 6.12-generic\n');
  t.match(text, 'evidence: 5.10/console-1.log 6.12-generic/console-1.log\n');
  t.end();
});

t.test('a red cell is shown with what the kernel said and with what stayed, and its own console is named', (t) => {
  const evidence = { ...NOTHING, console: '5.10/console-1.log', cellConsole: '5.10/x/console.log' };
  const more = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ ...WARNED, rule: 'rcu-stall', text: `rcu: stall ${index}` }));
  const outcome = { phase: 'run', class: 'kernel-splat', message: 'complained', resolutions: [] } as const;
  const text = renderDetails(
    results([
      cell('5.10', 'warned', 'fail', {
        outcome,
        why: `the kernel complained while this ran (warn): ${WARNED.text}; without that: 1 value is right`,
        splats: [WARNED, ...more(5), { ...WARNED, text: 'harmless', allowed: 'slow host' }],
        leftovers: ['the kernel is tainted: 512 was 0'],
        evidence: { ...evidence, verifierLog: '5.10/x/verifier.log' },
      }),
      cell('5.10', 'crash', 'panic', { evidence: { ...evidence, resolution: '5.10/x/resolution.json' } }),
      cell('5.10', 'wrong', 'fail', { evidence: { ...evidence, values: '5.10/x/values.json' } }),
      cell('5.10', 'early', 'timeout', { evidence: { ...evidence, cellConsole: null } }),
      cell('5.10', 'quiet', 'xfail', { splats: [{ ...WARNED, allowed: 'slow host' }], leftovers: ['link 3'] }),
    ]),
    PLAIN,
  );
  const told = 'verifier-rejected in phase load: the verifier refused it';
  t.same(text.split('\n').slice(4), [
    '✖ FAIL warned on 5.10',
    `    kernel-splat in phase run: the kernel complained while this ran (warn): ${WARNED.text}; without that: 1 value is right`,
    '    on the console (rcu-stall): rcu: stall 0',
    '    on the console (rcu-stall): rcu: stall 1',
    '    on the console (rcu-stall): rcu: stall 2',
    '    on the console: 2 more',
    '    left behind: the kernel is tainted: 512 was 0',
    '    evidence: 5.10/x/verifier.log 5.10/x/console.log',
    '✖ PANIC crash on 5.10',
    `    ${told}`,
    '    evidence: 5.10/x/console.log',
    '✖ FAIL wrong on 5.10',
    `    ${told}`,
    '    evidence: 5.10/x',
    '✖ TIMEOUT early on 5.10',
    `    ${told}`,
    '    evidence: 5.10/console-1.log',
    '',
  ]);
  t.notMatch(text, /harmless|link 3/, 'what is allowed, or left by a cell that is as expected, is told in the summary');
  t.end();
});

t.test('a flaky cell shows each of its runs; a cell that is red each time says so', (t) => {
  const evidence = { console: null, cellConsole: null, resolution: null, verifierLog: null, values: null };
  const [wrong, fine] = [
    {
      verdict: 'fail',
      class: 'wrong-value',
      why: 'x is 0x7\nmore',
      durationMs: 5,
      console: '5.10/console-1.log',
      evidence,
    },
    { verdict: 'pass', class: 'ok', why: 'as it should be', durationMs: 5, console: null, evidence },
  ] as const;
  const cells = (['5.10', '6.12-generic'] as const).map((kernel) =>
    cell(kernel, 'a', 'flaky', { why: 'run 2 times', attempts: [wrong, { ...wrong, why: 'x is 0x8' }, fine] }),
  );
  const text = renderDetails(results(cells), PLAIN);
  t.same(text.split('\n'), [
    '~ FLAKY a on 5.10, 6.12-generic',
    '    run 1 of 3: ✖ FAIL, wrong-value: x is 0x7 (5.10/console-1.log)',
    '    run 2 of 3: ✖ FAIL, wrong-value: x is 0x8 (5.10/console-1.log)',
    '    run 3 of 3: ✔ pass, ok: as it should be',
    '    evidence: 5.10/console-1.log 6.12-generic/console-1.log',
    '',
  ]);
  const always = cell('5.10', 'a', 'fail', { why: 'x is 0x7 (2 times out of 2)', attempts: [wrong, wrong] });
  t.match(renderDetails(results([always]), PLAIN), 'x is 0x7 (2 times out of 2)\n    evidence');
  t.end();
});

t.test(
  'programs that were expected to fail, and did for the same reason, share a paragraph; red ones never do',
  (t) => {
    const text = renderDetails(
      results([
        cell('5.10', 'a', 'xfail'),
        cell('5.10', 'b', 'xfail', { why: 'in other words', variant: 'strict' }),
        cell('5.10', 'c', 'xfail', { expected: { outcome: 'works', reason: 'another reason', source: 'x' } }),
        cell('6.12-generic', 'd', 'xfail'),
        cell('5.10', 'e', 'fail'),
        cell('5.10', 'f', 'fail'),
      ]),
      PLAIN,
    );
    const titles = text.split('\n').filter((line) => /^\S/.test(line));
    t.same(titles, [
      '○ xfail a, b@strict on 5.10',
      '○ xfail c on 5.10',
      '○ xfail d on 6.12-generic',
      '✖ FAIL e on 5.10',
      '✖ FAIL f on 5.10',
    ]);
    t.end();
  },
);

t.test('colours are for terminals, and NO_COLOR, FORCE_COLOR and TERM=dumb are heeded', (t) => {
  const coloured = (isTTY: boolean, changes: Record<string, string>): boolean =>
    withEnvironment(changes, () => paintFor(stream(isTTY)).bad('x')) !== 'x';
  t.equal(coloured(true, {}), true);
  t.equal(coloured(false, {}), false);
  t.equal(coloured(true, { NO_COLOR: '1' }), false);
  // no-color.org: set and not empty.
  t.equal(coloured(true, { NO_COLOR: '' }), true);
  t.equal(coloured(true, { TERM: 'dumb' }), false);
  t.equal(coloured(false, { FORCE_COLOR: '1' }), true);
  t.equal(coloured(true, { FORCE_COLOR: '0' }), false);
  t.equal(coloured(false, { CI: 'true' }), false);
  t.equal(coloured(true, { NO_COLOR: '1', FORCE_COLOR: '1' }), false);
  t.end();
});

t.test('colour adds escape codes and changes nothing that can be seen', (t) => {
  const sample = results([cell('5.10', 'a', 'pass'), cell('5.10', 'b', 'fail'), cell('5.10', 'c', 'xfail')]);
  const paint = withEnvironment({ FORCE_COLOR: '1' }, () => paintFor(stream(false)));
  for (const render of [renderGrid, renderDetails, renderSummary]) {
    const text = render(sample, paint);
    t.match(text, '\u001b[');
    // The blanks that fill a column's last cell may stand inside its colour.
    t.equal(text.replace(/\u001b\[\d+m/g, '').replace(/ +$/gm, ''), render(sample, PLAIN));
  }
  t.end();
});

t.test('the command that repeats a cell runs that cell alone, whatever the names', (t) => {
  const cells = [
    cell('6.12', 'one', 'fail'),
    cell('6.12', 'two', 'fail'),
    cell('6.12', 'two', 'fail', { variant: 'cap-bpf' }),
    cell("it's", 'one', 'fail'),
  ];
  const all = results(cells, { matrix: { path: 'ci/my matrix.yaml', title: null } });
  t.same(
    cells.map((one) => repeatCommand(one, all)),
    [
      "ksym-matrix run --matrix 'ci/my matrix.yaml' --kernel 6.12 --program one",
      "ksym-matrix run --matrix 'ci/my matrix.yaml' --kernel 6.12 --program two@default",
      "ksym-matrix run --matrix 'ci/my matrix.yaml' --kernel 6.12 --program two@cap-bpf",
      "ksym-matrix run --matrix 'ci/my matrix.yaml' --kernel 'it'\\''s' --program one",
    ],
  );
  const [first] = cells;
  const other = cell('6.12', 'one', 'fail', { loader: 'cilium/ebpf-0.22' });
  t.equal(
    repeatCommand(other, results([...(first === undefined ? [] : [first]), other])),
    'ksym-matrix run --kernel 6.12 --program one --loader cilium/ebpf-0.22',
  );
  t.end();
});

t.test('a terminal is not steered by what kernels say in a bisection', (t) => {
  const steering = '\u001b[2J\u202e';
  const seen = (kernel: string, answer: string) => {
    const one = cell(kernel, 'x', 'fail', { why: steering, verifierLog: `first\n${steering}last\n` });
    const facts = { release: `${kernel}${steering}` };
    const evidence = { kernel: sampleKernel(kernel, { release: steering, facts }), cell: one, directory: '/runs/1' };
    return { item: kernel, answer, evidence };
  };
  const [before, after] = [seen('5.10', 'works'), seen('6.1', 'refused')];
  const skipped = [{ item: '5.15', why: steering }];
  const text = renderFinding(
    {
      schemaVersion: 1,
      program: 'x',
      variant: 'default',
      loader: `other${steering}`,
      axis: 'Debian cloud',
      kernels: ['5.10', '5.15', '6.1'],
      leftOut: [],
      steps: [],
      finding: { kind: 'change', before, after, newest: after, between: ['5.15'], others: [], skipped },
    },
    PLAIN,
  );
  const step = { number: 1, kernel: '5.15', outcome: null, skipped: steering, milliseconds: 5 };
  const all = `${text}${renderStep(step, PLAIN)}`;
  t.notMatch(all, /[\0-\x08\x0b-\x1f\u202e]/);
  t.match(all, '  ␛[2J\\u202elast', 'and can be read');
  t.end();
});

t.test(
  'where there are several loaders, details say whose answer it is, and loaders that agree are told together',
  (t) => {
    const by = (loader: string, kernel: string, program: string, more: Partial<CellResult> = {}): CellResult =>
      cell(kernel, program, 'fail', { loader, ...more });
    const text = renderDetails(
      results([
        by('ours', '5.10', 'a'),
        by('ours', '6.12', 'a'),
        by('libbpf', '5.10', 'a'),
        by('libbpf', '6.12', 'a'),
        by('libbpf', '6.12', 'b', { why: 'libbpf alone' }),
      ]),
      PLAIN,
    );
    t.match(text, /^✖ FAIL a on 5\.10, 6\.12 with ours, libbpf$/m);
    t.match(text, /^✖ FAIL b on 6\.12 with libbpf$/m);
    t.equal(text.match(/✖/g)?.length, 2);
    t.end();
  },
);
