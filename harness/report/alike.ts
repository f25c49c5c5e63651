import { cellName } from '../results/cell-name.ts';
import type { CellName } from './cell-link.ts';
import { inGroups } from './group-by.ts';

/** Things about cells that can be told at once: one or several programs, each on the same kernels, by the same loaders. */
export interface Alike<Item> {
  /** `PROGRAM`, or `PROGRAM@VARIANT`, each once, in the order of the items. */
  readonly programs: readonly string[];
  /** Each once, in the order of the items. */
  readonly kernels: readonly string[];
  /** Each once, in the order of the items. */
  readonly loaders: readonly string[];
  /** The one that speaks for all. */
  readonly example: Item;
  /** All of them, program by program. */
  readonly items: readonly Item[];
}

/**
 * Puts together what is alike: kernels of one program, then programs that are alike on the same kernels, then loaders of which all that holds.
 *
 * @param nameOf the cell that an item is about
 * @param likeness the same text for items that are alike
 * @param joins whether an item may be told together with other programs
 */
export function gatherAlike<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => CellName,
  likeness: (item: Item) => string,
  joins: (item: Item) => boolean,
): Alike<Item>[] {
  const known = items.map((item) => ({ item, ...nameOf(item), alike: likeness(item) }));
  const kernelsOf = (group: readonly CellName[]): string[] => group.map(({ kernel }) => kernel);
  const onKernels = inGroups(known, ({ loader, program, variant, alike }) =>
    JSON.stringify([loader, program, variant, alike]),
  );
  const byPrograms = inGroups(onKernels, (group) => {
    const [first] = group;
    return first === undefined || !joins(first.item)
      ? group
      : JSON.stringify([first.loader, first.alike, kernelsOf(group)]);
  });
  const byLoaders = inGroups(byPrograms, (groups) => {
    const [group = []] = groups;
    const names = groups.map(([first]) => [first?.program, first?.variant]);
    return JSON.stringify([names, group[0]?.alike, kernelsOf(group)]);
  });
  return byLoaders.flatMap((parts) => {
    const all = parts.flat(2);
    const [first] = all;
    if (first === undefined) return [];
    return {
      programs: [...new Set(all.map(({ program, variant }) => cellName(program, variant)))],
      kernels: [...new Set(all.map(({ kernel }) => kernel))],
      loaders: [...new Set(all.map(({ loader }) => loader))],
      example: first.item,
      items: all.map(({ item }) => item),
    };
  });
}
