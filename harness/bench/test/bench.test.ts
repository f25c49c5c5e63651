import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadMatrix } from '../../config/load.ts';
import { ConfigError } from '../../config/yaml-file.ts';
import { parseResults } from '../../results/read.ts';
import { launchChromium } from '../chromium.ts';
import { type Finding, quantity, ratioOf, reached, renderFindings } from '../figures.ts';
import { generateResults } from '../generated-results.ts';
import { memoryOf, ProcessSampler, residentSize } from '../process-sampler.ts';
import { BENCHES, runBenches } from '../run-benches.ts';
import { median, spreadOf, takeTurns } from '../statistics.ts';
import { writeSyntheticMatrix } from '../synthetic-matrix.ts';
import './loader-tests.ts';

t.test('The median is the middle one, or the mean of the middle two, in whatever order they come', async (t) => {
  t.equal(median([9, 1, 5]), 5);
  t.equal(median([4, 1, 100, 2]), 3);
  t.equal(median([7]), 7);
  t.ok(Number.isNaN(median([])));
  t.strictSame(spreadOf([3, 1, 2, 10]), { median: 2.5, lowest: 1, highest: 10, count: 4 });
});

t.test('Competitors take turns, and each keeps its own values in order', async (t) => {
  const order: string[] = [];
  const competitor = (name: string) => async () => {
    order.push(name);
    return { [name]: order.length };
  };
  const values = await takeTurns([competitor('A'), competitor('B')], 3);
  t.strictSame(order, ['A', 'B', 'A', 'B', 'A', 'B']);
  t.strictSame(
    [...values],
    [
      ['A', [1, 3, 5]],
      ['B', [2, 4, 6]],
    ],
  );
});

const FINDING: Finding = {
  name: 'sample',
  title: 'A sample',
  figures: [
    { what: 'bare', unit: 'ms', values: [2000, 1000, 3000] },
    {
      what: 'ours',
      unit: 'ms',
      values: [2300, 2500],
      against: 'bare',
      aim: { of: 'ratio', limit: 1.2, good: 'at-most' },
    },
    { what: 'quick', unit: 'ms', values: [5], against: 'bare', aim: { of: 'ratio', limit: 1 / 200, good: 'at-most' } },
    { what: 'memory', unit: 'bytes', values: [25_000_000], aim: { of: 'value', limit: 30_000_000, good: 'at-most' } },
    { what: 'machines', unit: 'count', values: [2], aim: { of: 'value', limit: 3, good: 'at-least' } },
    { what: 'lost', unit: 'ms', values: [], against: 'bare' },
  ],
  notes: ['a note'],
};

t.test('A table shows medians, extremes, ratios, and whether each aim was reached', async (t) => {
  const lines = renderFindings([FINDING]).split('\n');
  t.match(lines[2], /^bare +2 s +1 s … 3 s +3$/);
  t.match(lines[3], /^ours +2\.40 s +2\.30 s … 2\.50 s +2 +1\.20× +≤ 1\.20× ✔$/);
  t.match(lines[4], /^quick +5 ms +1 +1\/400 +≤ 1\/200 ✔$/);
  t.match(lines[5], /^memory +25 MB +1 +≤ 30 MB ✔$/);
  t.match(lines[6], /^machines +2 +1 +≥ 3 ✖$/);
  t.match(lines[7], /^lost +none +0$/);
  t.equal(lines[8], '  a note');
});

t.test('An aim that cannot be judged is neither reached nor missed', async (t) => {
  const [, ours] = FINDING.figures;
  if (ours === undefined) throw new TypeError('the sample has lost a figure');
  t.equal(reached(ours, FINDING), true);
  t.equal(reached({ ...ours, values: [2500] }, FINDING), false);
  t.equal(reached({ ...ours, values: [] }, FINDING), undefined);
  t.equal(reached({ ...ours, against: 'nobody' }, FINDING), undefined);
  t.equal(reached({ ...ours, against: 'lost' }, FINDING), undefined);
  t.ok(Number.isNaN(ratioOf({ ...ours, against: 'lost' }, FINDING)));
});

t.test('Quantities are shown with three digits', async (t) => {
  t.equal(quantity(0.1234, 'ms'), '0.12 ms');
  t.equal(quantity(93.24, 'ms'), '93.2 ms');
  t.equal(quantity(999.4, 'ms'), '999 ms');
  t.equal(quantity(61_234, 'ms'), '61.2 s');
  t.equal(quantity(123_456_789, 'bytes'), '123 MB');
  t.equal(quantity(1234, 'count'), '1234');
});

