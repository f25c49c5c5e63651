import { cellName } from '../results/cell-name.ts';
import type { BootResult, CellResult, RunResults } from '../results/results.ts';

/** How the machines of a run were used, where they came from, and what a person should know of them; lines without an end. */
export function describeMachines(results: RunResults): string[] {
  const { engine } = results;
  const jobs = `${engine.jobs} ${engine.jobs === 1 ? 'machine' : 'machines'} at a time (${engine.jobsReason})`;
  return [
    `isolation: ${engine.isolationReason}; ${jobs}`,
    `machines: ${describeOrigins(results)}`,
    ...describeReplaced(results.cells),
    ...describeAllowed(results.cells),
    ...describeRetries(results),
  ];
}

/** "24 restored from saved ones in 0.12 s (median), 2 booted in 4.1 s (median)". */
function describeOrigins({ kernels, engine }: RunResults): string {
  const boots = kernels.flatMap((kernel) => kernel.boots);
  const restored = boots.reduce((sum, boot) => sum + boot.restored, 0);
  const booted = boots.filter((boot) => boot.when === 'this-run' && boot.bootMs !== null);
  const failed = boots.filter((boot) => boot.bootMs === null).length;
  const parts = [
    ...(restored === 0 ? [] : [`${restored} restored from saved ones in ${seconds(median(restoreTimes(boots)))}`]),
    ...(booted.length === 0
      ? []
      : [`${booted.length} booted in ${seconds(median(booted.map(({ bootMs }) => bootMs)))}`]),
    ...(failed === 0 ? [] : [`${failed} ${failed === 1 ? 'boot' : 'boots'} failed`]),
  ];
  const origins = parts.length === 0 ? 'none was started' : parts.join(', ');
  return engine.templates ? origins : `${origins} (--no-templates)`;
}

/** Only the median of each boot's machines is known: it counts once for each of them. */
function restoreTimes(boots: readonly BootResult[]): (number | null)[] {
  return boots.flatMap(({ restored, restoreMs }) => Array.from({ length: restored }, () => restoreMs));
}

/** Machines that a crash did not end, but what a cell left in them. */
function describeReplaced(cells: readonly CellResult[]): string[] {
  const causes = cells.filter((cell) => cell.leftovers.length > 0);
  if (causes.length === 0) return [];
  const machines = causes.length === 1 ? '1 machine was' : `${causes.length} machines were`;
  const each = causes.map((cell) => `${nameOf(cell)} on ${cell.kernel} (${cell.leftovers.join('; ')})`);
  return [`note: ${machines} replaced because of what a cell had left: ${shorten(each)}`];
}

/** Complaints of the kernel that a rule allows make nothing red, and are not kept from the reader. */
function describeAllowed(cells: readonly CellResult[]): string[] {
  const allowed = cells.flatMap((cell) =>
    cell.splats.filter((splat) => splat.allowed !== null).map((splat) => ({ cell, splat })),
  );
  if (allowed.length === 0) return [];
  const reports = allowed.length === 1 ? '1 report' : `${allowed.length} reports`;
  const where = [...new Set(allowed.map(({ cell, splat }) => `${splat.rule} in ${nameOf(cell)} on ${cell.kernel}`))];
  return [`note: ${reports} on consoles, allowed by a rule: ${shorten(where)}`];
}

function describeRetries({ cells, engine }: RunResults): string[] {
  const again = cells.filter((cell) => cell.attempts !== undefined).length;
  if (engine.retries === 0) return [];
  return [`retries: ${again} red ${again === 1 ? 'cell was' : 'cells were'} run again, up to ${engine.retries} times`];
}

/** Beyond this many, a line is no longer read. */
const MOST_NAMED = 3;

function shorten(items: readonly string[]): string {
  const rest = items.length - MOST_NAMED;
  return [...items.slice(0, MOST_NAMED), ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
}

function nameOf(cell: CellResult): string {
  return cellName(cell.program, cell.variant);
}

function seconds(milliseconds: number): string {
  const digits = milliseconds < 1000 ? 2 : 1;
  return `${(milliseconds / 1000).toFixed(digits)} s (median)`;
}

function median(numbers: readonly (number | null)[]): number {
  const sorted = numbers.filter((number) => number !== null).sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
