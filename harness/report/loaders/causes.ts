import { OUR_LOADER } from '../../config/loader-entries.ts';
import { cellName } from '../../results/cell-name.ts';
import type { CellResult, Disagreement, KnownDifferenceResult, RunResults } from '../../results/results.ts';
import { groupBy, inGroups } from '../group-by.ts';
import { kernelRange } from './kernel-range.ts';

/** What is behind disagreements. */
export interface Cause {
  /** Null for what nobody has explained. */
  readonly difference: KnownDifferenceResult | null;
  /** Programs on kernels, by loader. */
  readonly count: number;
  readonly effects: readonly Effect[];
}

/** Disagreements that are alike: loaders that do the same, of the same programs on the same kernels. */
export interface Effect {
  readonly loaders: readonly string[];
  /** Programs by where that happens. */
  readonly places: readonly EffectPlace[];
  /** `works`, or the class of the failure with its errno. */
  readonly answer: string;
  /** The loader that they are held against, which is ours where it was run: whether it works with that one, and what it answers. */
  readonly against: { readonly loader: string; readonly works: boolean; readonly answers: readonly string[] };
  /** The loader's own words, or the kernel's, in one of the cells; null if it works. */
  readonly says: string | null;
  /** What they see otherwise, in one of the cells. */
  readonly values: Disagreement['values'];
}

/** Programs with which something happens on the same kernels. */
export interface EffectPlace {
  /** As {@link kernelRange} tells them. */
  readonly kernels: string;
  /** `PROGRAM`, or `PROGRAM@VARIANT`. */
  readonly programs: readonly string[];
}

/** Disagreements by what is behind them, in the order in which they occur; the unexplained first. */
export function causesOf(
  { cells }: Pick<RunResults, 'cells'>,
  disagreements: readonly Disagreement[],
  known: readonly KnownDifferenceResult[],
  kernels: readonly string[],
): Cause[] {
  const at = groupBy(cells, placeOf);
  const apart = disagreements.flatMap((one) => apartAt(one, at.get(placeOf(one)) ?? []));
  const causes = [...groupBy(apart, ({ difference }) => difference)].map(([id, items]) => ({
    difference: known.find((one) => one.id === id) ?? null,
    count: items.length,
    effects: sortEffects(effectsOf(items, kernels)),
  }));
  return [
    ...causes.filter(({ difference }) => difference === null),
    ...causes.filter(({ difference }) => difference !== null),
  ];
}

/** Cells of one place have the same key: a program with a variant on a kernel. */
export function placeOf({ kernel, program, variant }: Pick<CellResult, 'kernel' | 'program' | 'variant'>): string {
  return JSON.stringify([kernel, program, variant]);
}

/** Answers that are named. */
const TOLD = 3;

/** `verifier-rejected, where ksym-matrix works`. */
export function describeEffect({ answer, against: { loader, works, answers }, values }: Effect): string {
  const told =
    answers.length > TOLD + 1
      ? `${answers.slice(0, TOLD).join(', ')} and ${answers.length - TOLD} more`
      : answers.join(', ');
  if (values.length > 0 && answers.includes(answer)) return `${answer}, but with other values than ${loader}`;
  if (works) return `${answer}, where ${loader} works`;
  return answer === 'works'
    ? `works, where ${loader} says ${told}`
    : `${answer}; with ${loader} it does not work either (${told})`;
}

/** A loader that stands apart at one place. */
interface Apart {
  readonly difference: string | null;
  readonly cell: CellResult;
  readonly against: CellResult;
  /** What this loader sees otherwise. */
  readonly values: Disagreement['values'];
}

function apartAt(one: Disagreement, place: readonly CellResult[]): Apart[] {
  return one.causes.flatMap(({ difference, loaders }) =>
    loaders.flatMap((loader) => {
      const cell = place.find((candidate) => candidate.loader === loader);
      const against = referenceAt(place, loader, one);
      if (cell === undefined || against === undefined) return [];
      const values = one.values.filter(({ seen }) =>
        seen.some((group) => group.loaders.includes(loader) && !group.loaders.includes(against.loader)),
      );
      return [{ difference, cell, against, values }];
    }),
  );
}

/** What a loader is held against: ours; for ours, and where ours was not run, one that does not stand apart. */
function referenceAt(place: readonly CellResult[], loader: string, { causes }: Disagreement): CellResult | undefined {
  const odd = new Set(causes.flatMap(({ loaders }) => loaders));
  return (
    place.find((cell) => cell.loader === OUR_LOADER && cell.loader !== loader) ??
    place.find((cell) => cell.loader !== loader && (loader === OUR_LOADER || !odd.has(cell.loader)))
  );
}

/** What works with one loader and not with the other says most. */
function sortEffects(effects: readonly Effect[]): Effect[] {
  const says = ({ answer, against, values }: Effect): boolean =>
    values.length > 0 || against.works !== (answer === 'works');
  return [...effects.filter(says), ...effects.filter((effect) => !says(effect))];
}

function effectsOf(items: readonly Apart[], kernels: readonly string[]): Effect[] {
  const byLoader = inGroups(items, ({ cell, against, values }) =>
    JSON.stringify([
      cell.loader,
      answerOf(cell),
      against.loader,
      against.outcome.class === 'ok',
      values.map(({ name }) => name),
    ]),
  );
  const told = byLoader.map((own) => ({ own, effect: effectOf(own, kernels) }));
  // Loaders of which all the same holds are told at once.
  return inGroups(told, ({ effect: { places, answer, against, values } }) =>
    JSON.stringify([places, answer, against, values.map(({ name }) => name)]),
  ).flatMap((alike) => {
    const [first] = alike;
    if (first === undefined) return [];
    return { ...first.effect, loaders: alike.flatMap(({ own }) => own[0]?.cell.loader ?? []) };
  });
}

/** Of one loader. */
function effectOf(items: readonly Apart[], kernels: readonly string[]): Omit<Effect, 'loaders'> {
  const [example] = items;
  const programs = [...groupBy(items, ({ cell }) => cellName(cell.program, cell.variant))].map(([name, own]) => ({
    name,
    on: kernelRange(new Set(own.map(({ cell }) => cell.kernel)), kernels),
  }));
  const outcome = example?.cell.outcome;
  return {
    places: [...groupBy(programs, ({ on }) => on)].map(([on, own]) => ({
      kernels: on,
      programs: own.map(({ name }) => name),
    })),
    answer: example === undefined ? '' : answerOf(example.cell),
    against: {
      loader: example?.against.loader ?? '',
      works: example?.against.outcome.class === 'ok',
      answers: [...new Set(items.map(({ against }) => answerOf(against)))],
    },
    says: outcome === undefined || outcome.class === 'ok' ? null : outcome.message,
    values: example?.values ?? [],
  };
}

/** `works`, or the class of the failure with its errno. */
function answerOf({ outcome }: CellResult): string {
  if (outcome.class === 'ok') return 'works';
  return outcome.errno === undefined ? outcome.class : `${outcome.class} (${outcome.errno})`;
}