t.test('A synthetic matrix has as many programs as asked for, and the configuration takes it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ksym-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const matrix = await loadMatrix(await writeSyntheticMatrix(join(folder, 'matrix'), '6.12', 12));
  t.equal(matrix.programs.length, 12);
  t.equal(matrix.kernels.length, 1);
  t.equal(new Set(matrix.programs.map(({ name }) => name)).size, 12);
  t.strictSame(
    [...new Set(matrix.programs.flatMap(({ variants }) => variants))],
    ['default'],
    'one cell for each program',
  );
  const sources = matrix.programs.map(({ source }) => readFileSync(source, 'utf8'));
  t.equal(new Set(sources).size, 1, 'copies of one program');
});

t.test('A process and the QEMUs below it are seen with their memory and open files', async (t) => {
  // A shell in between: QEMU is no child of the process that is looked at.
  const script = `
    const { openSync } = require('node:fs');
    const { spawn } = require('node:child_process');
    globalThis.kept = [Buffer.alloc(80e6, 1), Array.from({ length: 40 }, () => openSync('/dev/null'))];
    const qemu = 'qemu-system-x86_64 -machine none -nodefaults -display none -S & echo ready; wait';
    spawn('sh', ['-c', qemu], { stdio: ['ignore', 'inherit', 'inherit'] });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const { pid } = child;
  if (pid === undefined) throw new TypeError('node cannot be started');
  t.teardown(() => process.kill(-pid, 'SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const sampler = new ProcessSampler(pid, 20);
  const deadline = performance.now() + 10_000;
  while ((sampler.peaks.largestMachine?.file ?? 0) < 5e6 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const peaks = sampler.stop();
  t.ok(peaks.resident > 80e6, `${peaks.resident} bytes`);
  t.ok(peaks.descriptors >= 40, `${peaks.descriptors} descriptors`);
  t.equal(peaks.machines, 1);
  t.ok(peaks.machinesMemory > 1e6, `${peaks.machinesMemory} bytes`);
  t.ok(
    residentSize(peaks.largestMachine) >= peaks.machinesMemory,
    'the resident set is never less than the proportional',
  );
});

t.test('A process that has ended holds nothing', async (t) => {
  const child = spawn('true', { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  t.equal(memoryOf(child.pid ?? -1), undefined);
  const peaks = new ProcessSampler(child.pid ?? -1, 20).stop();
  t.equal(peaks.resident, 0);
  t.equal(peaks.machines, 0);
});

t.test(
  'Benches have names of their own, and one that does not exist is refused before anything is measured',
  async (t) => {
    const names = BENCHES.map(({ name }) => name);
    t.equal(new Set(names).size, names.length);
    const options = { quick: true, allKernels: false, accelerator: 'tcg', json: undefined } as const;
    const said: string[] = [];
    const say = (text: string): void => void said.push(text);
    const { signal } = new AbortController();
    const refused = await runBenches({ ...options, only: ['boots'], signal, say }).then(
      () => undefined,
      (error: unknown) => error,
    );
    t.ok(refused instanceof ConfigError && refused.code === 'no-such-bench');
    t.match(refused, { fix: /\bboot\b/, where: '--only boots' });
    t.strictSame(said, []);
  },
);

t.test('Generated results follow the schema, are as many as asked for, and the same for the same seed', async (t) => {
  const size = { kernels: 12, programs: 10, loaders: 3 };
  const text = JSON.stringify(generateResults(size));
  const results = parseResults(text, 'generated');
  t.equal(JSON.stringify(results), text, 'nothing in them that the schema does not know');
  t.equal(results.cells.length, 360);
  const keys = results.cells.map(({ kernel, program, loader }) => [kernel, program, loader].join());
  t.equal(new Set(keys).size, 360, 'no cell is there twice');
  t.ok(results.totals.pass > 100 && results.totals.xfail > 10, JSON.stringify(results.totals));
  t.equal(JSON.stringify(generateResults(size)), text);
  t.not(JSON.stringify(generateResults({ ...size, seed: 2 })), text);
});

t.test('Where there is no Chromium, that and what to do about it is said', async (t) => {
  const before = process.env.KSYM_MATRIX_CHROMIUM;
  process.env.KSYM_MATRIX_CHROMIUM = '/nowhere/chromium';
  t.teardown(() => {
    if (before === undefined) delete process.env.KSYM_MATRIX_CHROMIUM;
    else process.env.KSYM_MATRIX_CHROMIUM = before;
  });
  await t.rejects(launchChromium(), { code: 'no-chromium', fix: /apt-get install chromium/ });
});
