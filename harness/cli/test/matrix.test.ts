import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { missingFacts, strangers } from '../../run/test/fact-names.ts';
import { processesWith } from '../../vm/test/host.ts';
import './bisect-tests.ts';
import { createPlace } from './command.ts';

/**
 * The default matrix, whole, with the real binary on real kernels.
 *
 * The programs' own files say what is expected of them, and a mistake there could make a wrong result look right. So what was
 * measured apart from this project, with libbpf 1.1 (bpftool 7.1) and programs written for that on Debian's 5.10.262, 6.1.192, 6.12.107, 6.16.12
 * and 7.3.4, stands here a second time, in other words, and is compared with the results themselves.
 */
const MEASURED: readonly Row[] = [
  row('typeless-strong', 'ok', 'ok', 'ok', 'ok'),
  row('typeless-weak-missing', 'ok', 'ok', 'ok', 'ok'),
  row('typeless-strong-missing', ...same('ksym-not-in-kallsyms')),
  row('typeless-ambiguous', ...same('ksym-ambiguous')),
  row('typeless-ambiguous-weak', ...same('ksym-ambiguous')),
  row('typeless-btf-bounds', ...same('ok')),
  row('typed-int-percpu', 'btf-has-no-vars', 'ok', 'ok', 'ok'),
  row('typed-struct-percpu', 'btf-has-no-vars', 'ok', 'ok', 'ok'),
  row('typed-weak-missing', ...same('ok')),
  row('typed-jiffies', 'btf-has-no-vars', 'ksym-not-in-btf', 'ksym-not-in-btf', 'ksym-not-in-btf'),
  row('typed-int-width', 'btf-has-no-vars', 'ok', 'ok', 'ok'),
  row('typed-incompatible', 'btf-has-no-vars', ...mismatch()),
  row('typed-incompatible-weak', 'ok', ...mismatch()),
  row('typed-write-refused', 'btf-has-no-vars', ...refused('cannot write into rdonly_mem')),
  row('typed-direct-dereference', 'btf-has-no-vars', ...refused('access percpu memory')),
  row('typed-null-check-missing', 'btf-has-no-vars', ...refused("R0 invalid mem access 'rdonly_mem_or_null'")),
  row(
    'typed-offset-refused',
    'btf-has-no-vars',
    ...refused('dereference of modified percpu_ptr_ ptr R1 off=8 disallowed'),
  ),
  row(
    'typed-weak-unguarded',
    'R1 type=inv expected=percpu_ptr_',
    'R1 type=scalar expected=percpu_ptr_',
    'R1 type=scalar expected=percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_',
    'R1 type=scalar expected=percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_',
  ),
  // Where this loader departs from libbpf on purpose: libbpf loads the first with NULL and refuses the second.
  row('typeless-strong@kptr-restrict-2', ...same('kallsyms-hidden')),
  row('typeless-strong-typed-weak', ...same('ok')),
  row('typed-struct-percpu@kptr-restrict-2', 'btf-has-no-vars', 'ok', 'ok', 'ok'),
];

/** Which of a weak pair is there: on 5.10 neither, because its BTF lists no variable. */
const PAIR = [
  { current_task: 'null', pcpu_hot: 'null' },
  { current_task: 'btf-id', pcpu_hot: 'null' },
  { current_task: 'null', pcpu_hot: 'btf-id' },
  { current_task: 'btf-id', pcpu_hot: 'null' },
] as const;

/** One program (and variant), and its answer on 5.10, 6.1, 6.12 and the lines after it: `ok`, a class of failure, or text of the verifier's log. */
interface Row {
  readonly name: string;
  readonly answers: readonly string[];
}

function row(name: string, ...answers: readonly string[]): Row {
  return { name, answers };
}

function same(answer: string): string[] {
  return [answer, answer, answer, answer];
}

function mismatch(): string[] {
  return ['ksym-type-mismatch', 'ksym-type-mismatch', 'ksym-type-mismatch'];
}

function refused(log: string): string[] {
  return [log, log, log];
}

