import { isDeepStrictEqual } from 'node:util';
import { ExplainedError } from '../../loader/errors.ts';
import { OUR_LOADER } from '../config/loader-entries.ts';
import { mergeDisagreements } from './disagreements.ts';
import { compareText, gridOrder } from './grid-order.ts';
import { mergeCells } from './merge-cells.ts';
import { mergeEngines, mergeHosts, mergeTimings } from './merge-hosts.ts';
import { mergeKernels } from './merge-kernels.ts';
import { mergeOrders } from './merge-orders.ts';
import { mergeRanges } from './merge-ranges.ts';
import type { Origin, ProgramResult, RunResults } from './results.ts';
import type { Shard } from './shard.ts';
import { countVerdicts } from './verdicts.ts';

/**
 * Joins the results of shards: runs of one matrix at one commit, each on other kernels. What comes out does not depend on the order of the shards:
 * - id and start are those of the shard that started first; kernels are oldest first; cells of a kernel, programs and loaders are as the shards have them,
 *   but for our loader, which is the first
 * - a cell that two shards have is there once if it is the same in everything, and refused otherwise
 * - what may differ is told for all: names of software joined, `tcg` if one shard was emulated, the most of processors, machines and memory
 * - timings are those of the slowest shard, part by part, because shards run side by side
 * - `complete` if all shards are; totals are counted and ranges derived again; there is no folder with all evidence, so `directory` is empty
 *
 * @param names of the shards, for messages. Default: their ids.
 * @throws ExplainedError `no-shards`, `shard-given-twice`, `shards-differ`, `cell-in-two-shards`
 */
export function mergeResults(shards: readonly RunResults[], names?: readonly string[]): RunResults {
  const sorted = shards
    .map((results, index) => ({ results, name: names?.[index] ?? `run ${results.id}` }))
    .sort(byStart);
  const [first, ...others] = sorted;
  if (first === undefined) throw new ExplainedError('no-shards', 'there is nothing to merge');
  refuseTwice(sorted);
  for (const other of others) refuseDifferent(first, other);
  const runs = sorted.map(({ results }) => results);
  const kernels = gridOrder({ kernels: mergeKernels(sorted), loaders: [], programs: [] }).kernels;
  const cells = mergeCells(sorted, kernels);
  const { id, startedAt, schemaVersion, tool, matrix } = first.results;
  const loaders = oursFirst(mergeNamed(runs.map((run) => run.loaders)));
  const differences = mergeDisagreements(runs, { cells, loaders });
  return {
    schemaVersion,
    id,
    startedAt,
    tool,
    origin: mergeOrigins(runs.map(({ origin }) => origin)),
    matrix,
    shards: runs.reduce((sum, run) => sum + run.shards, 0),
    host: mergeHosts(runs.map(({ host }) => host)),
    engine: mergeEngines(runs.map(({ engine }) => engine)),
    totals: countVerdicts(cells),
    timings: mergeTimings(runs.map(({ timings }) => timings)),
    loaders,
    kernels,
    programs: mergeNamed(runs.map(({ programs }) => programs)),
    cells,
    ranges: mergeRanges(
      runs.map(({ ranges }) => ranges),
      kernels,
      cells,
    ),
    ...(differences === undefined ? {} : { differences }),
    directory: '',
    complete: runs.every(({ complete }) => complete),
  };
}

/** Shards of one moment are told apart by their id, and by what they ran. */
function byStart({ results: left }: Shard, { results: right }: Shard): number {
  return (
    Date.parse(left.startedAt) - Date.parse(right.startedAt) ||
    compareText(left.id, right.id) ||
    compareText(kernelNames(left), kernelNames(right)) ||
    compareText(JSON.stringify(left.cells), JSON.stringify(right.cells))
  );
}

function kernelNames({ kernels }: RunResults): string {
  return JSON.stringify(kernels.map(({ name }) => name));
}

