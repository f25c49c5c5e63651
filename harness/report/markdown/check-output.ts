import type { RunResults } from '../../results/results.ts';
import { inOrder } from '../formats/order.ts';
import { fitParts, inBytes, inCharacters } from './budget.ts';
import { changeParts } from './change-parts.ts';
import { endedAt, listFailures } from './failures.ts';
import { PRIORITY, section } from './folded.ts';
import { gridParts } from './grid-parts.ts';
import { headline, shortHead } from './head-parts.ts';
import { expectedParts, rangeParts } from './more-parts.ts';
import { counted, elsewhere, type MarkdownOptions } from './phrases.ts';
import { redAnswers, redParts } from './red-parts.ts';

/** Most bytes of UTF-8 of a check run's summary, and of its text ("Create a check run" in GitHub's REST API speaks of characters, and counts bytes). */
export const CHECK_BYTES = 65_535;

/** Most bytes of an annotation's message, and of its details (64 KB). */
const ANNOTATION_BYTES = 64_000;
const TITLE_CHARACTERS = 255;

/** More annotations than this nobody reads, and each 50 of them are a request. */
const MOST_ANNOTATIONS = 250;

/** A remark on a line of a file, in the words of "Create a check run" in GitHub's REST API. */
export interface CheckAnnotation {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly annotation_level: 'failure' | 'warning' | 'notice';
  readonly message: string;
  readonly title: string;
  readonly raw_details: string;
}

/** What a check run shows. */
export interface CheckOutput {
  readonly title: string;
  readonly summary: string;
  readonly text: string;
  /** The same failure on a line is one, whatever the number of kernels. */
  readonly annotations: readonly CheckAnnotation[];
}

/**
 * The output of a check run: what changed and what is red in its summary, everything else in its text.
 * @param options.maxBytes never more bytes of UTF-8 than this, in the summary and in the text; what does not fit is counted at their ends
 */
export function renderCheckOutput(
  unordered: RunResults,
  options: MarkdownOptions & { readonly maxBytes?: number | undefined } = {},
): CheckOutput {
  const results = inOrder(unordered);
  const { comparison, siteUrl, maxBytes = CHECK_BYTES } = options;
  const budget = {
    limit: Math.min(maxBytes, CHECK_BYTES),
    measure: inBytes,
    elsewhere: elsewhere(siteUrl, results.origin.url),
  };
  const failures = listFailures(results, comparison);
  const left = failures.length - MOST_ANNOTATIONS;
  const note = `\n${counted(left, { one: 'failure has', many: 'failures have' })} no annotation, because there are so many.\n`;
  const noun = { one: 'a note', many: null };
  const summary = [
    ...shortHead(results, options),
    ...(left > 0 ? [{ texts: [note], priority: 0, noun }] : []),
    ...(comparison === undefined ? [] : changeParts(comparison, siteUrl, PRIORITY.changes)),
    section('Red cells', 3, [redParts(redAnswers(results, comparison), results, options, PRIORITY.red)]),
  ];
  const text = [
    section('Grid', 3, gridParts(results, options, PRIORITY.grid)),
    section('Since and until', 3, [rangeParts(results, options, PRIORITY.ranges)]),
    section('Refused, as expected', 3, [expectedParts(results, options, PRIORITY.expected)]),
  ];
  return {
    title: endedAt(headline(results, comparison), TITLE_CHARACTERS, inCharacters),
    summary: fitParts(summary, budget),
    text: fitParts(text, budget),
    annotations: failures.slice(0, MOST_ANNOTATIONS).map(({ path, line, level, title, message, details }) => ({
      path,
      start_line: line,
      end_line: line,
      annotation_level: level,
      message: endedAt(message, ANNOTATION_BYTES, inBytes),
      title: endedAt(title, TITLE_CHARACTERS, inCharacters),
      raw_details: endedAt(details, ANNOTATION_BYTES, inBytes),
    })),
  };
}
