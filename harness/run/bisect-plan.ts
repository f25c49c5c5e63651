import { type Flavour, type KernelRequest, requestName } from '../../kernels/request.ts';
import type { KernelStore } from '../../kernels/store.ts';
import { DEFAULT_VARIANT } from '../config/default-variant.ts';
import type { Matrix, Program, Variant } from '../config/load.ts';
import { type MatrixLoader, OUR_LOADER } from '../config/loader-entries.ts';
import { ConfigError, unknownWord } from '../config/yaml-file.ts';
import { groupByAxis } from '../results/kernel-axes.ts';
import { mostHalvings } from './bisect-search.ts';
import { type DatedRequest, dateRequest, dateRequests } from './dated-request.ts';
import { nameMatches } from './select.ts';

/** Sources that can say which kernels they have. */
export const CATALOGUES = ['debian', 'debian-snapshot', 'ubuntu-mainline'] as const;

/** What is to be bisected. */
export interface BisectQuestion {
  readonly matrix: Matrix;
  /** Name of a program, or `program@variant`. */
  readonly program: string;
  readonly variant: string | undefined;
  /** Name of a loader. Default: ours, or the first of a matrix without it. */
  readonly loader?: string | undefined;
  /** Names of kernels, `*` as a wildcard; empty means all. */
  readonly kernels: readonly string[];
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Everything that a source has in place of the kernels of the matrix. */
  readonly source: (typeof CATALOGUES)[number] | undefined;
  /** Of the source. Default: cloud. */
  readonly flavour: Flavour | undefined;
}

/** What will be asked of which kernels. */
export interface BisectPlan {
  readonly program: Program;
  readonly variant: Variant;
  readonly loader: MatrixLoader;
  /** What the kernels have in common, for people. */
  readonly axis: string;
  /** At least two, oldest first. */
  readonly kernels: readonly DatedRequest[];
  /** Kernels of the matrix whose place among the others is not known. */
  readonly leftOut: readonly string[];
  /** Besides both ends, as long as each kernel answers. */
  readonly mostHalvings: number;
}

/**
 * Finds the program and puts the kernels in order. Nothing is downloaded but lists.
 * @throws ConfigError `no-such-program`, `no-such-variant`, `no-such-loader`, `no-such-kernel`, `too-few-kernels`; ExplainedError of the source
 */
export async function planBisect(question: BisectQuestion, store: Store): Promise<BisectPlan> {
  const { matrix, kernels: wanted, from, to } = question;
  const [name = '', inName] = question.program.split('@');
  const program = matrix.programs.find((one) => one.name === name);
  const names = matrix.programs.map((one) => one.name);
  if (program === undefined) throw new ConfigError('no-such-program', unknownWord('program', name, names));
  const variantName = question.variant ?? inName ?? DEFAULT_VARIANT;
  const variant = matrix.variants.get(variantName);
  if (variant === undefined) {
    throw new ConfigError('no-such-variant', unknownWord('variant', variantName, [...matrix.variants.keys()]));
  }
  const loader = findLoader(matrix.loaders, question.loader);
  const { axis, all, leftOut } = await findAxis(question, store);
  const known = all.map((kernel) => kernel.name);
  for (const one of [...wanted, ...[from, to].filter((end) => end !== undefined)]) {
    if (!known.some((kernel) => nameMatches(kernel, [one])))
      throw new ConfigError('no-such-kernel', unknownWord('kernel', one, known));
  }
  const first = from === undefined ? 0 : known.indexOf(from);
  const last = to === undefined ? known.length - 1 : known.indexOf(to);
  const kernels = all.slice(Math.min(first, last), Math.max(first, last) + 1).filter((kernel) => {
    return nameMatches(kernel.name, wanted);
  });
  if (kernels.length < 2) throw tooFew(question.source ?? matrix.path, kernels.length);
  return { program, variant, loader, axis, kernels, leftOut, mostHalvings: mostHalvings(kernels.length) };
}

function findLoader(loaders: readonly MatrixLoader[], name: string | undefined): MatrixLoader {
  const [first] = loaders;
  const wanted = name ?? (loaders.find((one) => one.name === OUR_LOADER) ?? first)?.name ?? OUR_LOADER;
  const found = loaders.find((one) => one.name === wanted);
  if (found !== undefined) return found;
  const names = loaders.map((one) => one.name);
  throw new ConfigError('no-such-loader', unknownWord('loader', wanted, names), { where: `--loader ${wanted}` });
}

type Store = Pick<KernelStore, 'expand' | 'resolve' | 'catalogue'>;

interface Axis {
  readonly axis: string;
  readonly all: readonly DatedRequest[];
  readonly leftOut: readonly string[];
}

/** The kernels that follow on each other: what the source has, else the longest row in the matrix that the filters leave. */
async function findAxis({ matrix, kernels, source, flavour }: BisectQuestion, store: Store): Promise<Axis> {
  if (source !== undefined) {
    const found = await store.catalogue(everythingOf(source, flavour));
    const [all] = groupByAxis(found.map(({ request, line }) => dateRequest(request, line))).axes;
    if (all === undefined) throw tooFew(source, found.length);
    return { axis: all.name, all: all.kernels, leftOut: [] };
  }
  const { dated, undated } = await dateRequests(matrix.kernels, store);
  const looked: DatedRequest[] = [];
  for (const { request, name } of undated) {
    // "latest": the lists, which are there already, say which one it is.
    if (!('debian' in request)) continue;
    const { kernel } = await store.resolve(request);
    looked.push(dateRequest(request, kernel.version, name ?? kernel.line));
  }
  const candidates = [...dated, ...looked];
  const { axes } = groupByAxis(candidates.filter(({ name }) => nameMatches(name, kernels)));
  const [longest] = [...axes].sort((left, right) => right.kernels.length - left.kernels.length);
  if (longest === undefined) {
    const named = candidates.filter(({ name }) => nameMatches(name, kernels));
    if (kernels.length > 0 && named.length === 0) {
      const known = candidates.map(({ name }) => name);
      throw new ConfigError('no-such-kernel', unknownWord('kernel', kernels.join(' '), known));
    }
    throw tooFew(matrix.path, named.length);
  }
  const others = undated.filter(({ request }) => !('debian' in request));
  const leftOut = [
    ...candidates.filter((one) => !longest.kernels.includes(one)).map(({ name }) => name),
    ...others.map(({ request, name }) => name ?? requestName(request)),
  ].filter((name) => nameMatches(name, kernels));
  return { axis: longest.name, all: longest.kernels, leftOut };
}

function everythingOf(source: (typeof CATALOGUES)[number], flavour: Flavour | undefined): KernelRequest {
  const withFlavour = flavour === undefined ? {} : { flavour };
  switch (source) {
    case 'debian':
      return { debian: 'all', ...withFlavour };
    case 'debian-snapshot':
      return { 'debian-snapshot': 'all', ...withFlavour };
    case 'ubuntu-mainline':
      return { 'ubuntu-mainline': 'all' };
  }
}

function tooFew(where: string, count: number): ConfigError {
  return new ConfigError('too-few-kernels', 'at least two kernels of one source and flavour are needed', {
    where,
    why: `${count} ${count === 1 ? 'is' : 'are'} left to choose from`,
    fix: `add kernels to the matrix or let more of them through, or name a source that says what it has: --source ${CATALOGUES.join(', ')}`,
  });
}
