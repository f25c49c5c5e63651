import { OUR_LOADER } from '../../config/loader-entries.ts';
import { comparedLoaders } from '../../results/disagreements.ts';
import type { DifferencesResult, RunResults } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { renderDetails } from '../details.ts';
import { renderGrid } from '../grid.ts';
import { viewLoaders } from '../loaders/loaders-view.ts';
import { describeApart, summarizeLoaders } from '../loaders/text.ts';
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
  const { loaders } = shown;
  const differences = comparedLoaders(shown);
  if (differences !== undefined) return renderSeveral({ ...shown, differences }, paint, width, further);
  const parts = [
    renderGrid(shown, paint, width),
    // Of several loaders, names alone would not tell whose they are.
    loaders.length > 1 ? '' : renderRanges(shown.ranges, paint, width),
    renderDetails(shown, paint),
    ...further,
    renderSummary(shown, paint),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/**
 * The same of several loaders, each with hundreds of cells: grid and expected failures of ours, or else of the first one, and of the others what is red; how much they
 * disagree, of which `ksym-matrix compare` tells more.
 */
function renderSeveral(
  results: RunResults & { readonly differences: DifferencesResult },
  paint: Paint,
  width: number,
  further: readonly string[],
): string {
  const names = results.loaders.map(({ name }) => name);
  const first = names.includes(OUR_LOADER) ? OUR_LOADER : names[0];
  const others = names.filter((name) => name !== first);
  const red = new Set(results.cells.filter(({ verdict }) => RED_VERDICTS.has(verdict)).map(({ loader }) => loader));
  const view = viewLoaders(results, results.differences);
  const told = results.cells.filter(({ loader, verdict }) => loader === first || RED_VERDICTS.has(verdict));
  const lines = view.loaders.map((loader) => {
    const text =
      loader.unavailable === null ? `differs on ${describeApart(loader)}` : `cannot be had: ${loader.unavailable}`;
    return `${loader.name} ${loader.version}: ${text}`;
  });
  const summary = `${summarizeLoaders(view)}; ksym-matrix compare shows where and why`;
  const parts = [
    renderGrid(results, paint, width, [first ?? '', ...others.filter((name) => red.has(name))]),
    renderDetails({ ...results, cells: told }, paint),
    ...further,
    `${lines.join('\n')}\n${view.unexplained > 0 ? paint.bad(summary) : summary}\n`,
    renderSummary(results, paint),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function same(text: string): string {
  return text;
}
