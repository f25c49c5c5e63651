import pLimit from 'p-limit';
import { type KernelRequest, requestName } from '../../kernels/request.ts';
import type { Kernel, KernelStore } from '../../kernels/store.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { MatrixKernel } from '../config/kernel-entries.ts';
import type { Matrix, Program, Variant } from '../config/load.ts';
import type { MatrixLoader } from '../config/loader-entries.ts';
import { type KernelVersion, parseKernelVersion } from '../config/version-range.ts';
import { ConfigError, unknownWord } from '../config/yaml-file.ts';

/** Names from the command line, with `*` as a wildcard; empty means all. */
export interface Filters {
  readonly kernels: readonly string[];
  /** `NAME` is a program with all of its variants, `NAME@VARIANT` with that one alone. */
  readonly programs: readonly string[];
  /** Default: all. */
  readonly loaders?: readonly string[];
}

/** A kernel of the matrix that is ready to boot, under its name in the grid. */
export interface SelectedKernel {
  readonly name: string;
  readonly version: KernelVersion;
  readonly kernel: Kernel;
}

/** One cell to run. */
export interface Cell {
  readonly kernel: SelectedKernel;
  readonly loader: MatrixLoader;
  readonly program: Program;
  readonly variant: Variant;
}

/** Cells that can share a machine: one kernel, booted with the same parameters, processors and modules. */
export interface BootGroup {
  readonly kernel: SelectedKernel;
  /** Kernel parameters of the variant. */
  readonly boot: readonly string[];
  /** Processors of the machine; null for as many as the matrix gives every machine. */
  readonly cpus: number | null;
  /** Modules that the programs want, by name. */
  readonly modules: readonly string[];
  readonly cells: readonly Cell[];
}

/**
 * The programs that the filters let through, each with the variants that they leave of it.
 * @throws ConfigError `no-such-program`, `no-such-variant`
 */
export function selectPrograms(matrix: Pick<Matrix, 'programs'>, filters: Filters): readonly Program[] {
  for (const wanted of filters.programs) requireCell(wanted, matrix.programs);
  return matrix.programs.flatMap((program) => {
    const variants = program.variants.filter((variant) => isWanted(program.name, variant, filters.programs));
    return variants.length === 0 ? [] : [{ ...program, variants }];
  });
}

/** Whether a pattern such as `typed-*` or `typed-*@cap-bpf` stands for a program with a variant. */
function isWanted(program: string, variant: string, patterns: readonly string[]): boolean {
  return (
    patterns.length === 0 ||
    patterns.some((pattern) => nameMatches(program, [pattern]) || nameMatches(`${program}@${variant}`, [pattern]))
  );
}

function requireCell(wanted: string, programs: readonly Program[]): void {
  if (programs.some(({ name, variants }) => variants.some((variant) => isWanted(name, variant, [wanted])))) return;
  const [program = '', variant] = wanted.split('@');
  const where = `--program ${wanted}`;
  const named = programs.filter(({ name }) => nameMatches(name, [program]));
  if (variant === undefined || named.length === 0) {
    throw new ConfigError(
      'no-such-program',
      unknownWord(
        'program',
        program,
        programs.map(({ name }) => name),
      ),
      { where },
    );
  }
  const known = [...new Set(named.flatMap(({ variants }) => variants))];
  throw new ConfigError('no-such-variant', unknownWord('variant', variant, known), {
    where,
    why: `${program} is run with ${known.map((name) => `\`${name}\``).join(', ')}`,
  });
}

/** What {@link selectKernels} gets kernels from. */
export type KernelProvider = Pick<KernelStore, 'get' | 'expand'>;

/** How {@link selectKernels} gets them. */
export interface SelectOptions {
  /** Modules that programs want by name. */
  readonly modules?: readonly string[];
  /** Told of a line that is not to be had any more, and so is left out. */
  readonly onMessage?: (text: string) => void;
}

/**
 * Gets the kernels that the filters let through, from the cache or their sources, in the order of the matrix. A line that `debian: all` stood for
 * once and that Debian has dropped since is said and left out.
 *
 * @throws ConfigError `no-such-kernel`, `kernel-listed-twice`; whatever {@link KernelStore.get} throws
 */
export async function selectKernels(
  matrix: Pick<Matrix, 'kernels' | 'path'>,
  filters: Filters,
  store: KernelProvider,
  options: SelectOptions = {},
): Promise<SelectedKernel[]> {
  const named = await nameKernels(matrix.kernels, store);
  // Which line "latest" is shows only when it is looked up, so it stays a candidate for any filter that names nothing else.
  const direct = named.filter(({ names }) => names.some((name) => nameMatches(name, filters.kernels)));
  const unmatched = filters.kernels.filter(
    (wanted) => !named.some(({ names }) => names.some((name) => nameMatches(name, [wanted]))),
  );
  const candidates = unmatched.length === 0 ? direct : named.filter((one) => direct.includes(one) || one.isLatest);
  const gotten = await pLimit(AT_A_TIME).map(candidates, (candidate) => getKernel(candidate, store, options));
  const selected: SelectedKernel[] = [];
  const takenBy = new Map<string, NamedKernel>();
  for (const [index, candidate] of candidates.entries()) {
    const kernel = gotten[index];
    if (kernel === undefined || kernel === null) continue;
    const { request, names, isLatest, ownName, fromAll } = candidate;
    const name = ownName ?? (isLatest ? kernel.line : requestName(request));
    if (![...names, name].some((candidate) => nameMatches(candidate, filters.kernels))) continue;
    const other = takenBy.get(name);
    if (other !== undefined) {
      throw new ConfigError('kernel-listed-twice', `kernel "${name}" is in the matrix twice`, {
        where: matrix.path,
        ...(isLatest || other.isLatest
          ? { why: `"latest" is ${kernel.line} now` }
          : fromAll || other.fromAll
            ? { why: '"all" stands for it as well' }
            : {}),
        fix: 'remove one of them, or give it a `name`',
      });
    }
    takenBy.set(name, candidate);
    selected.push({ name, version: versionOf(kernel), kernel });
  }
  const known = [...new Set([...named.flatMap(({ names }) => names), ...selected.map((one) => one.name)])];
  for (const wanted of filters.kernels) requireKernel(wanted, known);
  return selected;
}

/** One kernel is unpacked while another is downloaded. */
const AT_A_TIME = 2;

/** Null for a line that is not to be had any more. */
async function getKernel(
  { request, names, fromAll }: NamedKernel,
  store: KernelProvider,
  { modules = [], onMessage }: SelectOptions,
): Promise<Kernel | null> {
  try {
    return await store.get(request, { modules });
  } catch (error) {
    if (!fromAll || !(error instanceof ExplainedError) || error.code !== 'kernel-line-unknown') throw error;
    onMessage?.(
      `${names[0]}: left out, Debian has it no more (${error.why ?? error.message}); \`ksym-matrix kernels update\` forgets it`,
    );
    return null;
  }
}