t.test('every cell of the default matrix is as expected, and as measured elsewhere', async (t) => {
  const place = createPlace();
  t.teardown(() => place.end());
  const file = join(place.folder, 'results.json');
  const { code, stdout, stderr } = await place.run(['run', '-m', join(PACKAGE_ROOT, 'matrix.yaml'), '--json', file]);
  t.equal(code, 0, 'everything is as expected', { stdout, stderr });
  t.notMatch(stderr, /warning:/, 'clang has nothing to say about the programs');
  const results = JSON.parse(readFileSync(file, 'utf8')) as RunResults;
  t.equal(results.complete, true);
  const kernels = results.kernels.map((kernel) => kernel.name);
  const listed = await place.run(['kernels', 'list', '-m', join(PACKAGE_ROOT, 'matrix.yaml'), '--json']);
  t.same(kernels, linesOf(listed.stdout), 'every line that Debian serves, oldest first');
  t.same(results.totals, { ...results.totals, fail: 0, xpass: 0, panic: 0, timeout: 0, infra: 0 });

  const cellOf = (name: string, kernel: string): CellResult | undefined => {
    const [program, variant = 'default'] = name.split('@');
    return results.cells.find((cell) => cell.kernel === kernel && cell.program === program && cell.variant === variant);
  };
  for (const { name, answers } of MEASURED) {
    for (const kernel of kernels) {
      const answer = answers[columnOf(kernel)];
      t.equal(answerOf(cellOf(name, kernel), answer), answer, `${name} on ${kernel}`);
    }
  }
  for (const kernel of kernels) {
    const pair = cellOf('typed-current-task-pair', kernel)?.externs ?? [];
    const found = Object.fromEntries(pair.map((one) => [one.name, one.result]));
    t.same(found, PAIR[columnOf(kernel)], `the pair on ${kernel}`);
  }
  t.equal(results.kernels[0]?.facts['btf.vars'], 0, "Debian's 5.10 has no variable in its BTF");
  for (const kernel of results.kernels)
    t.same(strangers(kernel.facts), [], `${kernel.name} has no fact that is not in the registry`);
  t.same(missingFacts(results.kernels.at(-1)?.facts ?? {}), [], 'and the newest has them all');
  for (const kernel of results.kernels.slice(1))
    t.ok(Number(kernel.facts['btf.vars']) > 300, `${kernel.name} has hundreds`);
  t.same(processesWith(place.folder), [], 'no machine is left');

  const typed = results.ranges.programs.find(({ program }) => program === 'typed-int-percpu')?.ranges;
  t.match(typed, [
    { since: '5.10', until: '5.10', outcome: 'fails', cause: 'no VARs' },
    { since: '6.1', until: kernels.at(-1), outcome: 'works' },
  ]);
  const [text, json] = await Promise.all([place.run(['ranges', file]), place.run(['ranges', '--json'])]);
  t.match(text.stdout, `\n5.10 ✗ (no VARs), 6.1 … ${kernels.at(-1)} ✓\n    typed-int-percpu,`);
  t.ok(stdout.includes(text.stdout), 'ranges are printed below the grid, and again by a command of their own');
  t.same(JSON.parse(json.stdout), results.ranges, 'of the last run, if no other is named');
});

/** Lines that `kernels list --json` says are served, oldest first. */
function linesOf(json: string): string[] {
  const { kernels } = JSON.parse(json) as { kernels: { line: string; state: string; inMatrix: boolean }[] };
  return kernels
    .filter(({ state, inMatrix }) => state === 'served' && inMatrix)
    .map(({ line }) => line)
    .reverse();
}

/** Lines after 6.12 answered alike in every measurement. */
function columnOf(kernel: string): number {
  const index = ['5.10', '6.1', '6.12'].indexOf(kernel);
  return index === -1 ? 3 : index;
}

/** The class, or, where text of the log was measured, that text if it is in the log. */
function answerOf(cell: CellResult | undefined, measured: string | undefined): string {
  if (cell === undefined) return 'not run';
  const log = cell.verifierLog;
  if (cell.outcome.class !== 'verifier-rejected' || log === null) return cell.outcome.class;
  return measured !== undefined && log.includes(measured) ? measured : log;
}
