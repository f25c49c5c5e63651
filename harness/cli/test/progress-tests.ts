import { PassThrough } from 'node:stream';
import t from 'tap';
import type { CellResult } from '../../results/results.ts';
import type { RunEvent } from '../../run/events.ts';
import { createProgressView } from '../progress.ts';

t.test('in a log, cells are counted every half minute, and red ones are told at once', (t) => {
  const now = performance.now;
  t.teardown(() => {
    performance.now = now;
  });
  let time = 1000;
  performance.now = () => time;
  const stream = new PassThrough();
  const { show } = createProgressView(stream as unknown as NodeJS.WriteStream);
  const cell = (done: number, verdict: CellResult['verdict']): RunEvent => {
    const named = { kernel: '6.12', loader: 'libbpf-1.5', program: 'p', variant: 'default', verdict };
    return { kind: 'cell', cell: named as CellResult, done, total: 9 };
  };
  show({ kind: 'phase', phase: 'cells', detail: '9 on 1 kernel' });
  for (const [done, at] of [10, 29, 31, 60, 62].entries()) {
    time = 1000 + at * 1000;
    show(cell(done + 1, 'pass'));
  }
  show(cell(6, 'fail'));
  show(cell(9, 'pass'));
  const lines = String(stream.read()).trim().split('\n').slice(1);
  t.match(lines[0], /^cells: 3 of 9 after 31\.0 s$/);
  t.match(lines[1], /^cells: 5 of 9 after 62\.0 s$/);
  t.match(lines[2], /6\.12: .*FAIL p with libbpf-1\.5 \(6 of 9\)/);
  t.match(lines[3], /\(9 of 9\)/);
  t.equal(lines.length, 4);
  t.end();
});
