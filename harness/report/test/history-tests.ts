import t from 'tap';
import { deriveRanges } from '../../results/ranges.ts';
import type { RunResults } from '../../results/results.ts';
import type { Verdict } from '../../results/verdicts.ts';
import { renderGrid } from '../grid.ts';
import { renderRanges } from '../ranges.ts';
import { cell, PLAIN, results, sampleKernel } from './samples.ts';

const ELEVEN = ['7.3', '5.10', '6.1', '6.12', '6.16', '6.17', '6.18', '6.19', '7.0', '7.1', '7.2'];

/** Results with a program that works from 6.1 on, and one that works everywhere, on Debian's kernels. */
function history(names: readonly string[]): RunResults {
  const works = (kernel: string): Verdict => (kernel === '5.10' ? 'xfail' : 'pass');
  const cells = names.flatMap((kernel) => [
    cell(kernel, 'typed', works(kernel)),
    cell(kernel, 'a-longer-name', 'pass'),
  ]);
  return results(cells, { kernels: names.map((name) => sampleKernel(name)) });
}

const linesOf = (text: string): string[] => text.split('\n');
const widest = (text: string): number => Math.max(...linesOf(text.split('\n\n')[0] ?? '').map((line) => line.length));

t.test('the grid goes from the oldest kernel to the newest, in words as long as they fit', (t) => {
  const words = renderGrid(history(ELEVEN), PLAIN, 102);
  t.match(words, /^program {8}5\.10 +6\.1 +6\.12 +6\.16 +6\.17 +6\.18 +6\.19 +7\.0 +7\.1 +7\.2 +7\.3\n/);
  t.match(words, /\ntyped {10}○ xfail {2}✔ pass {2}✔ pass/);
  t.equal(words, renderGrid(history(ELEVEN), PLAIN), 'what is no terminal gets words');
  t.equal(widest(words), 102);
  t.notMatch(renderGrid(history(ELEVEN), PLAIN, 101), '✔ pass  ✔', 'one column less');
  t.end();
});

t.test('where words do not fit there are symbols, then names downwards, then several grids', (t) => {
  const symbols = renderGrid(history(ELEVEN), PLAIN, 80);
  t.match(symbols, /^program {8}5\.10 {2}6\.1 {2}6\.12 {2}6\.16/);
  t.match(symbols, /\ntyped {10}○ {5}✔ {4}✔ {5}✔/);
  t.match(symbols, '✔ pass      21  works', 'the legend says what they mean');
  t.match(renderGrid(history(ELEVEN), PLAIN, 68), /^program {7}5\.10 6\.1 6\.12 6\.16/);

  const downwards = renderGrid(history(ELEVEN), PLAIN, 40);
  t.same(linesOf(downwards).slice(0, 6), [
    '              5 6 6 6 6 6 6 7 7 7 7',
    '              . . . . . . . . . . .',
    '              1 1 1 1 1 1 1 0 1 2 3',
    'program       0   2 6 7 8 9',
    '───────────────────────────────────',
    'typed         ○ ✔ ✔ ✔ ✔ ✔ ✔ ✔ ✔ ✔ ✔',
  ]);
  t.match(renderGrid(history(ELEVEN), PLAIN, 30), /\ntyped {9}○✔✔✔✔✔✔✔✔✔✔\n/);

  const forty = Array.from({ length: 40 }, (_, index) => `6.${index + 1}`);
  const blocks = renderGrid(history(forty), PLAIN, 40);
  const heads = linesOf(blocks).filter((line) => line.startsWith('program'));
  t.equal(heads.length, 4);
  t.ok(linesOf(blocks.split('\n✔')[0] ?? '').every((line) => line.length <= 40));
  t.same(
    blocks.match(/^typed .*$/gm)?.map((row) => row.match(/✔/g)?.length),
    [10, 10, 10, 10],
  );
  t.end();
});

t.test('red cells can be told from each other by one character, and none is without its legend', (t) => {
  const verdicts: Verdict[] = ['pass', 'xfail', 'fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky'];
  const kernels = verdicts.map((_, index) => sampleKernel(`6.${index}`));
  const cells = verdicts.map((verdict, index) => cell(`6.${index}`, 'all', verdict));
  const text = renderGrid(results(cells, { kernels }), PLAIN, 30);
  t.match(text, /\nall {5}✔ ○ ✖ X P T ! ~\n/);
  for (const line of ['✖ FAIL', 'X XPASS', 'P PANIC', 'T TIMEOUT', '! INFRA', '~ FLAKY']) t.match(text, `\n${line}`);
  t.end();
});

t.test('ranges are a line each, programs that have the same together, wrapped at the terminal', (t) => {
  const { ranges } = history(ELEVEN);
  t.same(linesOf(renderRanges(ranges, PLAIN)), [
    'since and until (Debian cloud, oldest to newest; ✓ works, ✗ does not)',
    '5.10 ✗ (verifier refuses), 6.1 … 7.3 ✓',
    '    typed',
    '5.10 … 7.3 ✓',
    '    a-longer-name',
    '',
  ]);
  const many = ['one', 'two', 'three', 'four'].flatMap((name) => ['5.10', '6.1'].map((on) => cell(on, name, 'pass')));
  const text = renderRanges(
    deriveRanges(
      [sampleKernel('5.10'), sampleKernel('6.1')],
      many.concat(cell('6.1', 'one', 'pass', { variant: 'v' })),
    ),
    PLAIN,
    20,
  );
  t.match(text, '5.10 … 6.1 ✓\n    one, two, three,\n    four\n5.10 unknown (not run), 6.1 ✓\n    one@v\n');
  t.end();
});

t.test('several axes are named, kernels by themselves follow, and those that were not run are only gaps', (t) => {
  const kernels = [
    sampleKernel('5.10'),
    sampleKernel('6.1'),
    sampleKernel('6.12'),
    sampleKernel('5.10-rt'),
    sampleKernel('6.1-rt'),
    sampleKernel('vars', { kind: 'build', flavour: null }),
    sampleKernel('other', { kind: 'build', flavour: null }),
  ];
  const on = (...names: string[]) => names.map((name) => cell(name, 'p', 'pass'));
  const say = (...names: string[]) => linesOf(renderRanges(deriveRanges(kernels, on(...names)), PLAIN))[1];
  t.equal(
    say('5.10', '6.12', '5.10-rt', '6.1-rt', 'vars'),
    'Debian cloud: 5.10 ✓, 6.1 unknown (not run), 6.12 ✓; Debian rt: 5.10-rt … 6.1-rt ✓; vars ✓',
  );
  t.equal(say('6.1', '6.12', '5.10-rt'), '5.10 unknown (not run), 6.1 … 6.12 ✓; 5.10-rt ✓');
  t.equal(renderRanges(deriveRanges(kernels, on('6.1', 'vars')), PLAIN), '', 'one kernel has no history');
  t.equal(renderRanges(deriveRanges([], []), PLAIN), '');
  t.end();
});