/** Most likely one of two files is the wrong one, and a shard is missing. */
function refuseTwice(sorted: readonly Shard[]): void {
  for (const [index, { results, name }] of sorted.entries()) {
    const twin = sorted[index + 1];
    if (twin === undefined || !isDeepStrictEqual(results, twin.results)) continue;
    throw new ExplainedError('shard-given-twice', 'two of the shards are the same run', {
      where: name === twin.name ? name : `${name} and ${twin.name}`,
      why: `both are run ${results.id}`,
      fix: 'name each shard once; another may be missing',
    });
  }
}

function refuseDifferent(one: Shard, other: Shard): void {
  const difference = differenceOf(one.results, other.results);
  if (difference === null) return;
  const [what, left, right] = difference;
  throw new ExplainedError('shards-differ', `these are not shards of one run: ${what} differs`, {
    where: `${one.name} and ${other.name}`,
    why: `${left} and ${right}`,
    fix: 'run all shards at the same commit, with the same matrix, version of ksym-matrix and clang',
  });
}

/** What differs that must not, with both values in words; null if nothing does. */
function differenceOf(one: RunResults, other: RunResults): readonly [string, string, string] | null {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['the version of ksym-matrix', one.tool.version, other.tool.version],
    ['the repository', one.origin.repository, other.origin.repository],
    ['the commit', one.origin.commit, other.origin.commit],
    ['the matrix', one.matrix.path, other.matrix.path],
    ["the matrix's title", one.matrix.title, other.matrix.title],
    ...one.loaders.map(({ name, version }) => {
      const twin = other.loaders.find((loader) => loader.name === name);
      return [`the version of loader ${name}`, version, twin === undefined ? version : twin.version] as const;
    }),
    ...one.programs.flatMap((program) => {
      const twin = other.programs.find(({ name }) => name === program.name);
      return twin === undefined ? [] : partsOf(program, twin);
    }),
  ];
  const found = pairs.find(([, left, right]) => !isDeepStrictEqual(left, right));
  return found === undefined ? null : [found[0], inWords(found[1]), inWords(found[2])];
}

/** All of a program but the warnings, which name paths of the machine. */
function partsOf(one: ProgramResult, other: ProgramResult): (readonly [string, unknown, unknown])[] {
  return [
    [`the C source of ${one.name}`, one.text, other.text],
    [`the object file of ${one.name}`, one.objectSha256, other.objectSha256],
    [`the path of ${one.name}`, one.source, other.source],
    [`the title of ${one.name}`, one.title, other.title],
    [`the description of ${one.name}`, one.about, other.about],
    [`what ${one.name} needs`, one.needs, other.needs],
  ];
}

/** Characters of a value in a message. */
const SHOWN = 100;

function inWords(value: unknown): string {
  if (value === null) return 'none';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.includes('\n')) return `${text.length} characters`;
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** Jobs of one run may each have an address of their own; then none of them is that of the whole. */
function mergeOrigins(origins: readonly Origin[]): Origin {
  const urls = new Set(origins.map(({ url }) => url));
  const modified = origins.map((origin) => origin.modified);
  const [{ repository, commit } = { repository: null, commit: null }] = origins;
  return {
    repository,
    commit,
    modified: modified.includes(true) ? true : modified.includes(null) ? null : false,
    url: urls.size === 1 ? (origins[0]?.url ?? null) : null,
  };
}

/** Shards by loader do not tell which of them the matrix names first; the others are held against ours. */
function oursFirst(loaders: RunResults['loaders']): RunResults['loaders'] {
  return [...loaders.filter(({ name }) => name === OUR_LOADER), ...loaders.filter(({ name }) => name !== OUR_LOADER)];
}

/** Each once, as the first shard that has it tells it. */
function mergeNamed<Item extends { readonly name: string }>(lists: readonly (readonly Item[])[]): Item[] {
  const items = new Map<string, Item>();
  for (const item of lists.flat()) if (!items.has(item.name)) items.set(item.name, item);
  return mergeOrders(lists.map((list) => list.map(({ name }) => name))).flatMap((name) => items.get(name) ?? []);
}
