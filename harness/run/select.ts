import type { Kernel, KernelStore } from '../../kernels/store.ts';
import type { Matrix, Program, Variant } from '../config/load.ts';
import { DEFAULT_VARIANT } from '../config/load.ts';
import { type KernelVersion, parseKernelVersion } from '../config/version-range.ts';
import { ConfigError, unknownWord } from '../config/yaml-file.ts';

/** Names from the command line, with `*` as a wildcard; empty means all. */
export interface Filters {
  readonly kernels: readonly string[];
  readonly programs: readonly string[];
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
  readonly program: Program;
  readonly variant: Variant;
}

/** Cells that can share a machine: one kernel, booted with the same parameters. */
export interface BootGroup {
  readonly kernel: SelectedKernel;
  readonly boot: readonly string[];
  readonly cells: readonly Cell[];
}

/**
 * The programs that the filters let through.
 * @throws ConfigError `no-such-program`
 */
export function selectPrograms(matrix: Matrix, filters: Filters): readonly Program[] {
  const names = matrix.programs.map((program) => program.name);
  for (const wanted of filters.programs) requireMatch('program', wanted, names);
  return matrix.programs.filter((program) => nameMatches(program.name, filters.programs));
}

/**
 * Gets the kernels that the filters let through, from the cache or the mirror.
 * @throws ConfigError `no-such-kernel`; whatever {@link KernelStore.get} throws
 */
export async function selectKernels(
  matrix: Matrix,
  filters: Filters,
  store: Pick<KernelStore, 'get'>,
): Promise<SelectedKernel[]> {
  const named = matrix.kernels.map((entry) => ({
    entry,
    names: [entry.name, entry.debian].filter((name) => name !== undefined),
  }));
  // Which line "newest" is shows only when it is looked up, so it stays a candidate for any filter that names nothing else.
  const direct = named.filter(({ names }) => names.some((name) => nameMatches(name, filters.kernels)));
  const unmatched = filters.kernels.filter(
    (wanted) => !named.some(({ names }) => names.some((name) => nameMatches(name, [wanted]))),
  );
  const candidates =
    unmatched.length === 0 ? direct : named.filter((one) => direct.includes(one) || one.entry.debian === 'newest');
  const selected: SelectedKernel[] = [];
  for (const { entry, names } of candidates) {
    const { flavour } = entry;
    const kernel = await store.get({ debian: entry.debian, ...(flavour === undefined ? {} : { flavour }) });
    const name = entry.name ?? (entry.debian === 'newest' ? kernel.line : kernel.name);
    if (![...names, name].some((candidate) => nameMatches(candidate, filters.kernels))) continue;
    if (selected.some((other) => other.name === name)) {
      throw new ConfigError('kernel-listed-twice', `kernel "${name}" is in the matrix twice`, {
        where: matrix.path,
        why: `"${entry.debian}" is ${kernel.line} now`,
        fix: 'remove one of them, or give it a `name`',
      });
    }
    selected.push({ name, version: parseKernelVersion(kernel.version), kernel });
  }
  const known = [...new Set([...named.flatMap(({ names }) => names), ...selected.map((one) => one.name)])];
  for (const wanted of filters.kernels) requireMatch('kernel', wanted, known);
  return selected;
}

/** Every combination of kernel, program and variant, grouped by what can share a machine; the default variant first in each group. */
export function planGroups(
  kernels: readonly SelectedKernel[],
  programs: readonly Program[],
  matrix: Matrix,
): BootGroup[] {
  const groups: { kernel: SelectedKernel; boot: readonly string[]; cells: Cell[] }[] = [];
  for (const kernel of kernels) {
    const own: typeof groups = [];
    for (const variant of matrix.variants.values()) {
      const cells = programs
        .filter((program) => program.variants.includes(variant.name))
        .map((program) => ({ kernel, program, variant }));
      if (cells.length === 0) continue;
      const group = own.find((candidate) => candidate.boot.join(' ') === variant.boot.join(' '));
      if (group === undefined) own.push({ kernel, boot: variant.boot, cells });
      else group.cells.push(...cells);
    }
    groups.push(...own);
  }
  return groups;
}

/** The cell's name for people and paths: `program`, or `program@variant`. */
export function cellName(program: string, variant: string): string {
  return variant === DEFAULT_VARIANT ? program : `${program}@${variant}`;
}

/** Whether a name is one of the patterns, in which `*` stands for anything; without patterns every name is. */
export function nameMatches(name: string, patterns: readonly string[]): boolean {
  return patterns.length === 0 || patterns.some((pattern) => toExpression(pattern).test(name));
}

function toExpression(pattern: string): RegExp {
  const escaped = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`);
}

function requireMatch(kind: 'kernel' | 'program', wanted: string, names: readonly string[]): void {
  if (names.some((name) => nameMatches(name, [wanted]))) return;
  throw new ConfigError(`no-such-${kind}`, unknownWord(kind, wanted, names), { where: `--${kind} ${wanted}` });
}
