import type { Comparison } from '../../results/compare.ts';
import type { RunResults } from '../../results/results.ts';
import { inOrder } from '../formats/order.ts';
import { inCharacters } from './budget.ts';
import { endedAt, type Failure, listFailures } from './failures.ts';

/** Annotations of a kind that GitHub makes of what one step prints; of the rest nothing is shown. */
export const ANNOTATIONS_PER_STEP = 10;

/** The runner ends a longer message (`_maxIssueMessageLength` in ExecutionContext.cs of actions/runner). */
const MESSAGE_CHARACTERS = 4096;
const TITLE_CHARACTERS = 255;

/**
 * Workflow commands that annotate the lines of C that decided the red cells, for the standard output of a step ("Setting an error message" in GitHub's
 * documentation of workflow commands). Empty if no cell is red. Where there are more than {@link ANNOTATIONS_PER_STEP} of a kind, the last one
 * counts those that are left.
 */
export function renderAnnotations(
  results: RunResults,
  options: { readonly comparison?: Comparison | undefined } = {},
): string {
  const failures = listFailures(inOrder(results), options.comparison);
  return [
    ...commands(
      'error',
      'failures',
      failures.filter(({ level }) => level === 'failure'),
    ),
    ...commands(
      'warning',
      'warnings',
      failures.filter(({ level }) => level === 'warning'),
    ),
  ].join('');
}

function commands(command: 'error' | 'warning', word: string, failures: readonly Failure[]): string[] {
  if (failures.length <= ANNOTATIONS_PER_STEP) return failures.map((failure) => annotate(command, failure));
  const shown = failures.slice(0, ANNOTATIONS_PER_STEP - 1);
  const left = `${failures.length - shown.length} more ${word} are in the summary of this job`;
  return [
    ...shown.map((failure) => annotate(command, failure)),
    `::${command} title=ksym-matrix::${escapeData(left)}\n`,
  ];
}

function annotate(command: string, { path, line, title, message }: Failure): string {
  const properties = `file=${escapeProperty(path)},line=${line},title=${escapeProperty(endedAt(title, TITLE_CHARACTERS, inCharacters))}`;
  return `::${command} ${properties}::${escapeData(endedAt(message, MESSAGE_CHARACTERS, inCharacters))}\n`;
}

/** Escaped as `@actions/core` does it (command.ts of actions/toolkit). The older form of a command, `##[`, is looked for in all of a line. */
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('##[', '## [');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