interface NamedKernel {
  readonly request: KernelRequest;
  readonly ownName: string | undefined;
  /** Everything that it answers to before it is looked up. */
  readonly names: readonly string[];
  readonly isLatest: boolean;
  /** One of the lines that `debian: all` stands for. */
  readonly fromAll: boolean;
}

async function nameKernels(
  kernels: readonly MatrixKernel[],
  store: Pick<KernelStore, 'expand'>,
): Promise<NamedKernel[]> {
  const named: NamedKernel[] = [];
  for (const { request, name } of kernels) {
    const requests = await store.expand(request);
    for (const one of requests) {
      const line = 'debian' in one ? one.debian : undefined;
      named.push({
        request: one,
        ownName: name,
        names: [...new Set([name, requestName(one), line].filter((text) => text !== undefined))],
        isLatest: line === 'latest' || line === 'newest',
        fromAll: !requests.includes(request),
      });
    }
  }
  return named;
}

/** A package's version says it where a release leaves the patch level out (Debian's 6.1.0-57 is 6.1.192). */
function versionOf({ version, release }: Kernel): KernelVersion {
  return parseKernelVersion(/^\d+\.\d+/.test(version) ? version : release);
}

/**
 * The loaders that the filters let through, in the order of the matrix.
 * @throws ConfigError `no-such-loader`
 */
export function selectLoaders(matrix: Pick<Matrix, 'loaders'>, filters: Filters): readonly MatrixLoader[] {
  const { loaders: wanted = [] } = filters;
  const names = matrix.loaders.map(({ name }) => name);
  for (const pattern of wanted) {
    if (names.some((name) => nameMatches(name, [pattern]))) continue;
    throw new ConfigError('no-such-loader', unknownWord('loader', pattern, names), { where: `--loader ${pattern}` });
  }
  return matrix.loaders.filter(({ name }) => nameMatches(name, wanted));
}

/** Every combination of kernel, variant, program and loader, grouped by what can share a machine; the default variant first in each group. */
export function planGroups(
  kernels: readonly SelectedKernel[],
  programs: readonly Program[],
  matrix: Matrix,
  loaders: readonly MatrixLoader[] = matrix.loaders,
): BootGroup[] {
  const groups: (Omit<BootGroup, 'cells'> & { readonly cells: Cell[] })[] = [];
  for (const kernel of kernels) {
    const own: typeof groups = [];
    for (const variant of matrix.variants.values()) {
      for (const program of programs.filter((one) => one.variants.includes(variant.name))) {
        const { boot } = variant;
        const cpus = variant.cpus === undefined || variant.cpus === matrix.cpus ? null : variant.cpus;
        const modules = [...new Set(program.modules)].sort();
        const wanted = { kernel, boot, cpus, modules };
        const group = own.find((candidate) => machineOf(candidate) === machineOf(wanted));
        const cells = loaders.map((loader) => ({ kernel, loader, program, variant }));
        if (group === undefined) own.push({ ...wanted, cells });
        else group.cells.push(...cells);
      }
    }
    groups.push(...own);
  }
  return groups;
}

/** The same for groups whose cells can share a machine. */
function machineOf({ boot, cpus, modules }: Pick<BootGroup, 'boot' | 'cpus' | 'modules'>): string {
  return JSON.stringify([boot, cpus, modules]);
}

/** What sets a group's machine apart from a kernel's plain one, for people: `nokaslr cpus=1 modules=dummy`; empty for that. */
export function describeGroup({ boot, cpus, modules }: Pick<BootGroup, 'boot' | 'cpus' | 'modules'>): string {
  return [
    ...boot,
    ...(cpus === null ? [] : [`cpus=${cpus}`]),
    ...(modules.length === 0 ? [] : [`modules=${modules.join(',')}`]),
  ].join(' ');
}

/** Whether a name is one of the patterns, in which `*` stands for anything; without patterns every name is. */
export function nameMatches(name: string, patterns: readonly string[]): boolean {
  return patterns.length === 0 || patterns.some((pattern) => toExpression(pattern).test(name));
}

function toExpression(pattern: string): RegExp {
  const escaped = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`);
}

function requireKernel(wanted: string, names: readonly string[]): void {
  if (names.some((name) => nameMatches(name, [wanted]))) return;
  throw new ConfigError('no-such-kernel', unknownWord('kernel', wanted, names), { where: `--kernel ${wanted}` });
}
