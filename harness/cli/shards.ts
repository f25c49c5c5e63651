import { type KernelRequest, requestName } from '../../kernels/request.ts';
import type { KernelStore } from '../../kernels/store.ts';
import type { Matrix, Program } from '../config/load.ts';
import { ConfigError, unknownWord } from '../config/yaml-file.ts';
import type { Durations } from '../run/durations.ts';
import { nameMatches } from '../run/select.ts';

/** A part of a matrix that is run by itself. */
export interface ShardPlan {
  /** From 1. */
  readonly shard: number;
  /** How many there are in all. */
  readonly shards: number;
  /** In the order of the matrix: words for `run --kernel`. */
  readonly kernels: readonly string[];
  readonly cells: number;
  /** What it is expected to take with one machine at a time, in milliseconds. */
  readonly expectedMs: number;
}

/** Booting a kernel that no saved machine is there of, on two emulated cores, in milliseconds: what a kernel costs beside its cells. */
const BOOT_MS = 5000;

/**
 * Divides kernels among shards so that all take about as long: the most expensive kernel first, each to the shard with the least so far. A kernel is never
 * divided, because its cells share a machine, and kernels that `run --kernel` cannot tell apart stay together. There are fewer shards than wanted if there
 * are fewer kernels.
 *
 * @param most how many shards, at least 1
 */
export function planShards(kernels: readonly PlannedKernel[], most: number): ShardPlan[] {
  const bundles = bundle(kernels)
    .map((members, index) => ({ members, index, cost: members.reduce((sum, { expectedMs }) => sum + expectedMs, 0) }))
    .sort((left, right) => right.cost - left.cost || left.index - right.index);
  const shards = bundles.slice(0, most).map(() => ({ cost: 0, members: [] as PlannedKernel[] }));
  for (const { members, cost } of bundles) {
    const least = shards.reduce((best, shard) => (shard.cost < best.cost ? shard : best));
    least.cost += cost;
    least.members.push(...members);
  }
  const place = new Map(kernels.map((kernel, index) => [kernel, index]));
  const placeOf = (kernel: PlannedKernel | undefined): number => (kernel && place.get(kernel)) ?? 0;
  return shards
    .map(({ members }) => members.sort((left, right) => placeOf(left) - placeOf(right)))
    .sort(([left], [right]) => placeOf(left) - placeOf(right))
    .map((members, index) => ({
      shard: index + 1,
      shards: shards.length,
      kernels: members.map(({ name }) => name),
      cells: members.reduce((sum, { cells }) => sum + cells, 0),
      expectedMs: members.reduce((sum, { expectedMs }) => sum + expectedMs, 0),
    }));
}

/** A kernel of the matrix, before it is looked up. */
export interface PlannedKernel {
  /** What `run --kernel` calls it. */
  readonly name: string;
  /** Everything that it answers to, its name among it. */
  readonly names: readonly string[];
  readonly cells: number;
  readonly expectedMs: number;
}

/**
 * The kernels of a matrix that patterns let through, with what they cost. No kernel is fetched; which lines `debian: all` stands for may have to be
 * asked.
 *
 * @throws ConfigError `no-such-kernel`; whatever {@link KernelStore.expand} throws
 */
export async function plannedKernels(
  matrix: Pick<Matrix, 'kernels' | 'loaders'>,
  programs: readonly Program[],
  patterns: readonly string[],
  store: Pick<KernelStore, 'expand'>,
  durations: Durations,
): Promise<PlannedKernel[]> {
  const cells = programs.flatMap((program) =>
    program.variants.flatMap((variant) =>
      matrix.loaders.map((loader) => ({ loader, program, variant: { name: variant } })),
    ),
  );
  const known: PlannedKernel[] = [];
  for (const { request, name: own } of matrix.kernels) {
    for (const one of await store.expand(request)) {
      const name = own ?? requestName(one);
      const expectedMs = cells.reduce((sum, cell) => sum + durations.expected({ kernel: { name }, ...cell }), BOOT_MS);
      known.push({ name, names: namesOf(one, name), cells: cells.length, expectedMs });
    }
  }
  const all = known.flatMap(({ names }) => names);
  for (const wanted of patterns) {
    if (all.some((name) => nameMatches(name, [wanted]))) continue;
    throw new ConfigError('no-such-kernel', unknownWord('kernel', wanted, [...new Set(all)]), {
      where: `--kernel ${wanted}`,
    });
  }
  return known.filter(({ names }) => names.some((name) => nameMatches(name, patterns)));
}

/** As `run --kernel` looks for it: also by the line, whatever it is called. */
function namesOf(request: KernelRequest, name: string): string[] {
  return [...new Set([name, requestName(request), ...('debian' in request ? [request.debian] : [])])];
}

/** Kernels in bundles: `--kernel 6.12` takes a kernel of line 6.12 along that is called otherwise. */
function bundle(kernels: readonly PlannedKernel[]): PlannedKernel[][] {
  const bundles: PlannedKernel[][] = [];
  for (const kernel of kernels) {
    const together = bundles.filter((members) =>
      members.some((other) => other.names.includes(kernel.name) || kernel.names.includes(other.name)),
    );
    const [first, ...others] = together;
    if (first === undefined) {
      bundles.push([kernel]);
      continue;
    }
    first.push(...others.flat(), kernel);
    for (const other of others) bundles.splice(bundles.indexOf(other), 1);
  }
  return bundles;
}
