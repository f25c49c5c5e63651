import type { RunResults } from '../../results/results.ts';
import { inOrder } from '../formats/order.ts';
import { fitParts, inCharacters } from './budget.ts';
import { changeParts } from './change-parts.ts';
import { folded, PRIORITY, section } from './folded.ts';
import { wholeGrid } from './grid-parts.ts';
import { shortHead } from './head-parts.ts';
import { elsewhere, type MarkdownOptions } from './phrases.ts';
import { redAnswers, redParts } from './red-parts.ts';

/** Most characters of a comment; GitHub refuses a longer one: "body is too long (maximum is 65536 characters)". */
export const COMMENT_CHARACTERS = 65_536;

/** Room for the marker by which a comment is found again. */
const MARKER_CHARACTERS = 256;

/**
 * The comment on a pull request: what changed first, then red cells, then the grid, folded.
 * @param options.runUrl address of the run on GitHub
 * @param options.maxCharacters never more UTF-16 code units than this; what does not fit is counted at the end
 */
export function renderComment(
  unordered: RunResults,
  options: MarkdownOptions & { readonly runUrl?: string | undefined; readonly maxCharacters?: number | undefined } = {},
): string {
  const results = inOrder(unordered);
  const { comparison, siteUrl, runUrl, maxCharacters = COMMENT_CHARACTERS - MARKER_CHARACTERS } = options;
  const parts = [
    ...shortHead(results, options, runUrl),
    ...(comparison === undefined ? [] : changeParts(comparison, siteUrl, PRIORITY.changes)),
    section('Red cells', 3, [redParts(redAnswers(results, comparison), results, options, PRIORITY.red)]),
    folded('All cells', [wholeGrid(results, options, PRIORITY.grid)]),
  ];
  return fitParts(parts, {
    limit: Math.min(maxCharacters, COMMENT_CHARACTERS),
    measure: inCharacters,
    elsewhere: elsewhere(siteUrl, runUrl ?? results.origin.url),
  });
}
