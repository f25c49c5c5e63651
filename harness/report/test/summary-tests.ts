import t from 'tap';
import type { CellResult, RunResults } from '../../results/results.ts';
import { renderSummary } from '../summary.ts';
import { cell, PLAIN, results, WARNED } from './samples.ts';

t.test('the summary says how long it took, with what, and where the evidence lies', (t) => {
  const text = renderSummary(results([cell('5.10', 'a', 'pass')]), PLAIN);
  t.match(text, '1 cell on 5.10 (5.10.1-amd64), 6.12-generic (6.12-generic.1-amd64)\n');
  t.match(text, 'emulated (TCG), and so slower: there is no /dev/kvm\n');
  t.match(text, 'time: compile 1.2 s, cells 10.0 s; 12.3 s in total\n');
  t.match(text, 'evidence: /runs/1\n');
  t.notMatch(text, 'INTERRUPTED');
  t.match(renderSummary(results([], { complete: false }), PLAIN), 'INTERRUPTED: cells are missing\n');
  t.end();
});

t.test('the summary says where the machines came from, and what became of them', (t) => {
  const plain = { parameters: [], cpus: null, modules: [] } as const;
  const boot = { ...plain, bootMs: 4100, console: '/x', when: 'earlier', restored: 0, restoreMs: null } as const;
  const say = (boots: RunResults['kernels'][number]['boots'], cells: CellResult[] = [], engine = {}): string => {
    const whole = results(cells);
    const kernels = whole.kernels.map((kernel, index) => ({ ...kernel, boots: index === 0 ? boots : [] }));
    return renderSummary({ ...whole, kernels, engine: { ...whole.engine, ...engine } }, PLAIN);
  };
  const warm = say([
    { ...boot, restored: 20, restoreMs: 120 },
    { ...boot, restored: 1, restoreMs: 900 },
  ]);
  t.match(
    warm,
    'isolation: cells of a kernel share a machine; 2 machines at a time (one for each of 2 cores)\n' +
      'machines: 21 restored from saved ones in 0.12 s (median)\n',
  );
  t.notMatch(warm, /booted|note:|retries/, 'nothing is said of what there is none of');
  const cold = [
    { ...boot, when: 'this-run', restored: 3, restoreMs: 100 },
    { ...boot, when: 'this-run', bootMs: null },
  ] as const;
  t.match(
    say(cold),
    'machines: 3 restored from saved ones in 0.10 s (median), 1 booted in 4.1 s (median), 1 boot failed\n',
  );
  const without = say([{ ...boot, when: 'this-run' }], [], { templates: false, jobs: 1, jobsReason: '--jobs' });
  t.match(without, '; 1 machine at a time (--jobs)\nmachines: 1 booted in 4.1 s (median) (--no-templates)\n');
  t.match(say([]), 'machines: none was started\n');

  const left = (kernel: string, program: string): CellResult =>
    cell(kernel, program, 'pass', { variant: 'strict', leftovers: ['program 7 is still there', 'link 3'] });
  t.match(
    say([], [left('5.10', 'a')]),
    'note: 1 machine was replaced because of what a cell had left: a@strict on 5.10 (program 7 is still there; link 3)\n',
  );
  const many = say(
    [],
    ['a', 'b', 'c', 'd', 'e'].map((program) => left('5.10', program)),
  );
  t.match(many, /note: 5 machines were replaced.*c@strict on 5\.10 \(.*\), and 2 more\n/);
  const allowed = { ...WARNED, rule: 'slow-nmi', allowed: 'slow host' };
  const noisy = cell('5.10', 'a', 'pass', { splats: [allowed, allowed, WARNED] });
  t.match(say([], [noisy]), 'note: 2 reports on consoles, allowed by a rule: slow-nmi in a on 5.10\n');
  const again = cell('5.10', 'a', 'fail', { attempts: [] });
  t.match(say([], [again, noisy], { retries: 2 }), 'retries: 1 red cell was run again, up to 2 times\n');
  t.end();
});
