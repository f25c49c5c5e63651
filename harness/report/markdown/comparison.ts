import type { Comparison } from '../../results/compare.ts';
import { fitParts, inCharacters } from './budget.ts';
import { changeParts } from './change-parts.ts';
import { COMMENT_CHARACTERS } from './comment.ts';
import { changesLine } from './head-parts.ts';
import { elsewhere } from './phrases.ts';

/**
 * Two runs held against each other, for `ksym-matrix diff --format markdown`: worst first.
 * @param options.siteUrl address of the newer run's site
 * @param options.maxCharacters never more UTF-16 code units than this; as many as a comment may have if not given
 */
export function renderComparisonMarkdown(
  comparison: Comparison,
  options: { readonly siteUrl?: string | undefined; readonly maxCharacters?: number | undefined } = {},
): string {
  const { siteUrl, maxCharacters = COMMENT_CHARACTERS } = options;
  const noun = { one: 'the heading', many: null };
  const parts = [
    { texts: [`${changesLine(comparison)}\n`], priority: 0, noun },
    ...changeParts(comparison, siteUrl, 1),
  ];
  const where = elsewhere(siteUrl, comparison.head.origin.url);
  return fitParts(parts, { limit: maxCharacters, measure: inCharacters, elsewhere: where });
}
