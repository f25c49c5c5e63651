import { cellName } from '../../results/cell-name.ts';
import { type CellChange, CHANGE_KINDS, type ChangeKind, type Comparison } from '../../results/compare.ts';
import type { CellResult } from '../../results/results.ts';
import { countVerdicts, RED_VERDICTS } from '../../results/verdicts.ts';
import { answerKey } from '../answers.ts';
import { inGroups } from '../group-by.ts';
import type { Group, Leaf, Part } from './budget.ts';
import { codeSpan, inlineText, link, tableHead, tableRow } from './escape.ts';
import { priorityOf } from './folded.ts';
import { briefly, cellUrl, countsInWords, kernelLinks, nameList, outcomeInWords, verdictMark } from './phrases.ts';

/** How early each kind of change gets its place: what a maintainer has to look at, before what is good to know. */
const URGENCY: Readonly<Record<ChangeKind, number>> = {
  regressed: 0,
  flaky: 0,
  vanished: 1,
  changed: 1,
  new: 2,
  fixed: 2,
};

/** A table of what changed, worst first; no parts if nothing did. Then the kernels that are not the same any more, which may explain it. */
export function changeParts(comparison: Comparison, siteUrl: string | undefined, priority: number): Part[] {
  const several = new Set(comparison.changes.map(({ loader }) => loader)).size > 1;
  const rows = groupChanges(comparison.changes).map((changes, index): Leaf => {
    const [first] = changes;
    const kind = first?.kind ?? 'changed';
    return {
      texts: [renderRow(changes, siteUrl, several)],
      priority: priorityOf(index, priority + URGENCY[kind] / 10),
      noun: { one: `cell that is ${WORDS[kind]}`, many: `cells that are ${WORDS[kind]}` },
      count: changes.length,
    };
  });
  const kernels = comparison.kernels.map(
    ({ name, base, head }): Leaf => ({
      texts: [`- ${codeSpan(name)}: ${inlineText(base)} before, ${inlineText(head)} now\n`],
      priority: priority + 0.3,
      noun: { one: 'changed kernel', many: 'changed kernels' },
    }),
  );
  const table: Group = {
    open: `\n${tableHead(['Change', 'Program', 'Kernels', 'Before', 'Now'])}`,
    close: '',
    parts: rows,
  };
  const list: Group = {
    open: `\n${kernels.length === 1 ? 'A kernel is' : `${kernels.length} kernels are`} not the same as in the base run:\n\n`,
    close: '',
    parts: kernels,
  };
  return [...(rows.length > 0 ? [table] : []), ...(kernels.length > 0 ? [list] : [])];
}

const WORDS: Readonly<Record<ChangeKind, string>> = {
  regressed: 'regressed',
  flaky: 'flaky',
  vanished: 'gone',
  changed: 'changed',
  new: 'new',
  fixed: 'fixed',
};

/**
 * Changes that are told in one line: the same change of a program on several kernels; and, unless the cells are red now, of several programs on the same
 * kernels. Those of new and vanished cells need not have ended alike for that.
 */
function groupChanges(changes: readonly CellChange[]): CellChange[][] {
  const onKernels = inGroups(changes, (change) => {
    const { kind, loader, program, variant, base, head } = change;
    return JSON.stringify([
      kind,
      loader,
      program,
      variant,
      isRed(change) ? null : sideKey(base, kind),
      sideKey(head, kind),
    ]);
  });
  const groups = inGroups(onKernels, (group) => {
    const [first] = group;
    if (first === undefined || isRed(first)) return group;
    const { kind, loader, base, head } = first;
    return JSON.stringify([kind, loader, sideKey(base, kind), sideKey(head, kind), group.map(({ kernel }) => kernel)]);
  });
  const order = (group: readonly CellChange[]): number => CHANGE_KINDS.indexOf(group[0]?.kind ?? 'changed');
  return groups.map((group) => group.flat()).sort((left, right) => order(left) - order(right));
}

function isRed({ head }: CellChange): boolean {
  return head !== null && RED_VERDICTS.has(head.verdict);
}

function sideKey(cell: CellResult | null, kind: ChangeKind): unknown {
  if (cell === null) return null;
  if (RED_VERDICTS.has(cell.verdict)) return [cell.verdict, answerKey(cell)];
  return kind === 'new' || kind === 'vanished' ? 'as expected' : [cell.verdict, outcomeInWords(cell)];
}

function renderRow(changes: readonly CellChange[], siteUrl: string | undefined, severalLoaders: boolean): string {
  const [first] = changes;
  if (first === undefined) return '';
  const programs = [...new Set(changes.map(({ program, variant }) => cellName(program, variant)))];
  const loader = severalLoaders ? ` with ${codeSpan(first.loader)}` : '';
  const url = first.kind === 'vanished' ? undefined : siteUrl;
  return tableRow([
    isRed(first) || first.kind === 'vanished' ? `**${first.kind}**` : first.kind,
    `${programs.length === 1 ? link(nameList(programs), cellUrl(url, first)) : nameList(programs, 4)}${loader}`,
    kernelLinks(changes, [], url),
    side(
      changes.map(({ base }) => base),
      false,
    ),
    side(
      changes.map(({ head }) => head),
      true,
    ),
  ]);
}

/** One side of a change: how cells that are told together ended. */
function side(all: readonly (CellResult | null)[], withReason: boolean): string {
  const cells = all.filter((cell) => cell !== null);
  const [first] = cells;
  if (first === undefined) return '—';
  const alike = cells.every(({ verdict }) => verdict === first.verdict);
  if (!alike) return countsInWords(countVerdicts(cells));
  const mark = verdictMark(first.verdict);
  const kind = first.outcome.class === 'ok' ? mark : `${mark} ${inlineText(first.outcome.class)}`;
  if (!withReason || !RED_VERDICTS.has(first.verdict)) return kind;
  const outcome = inlineText(outcomeInWords(first));
  const reason = inlineText(briefly(first.why));
  return outcome === '' ? `${mark}: ${reason}` : `${mark} ${outcome}: ${reason}`;
}
