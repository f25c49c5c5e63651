import type { RunResults } from '../../results/results.ts';
import { renderDetails } from '../details.ts';
import { renderGrid } from '../grid.ts';
import type { Paint } from '../paint.ts';
import { renderRanges } from '../ranges.ts';
import { renderSummary } from '../summary.ts';
import { showControlsWithin } from './control-characters.ts';
import { inOrder } from './order.ts';

/** Text without colours, for files. */
export const PLAIN: Paint = { good: same, expected: same, bad: same, dim: same, strong: same };

/**
 * What `run` prints at its end: grid, ranges, details of what is not green, and with what it was run. Ends with a newline.
 *
 * @param width of the terminal in columns
 * @param further paragraphs for before the end, each with a newline at its end
 */
export function renderTerminal(
  results: RunResults,
  paint: Paint,
  width: number = Number.POSITIVE_INFINITY,
  further: readonly string[] = [],
): string {
  const shown = inOrder(showControlsWithin(results));
  const parts = [
    renderGrid(shown, paint, width),
    renderRanges(shown.ranges, paint, width),
    renderDetails(shown, paint),
    ...further,
    renderSummary(shown, paint),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function same(text: string): string {
  return text;
}
