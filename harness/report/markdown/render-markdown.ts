import type { RunResults } from '../../results/results.ts';
import { fitParts, inBytes } from './budget.ts';
import { changeParts } from './change-parts.ts';
import { PRIORITY } from './folded.ts';
import { gridParts } from './grid-parts.ts';
import { fullHead } from './head-parts.ts';
import { expectedParts, kernelParts, programParts, rangeParts, repeatParts } from './more-parts.ts';
import { elsewhere, type MarkdownOptions } from './phrases.ts';
import { redAnswers, redParts } from './red-parts.ts';

/** Everything about a run as GitHub Flavored Markdown, for documentation and releases: as long as it gets. */
export function renderMarkdown(results: RunResults, options: MarkdownOptions = {}): string {
  const { comparison, siteUrl } = options;
  const parts = [
    ...fullHead(results, options),
    ...(comparison === undefined ? [] : changeParts(comparison, siteUrl, PRIORITY.changes)),
    redParts(redAnswers(results, comparison), results, options, PRIORITY.red),
    { open: '\n#### Grid\n', close: '', parts: gridParts(results, options, PRIORITY.grid) },
    rangeParts(results, options, PRIORITY.ranges),
    expectedParts(results, options, PRIORITY.expected),
    programParts(results, options, PRIORITY.programs),
    kernelParts(results, options, PRIORITY.kernels),
    ...repeatParts(results, PRIORITY.repeat),
  ];
  return fitParts(parts, { limit: Number.POSITIVE_INFINITY, measure: inBytes, elsewhere: elsewhere(siteUrl, null) });
}
