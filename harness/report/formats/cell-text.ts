import type { CellResult, RunResults } from '../../results/results.ts';
import { repeatCommand } from '../repeat.ts';
import { sentenceOf } from '../sentence.ts';

/** Why a cell is red, in paragraphs for people: what it did, why that is wrong, the line of C, what the kernel said, how to repeat it. */
export function explainCell(cell: CellResult, results: Pick<RunResults, 'matrix' | 'cells' | 'loaders'>): string {
  const { why, expected, location, attempts = [], verifierLog } = cell;
  const complaints = cell.splats.filter(({ allowed }) => allowed === null).map(({ rule, text }) => `${rule}: ${text}`);
  const paragraphs = [
    sentenceOf(cell),
    why,
    ...(expected === null ? [] : [describeExpectation(expected, why)]),
    ...(location === null ? [] : [`${location.path}:${location.line}: ${location.about}\n    ${location.text}`]),
    ...(attempts.length === 0 ? [] : [attempts.map(describeAttempt).join('\n')]),
    ...(complaints.length === 0 ? [] : [`on the console:\n${complaints.join('\n')}`]),
    ...(verifierLog === null ? [] : [`verifier log:\n${verifierLog.trimEnd()}`]),
    `to repeat it: ${repeatCommand(cell, results)}`,
  ];
  return `${paragraphs.map((paragraph) => paragraph.trim()).join('\n\n')}\n`;
}

/** A stable name of why a cell is red: the class of its outcome, or the verdict where that says more. */
export function redType({ verdict, outcome }: CellResult): string {
  return verdict === 'flaky' || outcome.class === 'ok' ? verdict : outcome.class;
}

/** The first line of why a cell is what it is. */
export function shortWhy({ why }: Pick<CellResult, 'why'>): string {
  const [line = ''] = why.trim().split('\n');
  return line.trim();
}

/** Why often ends with the reason already. */
function describeExpectation({ source, reason }: NonNullable<CellResult['expected']>, why: string): string {
  return why.includes(reason) ? `expected by ${source}` : `expected by ${source}: ${reason}`;
}

type Attempt = NonNullable<CellResult['attempts']>[number];

function describeAttempt(attempt: Attempt, index: number, all: readonly Attempt[]): string {
  return `run ${index + 1} of ${all.length}: ${attempt.verdict}, ${attempt.class}: ${shortWhy(attempt)}`;
}
