import type { Comparison } from '../../results/compare.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { type Answer, groupAnswers } from '../answers.ts';
import type { CellName } from '../cell-link.ts';
import { repeatCommand } from '../repeat.ts';
import type { Group } from './budget.ts';
import { codeSpan, fencedCode, htmlText, inlineText, link } from './escape.ts';
import { priorityOf } from './folded.ts';
import { lastLines } from './log-lines.ts';
import { answerLines, cellUrl, kernelLinks, type MarkdownOptions, nameList, verdictMark } from './phrases.ts';

/** The red cells of a run, those that ended alike put together, those first that became so since the base run. */
export function redAnswers(results: RunResults, comparison: Comparison | undefined): RedAnswer[] {
  const red = results.cells.filter(({ verdict }) => RED_VERDICTS.has(verdict));
  const kinds = new Map(comparison?.changes.map((change) => [keyOf(change), change.kind]));
  const answers = groupAnswers({ cells: red, programs: results.programs }).map((answer) => {
    const found = answer.cells.flatMap((cell) => kinds.get(keyOf(cell)) ?? []);
    return { ...answer, change: [...new Set(found)].join(', ') };
  });
  return [...answers.filter(({ change }) => change !== ''), ...answers.filter(({ change }) => change === '')];
}

/** Red cells that ended alike, and what is said of them in the comparison: `regressed`; empty if nothing is. */
export type RedAnswer = Answer & { readonly change: string };

/** A paragraph for all red cells that ended alike, with evidence folded below it as far as there is room. */
export function redParts(
  answers: readonly RedAnswer[],
  results: RunResults,
  { comparison, siteUrl }: MarkdownOptions,
  priority: number,
): Group {
  const parts = answers.map((answer, index) => {
    const { example, programs, cells, loaders, change } = answer;
    const names = link(nameList(programs), cellUrl(siteUrl, example));
    const by = results.loaders.length > 1 ? ` with ${nameList(loaders)}` : '';
    const state = change !== '' ? ` — **${change}**` : comparison === undefined ? '' : ' — as in the base run';
    const title = `${verdictMark(answer.verdict)} ${names} on ${kernelLinks(cells, results.kernels, siteUrl)}${by}${state}`;
    const lines = [title, ...answerLines(answer)];
    const brief = `\n${lines.join('<br>\n')}\n`;
    return {
      texts: [`${brief}${renderEvidence(example, results)}`, brief],
      priority: priorityOf(index, priority),
      noun: { one: 'red cell', many: 'red cells' },
      shortened: { one: "red cell's evidence", many: "red cells' evidence" },
      count: cells.length,
    };
  });
  return { open: '', close: '', parts };
}

/** What is known of one cell, folded: what was expected, the line of the source, values, externs, logs, how to repeat it. */
function renderEvidence(cell: CellResult, results: RunResults): string {
  const { expected, location, verifierLog, console, kernel } = cell;
  const facts = [
    ...(expected === null
      ? []
      : [`Expected: ${expectation(expected.outcome)}: ${inlineText(expected.reason)} (${codeSpan(expected.source)})`]),
    ...(location === null
      ? []
      : [
          `${codeSpan(`${location.path}:${location.line}`)}: ${codeSpan(location.text)}: ${inlineText(location.about)}`,
        ]),
    ...someOf(
      cell.values.filter(({ holds }) => !holds),
      ({ program, variable, cpu, value, relation, truth }) =>
        `${codeSpan(`${program}.${variable}`)} on CPU ${cpu} is ${value}, and should ${relation === 'equals' ? 'be' : 'differ from'} ${truth}`,
    ),
    ...someOf(
      cell.externs.filter(({ result }) => result === 'error' || result === 'null'),
      ({ name, result, reason = '', explanation = '' }) =>
        `${codeSpan(name)}: ${result === 'null' ? 'NULL' : 'error'}, ${codeSpan(reason)}: ${inlineText(explanation)}`,
    ),
  ];
  const list = facts.length === 0 ? '' : `\n${facts.map((fact) => `- ${fact}\n`).join('')}`;
  const log =
    verifierLog === null || verifierLog === ''
      ? ''
      : `\nThe verifier's log:\n${fencedCode(lastLines(verifierLog.split('\n')))}`;
  const printed = console.length === 0 ? '' : `\nOn the console:\n${fencedCode(lastLines(console))}`;
  const repeat = `\nTo repeat it:\n${fencedCode(repeatCommand(cell, results), 'sh')}`;
  return `\n<details><summary>Evidence from ${htmlText(kernel)}</summary>\n${list}${log}${printed}${repeat}\n</details>\n`;
}

function expectation(outcome: unknown): string {
  if (typeof outcome !== 'object' || outcome === null) return inlineText(String(outcome));
  const parts = Object.entries(outcome).map(([name, value]) => `${inlineText(name)} ${codeSpan(String(value))}`);
  return parts.join(', ');
}

/** Beyond this many lines of a kind, the rest is counted. */
const MOST_LINES = 6;

function someOf<Item>(items: readonly Item[], render: (item: Item) => string): string[] {
  const lines = items.slice(0, MOST_LINES).map(render);
  return items.length > MOST_LINES ? [...lines, `${items.length - MOST_LINES} more like this`] : lines;
}

function keyOf({ kernel, loader, program, variant }: CellName): string {
  return [kernel, loader, program, variant].join('\0');
}
