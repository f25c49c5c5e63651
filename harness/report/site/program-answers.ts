import type { CellResult } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import type { GridRow } from '../rows.ts';
import type { Site } from './site.ts';

/** Cells of one program and variant that ended in the same way for the same reason, on whatever kernels, by whatever loaders. */
export interface ProgramAnswer {
  readonly variant: string;
  readonly red: boolean;
  /** By loader, then from the oldest kernel to the newest. Never empty. */
  readonly cells: readonly [CellResult, ...CellResult[]];
}

/** What the cells of a program came to, each answer once: red ones first, then variant by variant. */
export function groupProgramAnswers({ kernels }: Pick<Site, 'kernels'>, rows: readonly GridRow[]): ProgramAnswer[] {
  const withoutNumbers = numbersRemover();
  const groups = new Map<string, { variant: string; red: boolean; cells: [CellResult, ...CellResult[]] }>();
  for (const row of rows) {
    for (const { name } of kernels) {
      const cell = row.cells.get(name);
      if (cell === undefined) continue;
      const key = answerKey(cell, withoutNumbers);
      const group = groups.get(key);
      if (group === undefined)
        groups.set(key, { variant: row.variant, red: RED_VERDICTS.has(cell.verdict), cells: [cell] });
      else group.cells.push(cell);
    }
  }
  const variants = [...new Set(rows.map(({ variant }) => variant))];
  return [...groups.values()].sort(
    (left, right) =>
      Number(right.red) - Number(left.red) || variants.indexOf(left.variant) - variants.indexOf(right.variant),
  );
}

/** Addresses and counts differ from kernel to kernel, so numbers do not tell answers apart; reasons of expectations are compared as they stand. */
function answerKey(
  { variant, verdict, outcome, why, expected, splats, leftovers, attempts = [] }: CellResult,
  withoutNumbers: (text: string) => string,
): string {
  const said = verdict === 'pass' || verdict === 'xfail' ? null : withoutNumbers(why);
  const more = [
    splats.map(({ rule, allowed }) => [rule, allowed]),
    leftovers.length,
    attempts.map((one) => [one.verdict, one.class]),
  ];
  return JSON.stringify([
    variant,
    verdict,
    outcome.class,
    outcome.phase,
    outcome.errno,
    withoutNumbers(outcome.message),
    said,
    expected?.reason,
    more,
  ]);
}

/** Many cells say the same: a large run has few texts, and each need be looked at but once. */
function numbersRemover(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const found = known.get(text) ?? text.replace(/0x[0-9a-f]+|\d+/g, 'N');
    known.set(text, found);
    return found;
  };
}
