import { OUR_LOADER } from '../config/loader-entries.ts';
import { type CellChange, CHANGE_KINDS, type ChangeKind, type Comparison } from '../results/compare.ts';
import type { CellResult } from '../results/results.ts';
import { VERDICTS } from '../results/verdicts.ts';
import { type ChangeGroup, describeChange, groupChanges } from './change-groups.ts';
import { flow, type Word, words } from './flow.ts';
import { lookOf, paintVerdict } from './looks.ts';
import type { Paint } from './paint.ts';

/** What each kind of change means, for headings and legends. */
export const CHANGE_MEANINGS: Readonly<Record<ChangeKind, string>> = {
  regressed: 'was as expected, or was at least tried, and is not any more',
  flaky: 'ended differently when it was run again',
  vanished: 'is in the older run alone',
  changed: 'is neither better nor worse, and yet not the same',
  new: 'is in the newer run alone',
  fixed: 'was red, and is not any more',
};

/**
 * Two runs held against each other, for a terminal: how much changed first, then what, the worst kind first, cells that changed alike in one line.
 * Ends with a newline.
 *
 * @param width of the terminal in columns; lines are broken between words to fit
 */
export function renderComparison(
  comparison: Comparison,
  paint: Paint,
  width: number = Number.POSITIVE_INFINITY,
): string {
  const { base, head, kernels, changes } = comparison;
  const named = changes.some(({ loader }) => loader !== OUR_LOADER);
  const groups = groupChanges(changes);
  const blocks = [
    [
      summarise(comparison, paint),
      ...flow([...words('base', paint.dim), ...words(describeRun(base))], width, INDENT, 0),
      ...flow([...words('head', paint.dim), ...words(describeRun(head))], width, INDENT, 0),
    ],
    kernels.length === 0
      ? []
      : [
          paint.strong('kernels that are not the same in both runs'),
          ...kernels.flatMap(({ name, base: before, head: after }) =>
            flow([...words(name, paint.strong), ...words(`${before} → ${after}`)], width, 2 * INDENT, INDENT),
          ),
        ],
    ...CHANGE_KINDS.map((kind) => renderKind(kind, comparison.counts[kind], groups, { paint, width, named })),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** `2 regressed, 1 fixed; 547 as before`. */
export function summariseComparison({ counts, unchanged }: Pick<Comparison, 'counts' | 'unchanged'>): string {
  const parts = CHANGE_KINDS.filter((kind) => counts[kind] > 0).map((kind) => `${counts[kind]} ${kind}`);
  return `${parts.length === 0 ? 'nothing changed' : parts.join(', ')}; ${unchanged} as before`;
}

function summarise(comparison: Comparison, paint: Paint): string {
  const { regressed, flaky, vanished } = comparison.counts;
  const text = summariseComparison(comparison);
  if (regressed + flaky + vanished > 0) return paint.bad(text);
  return comparison.changes.length === 0 ? paint.good(text) : paint.strong(text);
}

/** Digits of a commit that tell it from others. */
const COMMIT_DIGITS = 12;

function describeRun({ id, origin, totals }: Comparison['base']): string {
  const cells = Object.values(totals).reduce((sum, count) => sum + count, 0);
  const changed = origin.modified === true ? ' and changes to it' : '';
  const commit = origin.commit === null ? '' : `, commit ${origin.commit.slice(0, COMMIT_DIGITS)}${changed}`;
  return `${id}${commit}, ${cells} ${cells === 1 ? 'cell' : 'cells'}`;
}

interface View {
  readonly paint: Paint;
  readonly width: number;
  /** Whether loaders are named, because there is another than ours. */
  readonly named: boolean;
}

function renderKind(kind: ChangeKind, count: number, groups: readonly ChangeGroup[], view: View): string[] {
  if (count === 0) return [];
  const { paint } = view;
  return [
    `${paint.strong(`${count} ${kind}`)}${paint.dim(`: ${CHANGE_MEANINGS[kind]}`)}`,
    ...groups.filter((group) => group.kind === kind).flatMap((group) => renderGroup(group, view)),
  ];
}

function renderGroup(group: ChangeGroup, { paint, width, named }: View): string[] {
  const { programs, kernels, loaders, changes } = group;
  const title = [
    ...transition(changes, paint),
    ...words(listed(programs), paint.strong),
    ...words(`on ${kernels.join(', ')}`),
    ...(named ? words(`with ${loaders.join(', ')}`) : []),
  ];
  return [
    ...flow(title, width, INDENT, 0),
    ...describeChange(group).flatMap((line) => flow(words(line, paint.dim), width, INDENT)),
  ];
}

const INDENT = 4;

/** Programs that are named before it is only said how many more there are. */
const MOST_PROGRAMS = 6;

function listed(programs: readonly string[]): string {
  const shown = programs.slice(0, MOST_PROGRAMS).join(', ');
  const more = programs.length - MOST_PROGRAMS;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** Verdicts before and after: `✔ pass → ✖ FAIL`. */
function transition(changes: readonly CellChange[], paint: Paint): Word[] {
  const side = (cells: readonly (CellResult | null)[]): Word[] => {
    const verdicts = VERDICTS.filter((verdict) => cells.some((cell) => cell?.verdict === verdict));
    if (verdicts.length === 0) return words('nothing', paint.dim);
    return verdicts.map((verdict, index) => ({
      text: `${lookOf(verdict)}${index < verdicts.length - 1 ? ',' : ''}`,
      paint: (text) => paintVerdict(verdict, text, paint),
    }));
  };
  return [...side(changes.map(({ base }) => base)), ...words('→'), ...side(changes.map(({ head }) => head))];
}
