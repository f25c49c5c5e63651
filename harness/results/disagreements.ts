import { OUR_LOADER } from '../config/loader-entries.ts';
import { answerKind } from './answer-kinds.ts';
import type { CellResult, DifferencesResult, Disagreement, KnownDifferenceResult, RunResults } from './results.ts';
import { differingValues } from './value-agreement.ts';
import { RED_VERDICTS } from './verdicts.ts';

/**
 * What the loaders of a run disagree about: place by place (a program with a variant on a kernel), in the order of the cells. Undefined if there is one loader.
 *
 * Loaders are held against ours, else against those that do what the program expects. One that answers otherwise, or resolves or reads something
 * else, needs a known difference; and so does ours where loaders of two families agree with each other and not with it, unless they merely
 * cannot do such a thing.
 */
export function deriveDisagreements(
  { cells, loaders }: Pick<RunResults, 'cells' | 'loaders'>,
  known: readonly KnownDifferenceResult[],
): DifferencesResult | undefined {
  if (loaders.length < 2) return undefined;
  const families = new Map(loaders.map(({ name, family }) => [name, family ?? name]));
  const places = new Map<string, CellResult[]>();
  for (const cell of cells) {
    // What was not found out is no answer.
    if (cell.outcome.class === 'infra' || cell.verdict === 'flaky') continue;
    const key = JSON.stringify([cell.kernel, cell.program, cell.variant]);
    places.set(key, [...(places.get(key) ?? []), cell]);
  }
  const compared = [...places.values()].filter((place) => place.length > 1);
  const used = new Set(cells.map(({ difference }) => difference));
  return {
    compared: compared.length,
    known: known.filter(({ id }) => used.has(id)),
    disagreements: compared.flatMap((place) => disagreementAt(place, families) ?? []),
  };
}

/** The same for merged results: known differences are those of all parts, by id. */
export function mergeDisagreements(
  parts: readonly Pick<RunResults, 'differences'>[],
  merged: Pick<RunResults, 'cells' | 'loaders'>,
): DifferencesResult | undefined {
  const known = new Map(parts.flatMap(({ differences }) => differences?.known ?? []).map((one) => [one.id, one]));
  return deriveDisagreements(merged, [...known.values()]);
}

function disagreementAt(place: readonly CellResult[], families: ReadonlyMap<string, string>): Disagreement | undefined {
  const reference = referenceOf(place);
  if (reference === undefined) return undefined;
  const kind = kindOf(reference);
  const alike = place.filter((cell) => kindOf(cell) === kind);
  const values = differingValues(reference, alike);
  const odd = place.filter((cell) => !alike.includes(cell) || values.loaders.has(cell.loader));
  if (odd.length === 0) return undefined;
  const told = odd.map((cell) => ({ loader: cell.loader, difference: explanationOf(cell) }));
  const { kernel, program, variant } = reference;
  const alone =
    reference.loader === OUR_LOADER && standsAlone(reference, place, families)
      ? [{ loader: OUR_LOADER, difference: explanationOf(reference) }]
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
    values: values.list,
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

/** A known difference that says something else than what happened explains nothing. */
function explanationOf({ verdict, difference }: CellResult): string | null {
  return RED_VERDICTS.has(verdict) ? null : (difference ?? null);
}

/** Whether others, of more than one family, agree with each other and not with ours. */
function standsAlone(ours: CellResult, place: readonly CellResult[], families: ReadonlyMap<string, string>): boolean {
  const others = place.filter((cell) => cell !== ours && cell.outcome.class !== 'loader-lacks-feature');
  const kinds = new Set(others.map(kindOf));
  return (
    kinds.size === 1 &&
    !kinds.has(kindOf(ours)) &&
    new Set(others.map(({ loader }) => families.get(loader) ?? loader)).size > 1
  );
}

/** Items by key, in the order of their first. */
function group<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): (readonly [Key, Item[]])[] {
  const groups = new Map<Key, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups];
}
