import { cellName } from '../../results/cell-name.ts';
import type { Comparison } from '../../results/compare.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { answerKey } from '../answers.ts';
import { inGroups } from '../group-by.ts';
import { lookOf } from '../looks.ts';
import { repeatCommand } from '../repeat.ts';
import { oneLine, visible } from './escape.ts';
import { lastLines } from './log-lines.ts';
import { plainLines } from './phrases.ts';
import { redAnswers } from './red-parts.ts';

/** A line of a C file, and what went wrong there: in plain text, on however many kernels, with however many loaders. */
export interface Failure {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly line: number;
  /** Nothing is wrong with the program if the harness broke, and perhaps nothing if it ended differently the next time. */
  readonly level: 'failure' | 'warning';
  /** On one line, as long as the names make it. */
  readonly title: string;
  readonly message: string;
  /** Logs, and how to repeat it. */
  readonly details: string;
}

/** The red cells of a run by the line of C that decided them, those first that changed since the base run. */
export function listFailures(results: RunResults, comparison: Comparison | undefined): Failure[] {
  const sources = new Map(results.programs.map(({ name, source }) => [name, source]));
  const found = redAnswers(results, comparison).flatMap(({ cells, change }) =>
    cells.map((cell) => ({ cell, change, ...placeOf(cell, sources) })),
  );
  const groups = inGroups(found, ({ cell, change, path, line }) =>
    JSON.stringify([path, line, cell.verdict, change, answerKey(cell)]),
  );
  return groups.flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { cell, change, path, line } = first;
    const cells = group.map((one) => one.cell);
    const programs = names(cells.map(({ program, variant }) => cellName(program, variant)));
    const kernels = names(cells.map(({ kernel }) => kernel));
    const loaders = results.loaders.length > 1 ? ` with ${names(cells.map(({ loader }) => loader))}` : '';
    const about = cell.location === null ? [] : [`${cell.location.text}  ← ${cell.location.about}`];
    const { verdict } = cell;
    return {
      path,
      line,
      level: verdict === 'infra' || verdict === 'flaky' ? 'warning' : 'failure',
      title: oneLine(`${lookOf(verdict)} ${programs} on ${kernels}${loaders}`),
      message: visible(
        [
          ...(change === '' ? [] : [`Compared with the base run: ${change}`]),
          ...plainLines({ example: cell, programs: [''] }),
          ...about,
          `on ${kernels}${loaders}`,
        ].join('\n'),
      ),
      details: visible(
        [
          ...(cell.verifierLog === null ? [] : ["The verifier's log:", lastLines(cell.verifierLog.split('\n')), '']),
          ...(cell.console.length === 0 ? [] : ['On the console:', lastLines(cell.console), '']),
          `To repeat it: ${repeatCommand(cell, results)}`,
        ].join('\n'),
      ),
    };
  });
}

/** As much of plain text as fits, with an ellipsis where it was ended; never half a character. */
export function endedAt(text: string, most: number, measure: (text: string) => number): string {
  if (measure(text) <= most) return text;
  const end = ' …';
  let left = most - measure(end);
  let kept = '';
  for (const character of text) {
    left -= measure(character);
    if (left < 0) break;
    kept += character;
  }
  return most < measure(end) ? '' : `${kept}${end}`;
}

/** The line that decided a cell; the first one of its program if that is not known. What is no path in a repository is never named. */
function placeOf(
  { location, program }: CellResult,
  sources: ReadonlyMap<string, string>,
): { path: string; line: number } {
  const path = location?.path ?? sources.get(program) ?? '';
  const odd = path === '' || path.startsWith('/') || path.split('/').includes('..') || visible(path) !== path;
  return odd || path.includes('\n') ? { path: 'matrix.yaml', line: 1 } : { path, line: location?.line ?? 1 };
}

function names(all: readonly string[]): string {
  return [...new Set(all)].join(', ');
}
