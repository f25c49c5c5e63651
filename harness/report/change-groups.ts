import type { CellChange, ChangeKind } from '../results/compare.ts';
import type { CellResult } from '../results/results.ts';
import { RED_VERDICTS } from '../results/verdicts.ts';
import { type Alike, gatherAlike } from './alike.ts';
import { answerKey, describeAnswer } from './answers.ts';

/** Changes that are told at once: one or several programs whose cells changed alike on the same kernels. */
export interface ChangeGroup extends Omit<Alike<CellChange>, 'items'> {
  readonly kind: ChangeKind;
  readonly changes: readonly CellChange[];
}

/**
 * Puts changes together: kernels on which a program changed alike, then programs that changed alike on the same kernels, then loaders. Alike is the same
 * verdict, class, phase and errno before and after, and the same reason where it is red now; of cells that only one run has, none of them red, the
 * verdicts may differ. The order stays.
 */
export function groupChanges(changes: readonly CellChange[]): ChangeGroup[] {
  const groups = gatherAlike(
    changes,
    (change) => change,
    likeness,
    () => true,
  );
  return groups.map(({ items, ...group }) => ({ ...group, kind: group.example.kind, changes: items }));
}

/**
 * Why, in lines of plain text that are as hostile as what they come from: why it is red now; else why it was, if it was; for a cell that changed
 * otherwise, its classes; nothing if it ran as expected.
 */
export function describeChange({ example, programs }: Pick<ChangeGroup, 'example' | 'programs'>): string[] {
  const { kind, base, head } = example;
  if (head !== null && isRed(head)) return describeAnswer({ example: head, programs });
  if (kind === 'fixed' && base !== null)
    return describeAnswer({ example: base, programs })
      .slice(0, 1)
      .map((line) => `was ${line}`);
  if (kind !== 'changed') return [];
  return [`${classOf(head)}; was ${classOf(base)}`];
}

function classOf(cell: CellResult | null): string {
  if (cell === null) return 'not there';
  const { class: kind, phase, errno } = cell.outcome;
  return `${kind} in phase ${phase}${errno === undefined ? '' : ` (${errno})`}`;
}

/** The same for changes that can be told at once. */
function likeness({ kind, base, head }: CellChange): string {
  // Which cells are only in one run is told kernel by kernel rather than verdict by verdict, as long as nothing is wrong with them.
  const alone = kind === 'new' || kind === 'vanished';
  const told = (cell: CellResult | null): unknown => {
    if (cell === null || (alone && !isRed(cell))) return null;
    return [cell.verdict, classOf(cell)];
  };
  return JSON.stringify([kind, told(base), told(head), head !== null && isRed(head) ? answerKey(head) : null]);
}

function isRed({ verdict }: CellResult): boolean {
  return RED_VERDICTS.has(verdict);
}
