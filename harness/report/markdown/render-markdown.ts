import type { RunResults } from '../../results/results.ts';
import { inOrder } from '../formats/order.ts';
import { fitParts, inBytes } from './budget.ts';
import { changeParts } from './change-parts.ts';
import { PRIORITY, section } from './folded.ts';
import { gridParts } from './grid-parts.ts';
import { fullHead } from './head-parts.ts';
import { expectedParts, kernelParts, programParts, rangeParts, repeatParts } from './more-parts.ts';
import { elsewhere, type MarkdownOptions } from './phrases.ts';
import { redAnswers, redParts } from './red-parts.ts';

/** Everything about a run as GitHub Flavored Markdown, for documentation and releases: as long as it gets. */
export function renderMarkdown(unordered: RunResults, options: MarkdownOptions = {}): string {
  const results = inOrder(unordered);
  const { comparison, siteUrl } = options;
  const parts = [
    ...fullHead(results, options),
    section('Changes', 2, comparison === undefined ? [] : changeParts(comparison, siteUrl, PRIORITY.changes)),
    section('Red cells', 2, [redParts(redAnswers(results, comparison), results, options, PRIORITY.red)]),
    section('Grid', 2, gridParts(results, options, PRIORITY.grid)),
    section('Since and until', 2, [rangeParts(results, options, PRIORITY.ranges)]),
    section('Refused, as expected', 2, [expectedParts(results, options, PRIORITY.expected)]),
    section('Programs', 2, [programParts(results, options, PRIORITY.programs)]),
    section('Kernels', 2, [kernelParts(results, options, PRIORITY.kernels)]),
    section('To repeat it', 2, repeatParts(results, PRIORITY.repeat)),
  ];
  return fitParts(parts, { limit: Number.POSITIVE_INFINITY, measure: inBytes, elsewhere: elsewhere(siteUrl, null) });
}
