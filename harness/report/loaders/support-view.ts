import { DEFAULT_VARIANT } from '../../config/default-variant.ts';
import { FEATURES, type Feature } from '../../config/schema.ts';
import { gridOrder } from '../../results/grid-order.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { groupBy } from '../group-by.ts';
import { kernelRange } from './kernel-range.ts';

/** What each loader supports, on which kernels, by what programs show that. */
export interface SupportView {
  /** By name, oldest first. */
  readonly kernels: readonly string[];
  /** Features that are shown together, such as typed and weak. */
  readonly columns: readonly SupportColumn[];
  /** For each column the kernels that say nothing of any loader, as they do not have the module, or no machine; `none` if there are none. */
  readonly silent: readonly string[];
  readonly rows: readonly {
    readonly loader: string;
    readonly version: string;
    readonly unavailable: string | null;
    /** In the order of the columns; null for what was not tried. */
    readonly cells: readonly (SupportCell | null)[];
  }[];
}

/** Features that programs show together. */
export interface SupportColumn {
  readonly features: readonly Feature[];
  /** The features for people: `weak typed`. */
  readonly name: string;
  /** Names of the programs that show them. */
  readonly programs: readonly string[];
}

/** One loader's support of the features of a column. */
export interface SupportCell {
  /** Kernels on which every program that shows it works, as {@link kernelRange} tells them. */
  readonly works: string;
  /** Kernels on which some of the programs work, and others do not. */
  readonly partly: string;
  /** What is said where a program does not work, the same words once. */
  readonly errors: readonly SupportError[];
}

/** What a loader, or the kernel, says where a program does not work. */
export interface SupportError {
  readonly programs: readonly string[];
  readonly kernels: string;
  readonly class: string;
  readonly says: string;
}

/** What the programs with `shows:` in their files say of loaders, in the default variant. */
export function viewSupport(results: RunResults): SupportView {
  const kernels = gridOrder(results).kernels.map(({ name }) => name);
  const columns = columnsOf(results.programs);
  const names = namesIn(results);
  const tried = groupBy(
    results.cells.filter(({ variant }) => variant === DEFAULT_VARIANT),
    ({ loader }) => loader,
  );
  return {
    kernels,
    columns,
    silent: columns.map(({ programs }) => silentKernels([...tried.values()].flat(), programs, kernels)),
    rows: results.loaders.map(({ name, version, unavailable = null }) => ({
      loader: name,
      version,
      unavailable,
      cells: columns.map(({ programs }) => {
        // A program that its kernel cannot be asked for, such as one of a module that it does not have, says nothing of a loader.
        const own = (tried.get(name) ?? []).filter(
          ({ program, outcome }) => programs.includes(program) && !NOT_ASKED.has(outcome.class),
        );
        return own.length === 0 ? null : cellOf(own, kernels, names);
      }),
    })),
  };
}

function silentKernels(tried: readonly CellResult[], programs: readonly string[], kernels: readonly string[]): string {
  const own = groupBy(
    tried.filter(({ program }) => programs.includes(program)),
    ({ kernel }) => kernel,
  );
  const silent = kernels.filter(
    (kernel) => own.get(kernel)?.every(({ outcome }) => NOT_ASKED.has(outcome.class)) === true,
  );
  return kernelRange(new Set(silent), kernels);
}

function columnsOf(programs: RunResults['programs']): SupportColumn[] {
  const shown = programs.flatMap(({ name, shows }) =>
    shows === undefined ? [] : [{ name, features: FEATURES.filter((feature) => shows.includes(feature)) }],
  );
  const groups = [...groupBy(shown, ({ features }) => features.join(' ')).values()].map((group) => ({
    features: group[0]?.features ?? [],
    name: nameOf(group[0]?.features ?? []),
    programs: group.map(({ name }) => name),
  }));
  return groups.sort((left, right) => rank(left.features) - rank(right.features));
}

const KINDS: readonly Feature[] = ['control', 'typeless', 'typed', 'kfunc'];

/** The vmlinux's before modules', then kind by kind, the weak after the strong. */
function rank(features: readonly Feature[]): number {
  const kind = KINDS.findIndex((one) => features.includes(one));
  return (features.includes('module') ? 100 : 0) + 10 * kind + (features.includes('weak') ? 1 : 0);
}

function nameOf(features: readonly Feature[]): string {
  if (features.includes('control')) return 'no ksym';
  const inWords: readonly Feature[] = ['module', 'weak', 'typeless', 'typed', 'kfunc'];
  return inWords.filter((word) => features.includes(word)).join(' ');
}

function cellOf(asked: readonly CellResult[], all: readonly string[], names: RegExp | null): SupportCell {
  const kernels = all.filter((kernel) => asked.some((cell) => cell.kernel === kernel));
  const works = (cell: CellResult): boolean => cell.outcome.class === 'ok';
  const whole = new Set<string>();
  const partly = new Set<string>();
  for (const [kernel, own] of groupBy(asked, (cell) => cell.kernel)) {
    if (own.every(works)) whole.add(kernel);
    else if (own.some(works)) partly.add(kernel);
  }
  const errors = groupBy(
    asked.filter((cell) => !works(cell)),
    ({ outcome }) => JSON.stringify([outcome.class, withoutNames(outcome.message, names)]),
  );
  return {
    works: kernelRange(whole, kernels),
    partly: kernelRange(partly, kernels),
    errors: [...errors.values()].map((own) => ({
      programs: [...new Set(own.map(({ program }) => program))],
      kernels: kernelRange(new Set(own.map(({ kernel }) => kernel)), kernels),
      class: own[0]?.outcome.class ?? '',
      says: own[0]?.outcome.message ?? '',
    })),
  };
}

const NOT_ASKED: ReadonlySet<CellResult['outcome']['class']> = new Set<CellResult['outcome']['class']>([
  'infra',
  'compile-failed',
  'variant-unavailable',
  'module-missing',
  'module-load-failed',
]);

/** Names of all externs and BPF programs, as whole words; null if there are none. */
function namesIn({ cells }: Pick<RunResults, 'cells'>): RegExp | null {
  const names = new Set(
    cells.flatMap(({ externs, values, outcome }) => [
      ...externs.map(({ name }) => name),
      ...values.map(({ program }) => program),
      ...[outcome.extern, outcome.program].flatMap((name) => name ?? []),
    ]),
  );
  const words = [...names].filter((name) => /^\w+$/.test(name));
  return words.length === 0 ? null : new RegExp(`\\b(?:${words.join('|')})\\b`, 'g');
}

/** The same words about another extern, program or number are the same words. */
function withoutNames(message: string, names: RegExp | null): string {
  const text = names === null ? message : message.replace(names, 'NAME');
  return text.replace(/0x[0-9a-f]+|\d+/g, 'N');
}
