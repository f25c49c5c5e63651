import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cell, results, sampleKernel } from '../../report/test/samples.ts';
import { addToHistory, firstBadRun, historySchema, readHistory, summariseRun } from '../history.ts';
import type { RunResults } from '../results.ts';
import { VERDICTS, type Verdict } from '../verdicts.ts';

/** A run on some day of January of one cell. */
function runOf(day: number, verdict: Verdict | null): RunResults {
  const date = `2026-01-${String(day).padStart(2, '0')}`;
  return results(verdict === null ? [] : [cell('5.10', 'p', verdict)], {
    id: `run-${date}`,
    startedAt: `${date}T12:00:00.000Z`,
  });
}

const ids = (runs: readonly { readonly id: string }[]): string[] => runs.map(({ id }) => id.slice(-2));

t.test('history keeps which verdict each cell had, in the order of the grid, and nothing of why', (t) => {
  const kernels = ['7.1', '5.10'].map((name) => sampleKernel(name));
  const cells = [
    ...VERDICTS.map((verdict, index) => cell('7.1', `p${index}`, verdict)),
    cell('5.10', 'p0', 'fail'),
    cell('5.10', 'p0', 'pass', { variant: 'strict' }),
    cell('5.10', 'p0', 'pass', { loader: 'libbpf' }),
    cell('9.9', 'p0', 'pass'),
  ];
  const run = summariseRun(results(cells, { kernels }));
  t.same(
    run.kernels.map(({ name }) => name),
    ['5.10', '7.1'],
  );
  t.same(
    run.rows.map(({ loader, program, variant, verdicts }) => `${loader} ${program} ${variant} ${verdicts}`),
    [
      'ksym-matrix p0 default Fp',
      'ksym-matrix p0 strict p.',
      ...['x', 'F', 'X', 'P', 'T', 'I', 'Y'].map((letter, index) => `ksym-matrix p${index + 1} default .${letter}`),
      'libbpf p0 default p.',
    ],
  );
  t.same(historySchema.parse(run), run);
  t.same(
    summariseRun(
      results([...cells].reverse(), {
        kernels: [...kernels].reverse(),
        programs: results(cells).programs,
        loaders: results(cells).loaders,
      }),
    ),
    run,
  );
  t.notMatch(JSON.stringify(run), 'the verifier refused it');
  const short = { ...run, rows: [{ loader: 'l', program: 'p', variant: 'v', verdicts: 'ppp' }] };
  t.notOk(historySchema.safeParse(short).success, 'a letter for each kernel');
  t.notOk(
    historySchema.safeParse({ ...short, rows: [{ loader: 'l', program: 'p', variant: 'v', verdicts: 'p<' }] }).success,
  );
  t.end();
});

t.test('a folder holds one file for each run, the newest are read first, the oldest go', async (t) => {
  const folder = join(t.testdir({}), 'a/b');
  await t.rejects(readHistory(folder), { code: 'no-history' });
  for (const day of [2, 1, 3]) {
    const { path, removed } = await addToHistory(folder, runOf(day, 'pass'));
    t.same([path, removed], [join(folder, `run-2026-01-0${day}.json`), []]);
  }
  t.same(ids(await readHistory(folder)), ['03', '02', '01']);
  t.same(ids(await readHistory(folder, { most: 2 })), ['03', '02']);
  const path = join(folder, 'run-2026-01-03.json');
  const before = readFileSync(path);
  t.equal(before.toString().split('\n').length, 2, 'one line');
  t.match(await addToHistory(folder, runOf(3, 'pass')), { removed: [] });
  t.same(readFileSync(path), before, 'the same run twice is the same file');

  writeFileSync(join(folder, 'README.md'), 'what this is');
  writeFileSync(join(folder, 'foreign.json'), '{"schemaVersion": 7}');
  writeFileSync(join(folder, 'broken.json'), '{');
  writeFileSync(join(folder, 'copy.json'), before);
  mkdirSync(join(folder, 'folder.json'));
  const warnings: string[] = [];
  t.same(ids(await readHistory(folder, { onWarning: (text) => warnings.push(text) })), ['03', '02', '01']);
  t.match(
    warnings.map((text) => text.slice(folder.length + 1)),
    [
      /^broken.json is left out: .*JSON/,
      /^copy.json is left out: it holds run run-2026-01-03, whose file has another name$/,
      /^folder.json is left out: EISDIR/,
      /^foreign.json is left out: it holds something else: `schemaVersion`/,
    ],
  );
  t.equal(warnings.length, 4);

  t.same((await addToHistory(folder, runOf(4, 'pass'), 2)).removed, ['run-2026-01-02', 'run-2026-01-01']);
  t.same((await addToHistory(folder, runOf(1, 'pass'), 2)).removed, ['run-2026-01-01'], 'one older than all that stay');
  t.same(ids(await readHistory(folder)), ['04', '03']);
  t.same(readdirSync(folder).sort(), [
    ...['README.md', 'broken.json', 'copy.json', 'folder.json', 'foreign.json'],
    ...['run-2026-01-03.json', 'run-2026-01-04.json'],
  ]);
});

t.test('no run gets out of the folder, and what cannot be written is said', async (t) => {
  const root = t.testdir({ file: '' });
  const folder = join(root, 'history');
  for (const id of ['../evil', 'a/b', '', 'x'.repeat(101)]) {
    await t.rejects(addToHistory(folder, { ...runOf(1, 'pass'), id }), { code: 'history-not-written' }, id);
  }
  await addToHistory(folder, { ...runOf(1, 'pass'), id: '..' });
  t.same(readdirSync(root).sort(), ['file', 'history']);
  t.same(readdirSync(folder), ['...json']);
  await t.rejects(addToHistory(join(root, 'file'), runOf(1, 'pass')), { code: 'history-not-written' });
});

t.test('a cell is bad since the oldest run of the unbroken red ones', (t) => {
  const row = { loader: 'ksym-matrix', program: 'p', variant: 'default' };
  const since = (...verdicts: readonly (Verdict | null)[]): string | undefined => {
    const runs = verdicts.map((verdict, index) => summariseRun(runOf(index + 1, verdict))).reverse();
    return firstBadRun(runs, row, '5.10')?.id.slice(-2);
  };
  t.equal(since('fail', 'pass', 'fail', 'panic', 'flaky'), '03');
  t.equal(since('pass', 'fail', null, 'infra', 'fail'), '02', 'not run, or nothing learnt, is no break');
  t.equal(since('fail', 'fail'), '01');
  t.equal(since('fail', 'xfail'), undefined);
  t.equal(since('fail', 'infra'), '01');
  t.equal(since(), undefined);
  t.equal(firstBadRun([summariseRun(runOf(1, 'fail'))], { ...row, variant: 'other' }, '5.10'), null);
  t.end();
});
