import { OUR_LOADER } from '../config/loader-entries.ts';
import { answerKind } from './answer-kinds.ts';
import type { CellResult, DifferencesResult, Disagreement, KnownDifferenceResult, RunResults } from './results.ts';
import { differingValues } from './value-agreement.ts';
import { RED_VERDICTS } from './verdicts.ts';

/**
 * What the loaders of a run disagree about: place by place (a program with a variant on a kernel), in the order of the cells. Undefined if there is one loader
 * that no known difference is about; of another single one, the known differences alone, for pages and for merging shards by loader.
 *
 * Loaders are held against ours, else against those that do what the program expects. One that answers otherwise, or resolves or reads something
 * else, needs a known difference; and so does ours where loaders of two families agree with each other and not with it, unless they merely
 * cannot do such a thing.
 */
export function deriveDisagreements(
  { cells, loaders }: Pick<RunResults, 'cells' | 'loaders'>,
  known: readonly KnownDifferenceResult[],
): DifferencesResult | undefined {
  const used = new Set(cells.map(({ difference }) => difference));
  const usedKnown = known.filter(({ id }) => used.has(id));
  if (loaders.length < 2)
    return usedKnown.length === 0 ? undefined : { compared: 0, known: usedKnown, disagreements: [] };
  const families = new Map(loaders.map(({ name, family }) => [name, family ?? name]));
  const places = new Map<string, CellResult[]>();
  for (const cell of cells) {
    // What was not found out is no answer.
    if (cell.outcome.class === 'infra' || cell.verdict === 'flaky') continue;
    const key = JSON.stringify([cell.kernel, cell.program, cell.variant]);
    places.set(key, [...(places.get(key) ?? []), cell]);
  }
  const compared = [...places.values()].filter((place) => place.length > 1);
  const byId = new Map(known.map((one) => [one.id, one]));
  return {
    compared: compared.length,
    known: usedKnown,
    disagreements: compared.flatMap((place) => disagreementAt(place, families, byId) ?? []),
  };
}

/** What loaders disagree about, of results with several; undefined for one loader. */
export function comparedLoaders({
  loaders,
  differences,
}: Pick<RunResults, 'loaders' | 'differences'>): DifferencesResult | undefined {
  return loaders.length < 2 ? undefined : differences;
}

/** The same for merged results: known differences are those of all parts, by id. */
export function mergeDisagreements(
  parts: readonly Pick<RunResults, 'differences'>[],
  merged: Pick<RunResults, 'cells' | 'loaders'>,
): DifferencesResult | undefined {
  const known = new Map(parts.flatMap(({ differences }) => differences?.known ?? []).map((one) => [one.id, one]));
  return deriveDisagreements(merged, [...known.values()]);
}

function disagreementAt(
  place: readonly CellResult[],
  families: ReadonlyMap<string, string>,
  known: ReadonlyMap<string, KnownDifferenceResult>,
): Disagreement | undefined {
  const reference = referenceOf(place);
  if (reference === undefined) return undefined;
  const kind = kindOf(reference);
  // Others that agree with each other and not with the reference have to see the same, too.
  const alike = group(place, kindOf)
    .map(([, own]) => (own.includes(reference) ? reference : own[0]))
    .flatMap((measure) =>
      measure === undefined
        ? []
        : differingValues(
            measure,
            place.filter((cell) => kindOf(cell) === kindOf(measure)),
          ),
    );
  const otherValues = new Set(alike.flatMap(({ loaders }) => [...loaders]));
  const isRed = RED_VERDICTS.has(reference.verdict);
  const told = place.flatMap((cell) => {
    const otherAnswer = kindOf(cell) !== kind;
    // The same answer by its kind, and yet not what was expected: with another errno, say.
    const unexpected = !isRed && RED_VERDICTS.has(cell.verdict);
    const otherValue = otherValues.has(cell.loader);
    if (!otherAnswer && !unexpected && !otherValue) return [];
    const reason = explanationOf(cell, known);
    const explainsValues = reason !== null && known.get(reason)?.resolves !== undefined;
    return [{ loader: cell.loader, difference: otherValue && !explainsValues ? null : reason }];
  });
  if (told.length === 0) return undefined;
  const { kernel, program, variant } = reference;
  const alone =
    reference.loader === OUR_LOADER && standsAlone(reference, place, families)
      ? [{ loader: OUR_LOADER, difference: explanationOf(reference, known) }]
      : [];
  const causes = group([...told, ...alone], ({ difference }) => difference).map(([difference, own]) => ({
    difference,
    loaders: own.map(({ loader }) => loader),
  }));
  return {
    kernel,
    program,
    variant,
    answers: group(place, kindOf).map(([answer, own]) => ({
      kind: answer,
      class: own[0]?.outcome.class ?? '',
      loaders: own.map(({ loader }) => loader),
    })),
    values: alike.flatMap(({ list }) => list),
    causes,
    explained: causes.every(({ difference }) => difference !== null),
  };
}

function referenceOf(place: readonly CellResult[]): CellResult | undefined {
  const asExpected = (cell: CellResult): boolean => cell.difference === undefined && !RED_VERDICTS.has(cell.verdict);
  return place.find(({ loader }) => loader === OUR_LOADER) ?? place.find(asExpected) ?? place[0];
}

function kindOf(cell: CellResult): string {
  return answerKind(cell.outcome.class);
}

/** A known difference that says something else than what happened explains nothing, nor does one that nobody knows. */
function explanationOf(
  { verdict, difference }: CellResult,
  known: ReadonlyMap<string, KnownDifferenceResult>,
): string | null {
  return difference === undefined || RED_VERDICTS.has(verdict) || !known.has(difference) ? null : difference;
}

/** Whether loaders of more than one family agree with each other, and none with ours. */
function standsAlone(ours: CellResult, place: readonly CellResult[], families: ReadonlyMap<string, string>): boolean {
  const others = place.filter((cell) => cell !== ours && cell.outcome.class !== 'loader-lacks-feature');
  const answers = group(others, kindOf);
  const familiesOf = (cells: readonly CellResult[]): number =>
    new Set(cells.map(({ loader }) => families.get(loader) ?? loader)).size;
  return answers.every(([kind]) => kind !== kindOf(ours)) && answers.some(([, cells]) => familiesOf(cells) > 1);
}

/** Items by key, in the order of their first. */
function group<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): (readonly [Key, Item[]])[] {
  const groups = new Map<Key, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups];
}
