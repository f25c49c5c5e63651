import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pLimit from 'p-limit';
import t from 'tap';
import { ResultCollector } from '../collect.ts';
import { EvidenceFolder } from '../evidence.ts';
import { runStint } from '../run-stint.ts';
import { planGroups } from '../select.ts';
import { planStints } from '../stints.ts';
import { FakeMachine, SPEC } from './fake-machine.ts';
import { compiled, OURS_ALONE, sampleMatrix, sampleProgram, selected } from './samples.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const JOBS = 4;
/** What a cell prints here: 50 KB, so that a thousand of them are 50 MB; the results keep the last 200 of its 500 lines. */
const CHATTER = Array.from({ length: 500 }, (_, line) => `line ${line} ${'x'.repeat(90)}`).join('\r\n');

interface Reading {
  readonly cells: number;
  /** Bytes in use after a collection. */
  readonly heap: number;
  readonly descriptors: number;
}

/** Runs many chatty cells as the engine does: one in three is red and run again, one spoils its machine. Reads every hundred cells. */
async function runMany(directory: string, count: number): Promise<Reading[]> {
  const programs = Array.from({ length: count }, (_, index) => ({
    ...sampleProgram(`p${index}`),
    run: [{ program: 'main' }],
  }));
  const matrix = sampleMatrix(programs);
  const kernels = [selected('6.12')];
  const groups = planGroups(kernels, programs, matrix);
  const all = programs.map((program) => ({ ...compiled(program), spec: SPEC }));
  const evidence = await EvidenceFolder.create(directory, 'run');
  const collector = new ResultCollector({
    matrix,
    kernels,
    compiled: all,
    evidence,
    listener: () => undefined,
    groups,
    root: '/',
  });
  const readings: Reading[] = [];
  let done = 0;
  const read = (): void => {
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    readings.push({ cells: done, heap: heapUsed + arrayBuffers, descriptors: readdirSync('/proc/self/fd').length });
  };
  const host = {
    isolation: 'kernel' as const,
    retries: 1,
    signal: new AbortController().signal,
    compiled: new Map(all.map((one) => [one.program.name, one])),
    open: async () => {
      const machine = new FakeMachine(
        (cell, own) => {
          own.print(CHATTER);
          const number = Number(cell.slice(1));
          own.change({ testRun: number % 3 === 0 ? 'EINVAL' : undefined, tainted: number % 3 === 1 ? '512' : '0' });
        },
        await collector.consolePath('6.12'),
      );
      return machine.opened();
    },
    loaders: OURS_ALONE,
    isRed: collector.isRed.bind(collector),
    onCell: async (...cell: Parameters<ResultCollector['addCell']>) => {
      await collector.addCell(...cell);
      if (++done % 100 === 0) read();
    },
    onRed: async () => false,
    onMachineEnd: async () => undefined,
    onWarning: (text: string) => t.fail(text),
  };
  const limit = pLimit(JOBS);
  const stints = planStints(groups, 'kernel', JOBS, { cell: () => 30, firstMachine: () => 150 });
  await limit.map(stints, (stint) => runStint(stint, host));
  return readings;
}

t.test('a thousand cells take the memory and descriptors of a few', async (t) => {
  const before = readdirSync('/proc/self/fd').length;
  const readings = await runMany(t.testdir({}), 1000);
  t.equal(readings.length, 10);
  const [first] = readings;
  const last = readings.at(-1);
  if (first === undefined || last === undefined) throw new TypeError('nothing was read');
  const each = (last.heap - first.heap) / (last.cells - first.cells);
  t.comment(`${Math.round(each)} bytes for each further cell; ${last.descriptors - before} descriptors at the end`);
  // What stays of a cell is its result: of the 50 KB that it printed no more than the last lines, which are 20 KB.
  t.ok(each < (CHATTER.length * 2) / 3, `${Math.round(each)} bytes stay of each cell`);
  // Each machine has one descriptor here, its console's log, and a retried cell has a second machine meanwhile.
  for (const { cells, descriptors } of readings) {
    t.ok(descriptors - before <= 4 * JOBS, `${descriptors - before} descriptors after ${cells} cells`);
  }
});
