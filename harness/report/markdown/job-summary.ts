import type { RunResults } from '../../results/results.ts';
import { inOrder } from '../formats/order.ts';
import { fitParts, inBytes } from './budget.ts';
import { changeParts } from './change-parts.ts';
import { folded, PRIORITY, section } from './folded.ts';
import { gridParts } from './grid-parts.ts';
import { shortHead } from './head-parts.ts';
import { expectedParts, kernelParts, rangeParts } from './more-parts.ts';
import { elsewhere, type MarkdownOptions } from './phrases.ts';
import { redAnswers, redParts } from './red-parts.ts';

/** Most bytes of a step's summary; of a larger one GitHub shows nothing ("Adding a job summary" in its documentation of workflow commands: 1 MiB). */
export const SUMMARY_BYTES = 1024 * 1024;

/** Room for what a step may write into its summary beside this. */
const SPARE_BYTES = 16 * 1024;

/**
 * The summary of a job on GitHub, to be added to the file that GITHUB_STEP_SUMMARY names.
 * @param options.maxBytes never more bytes of UTF-8 than this; what does not fit is counted at the end
 */
export function renderJobSummary(
  unordered: RunResults,
  options: MarkdownOptions & { readonly maxBytes?: number | undefined } = {},
): string {
  const results = inOrder(unordered);
  const { comparison, siteUrl, maxBytes = SUMMARY_BYTES - SPARE_BYTES } = options;
  const parts = [
    ...shortHead(results, options),
    ...(comparison === undefined ? [] : changeParts(comparison, siteUrl, PRIORITY.changes)),
    section('Red cells', 3, [redParts(redAnswers(results, comparison), results, options, PRIORITY.red)]),
    section('Grid', 3, gridParts(results, options, PRIORITY.grid)),
    section('Since and until', 3, [rangeParts(results, options, PRIORITY.ranges)]),
    folded('What is refused, as expected, and why', [expectedParts(results, options, PRIORITY.expected)]),
    folded('Kernels, with the digests of their images', [kernelParts(results, options, PRIORITY.kernels)]),
  ];
  const where = elsewhere(siteUrl, results.origin.url);
  return fitParts(parts, { limit: Math.min(maxBytes, SUMMARY_BYTES), measure: inBytes, elsewhere: where });
}
