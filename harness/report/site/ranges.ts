import { gridOrder } from '../../results/grid-order.ts';
import { wasNotRun } from '../../results/ranges.ts';
import type { OutcomeRange, ProgramRanges } from '../../results/results.ts';
import { type Html, html, join } from './html.ts';
import type { Site } from './site.ts';

/** Since when, and until when, a program works: a line for each variant, loader and axis of kernels. */
export function rangeTable(site: Site, program: string): Html | null {
  const order = gridOrder(site.results);
  const own = site.results.ranges.programs
    .filter((one) => one.program === program)
    .sort((left, right) => order.compare({ ...left, kernel: '' }, { ...right, kernel: '' }));
  if (own.length === 0) return null;
  const loaders = site.results.loaders.length > 1;
  const rows = mergeLoaders(own).flatMap(({ variant, loaders: names, ranges }) =>
    [...new Set(ranges.map(({ axis }) => axis))].map((axis, index) => {
      const parts = ranges.filter((range) => range.axis === axis && !(axis === null && wasNotRun(range)));
      if (parts.length === 0) return null;
      return html`
<tr><th scope="row">${index === 0 && html`<code>${variant}</code>`}${loaders && html`<td>${index === 0 && names.join(', ')}`}<td>${axis ?? 'by themselves'}<td><ol class="ranges">${join(parts.map(rangeItem))}</ol>`;
    }),
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Since and until"><table class="list"><thead><tr><th scope="col">Variant${loaders && html`<th scope="col">Loader`}<th scope="col">Kernels of<th scope="col">Oldest to newest</thead><tbody>${join(rows)}</table></div>`;
}

function rangeItem(range: OutcomeRange): Html {
  const { since, until, kernels, outcome, cause } = range;
  const where = kernels.length === 1 ? since : `${since} … ${until}`;
  switch (outcome) {
    case 'works':
      return html`<li class="p"><b>${where}</b> ✔ works`;
    case 'fails':
      return html`<li class="x"><b>${where}</b> ✗ ${cause ?? 'fails'}`;
    case 'unknown':
      return html`<li class="n"><b>${where}</b> unknown${cause !== null && html`: ${cause}`}`;
  }
}

/** Loaders with the same ranges share a line. */
function mergeLoaders(
  all: readonly ProgramRanges[],
): { variant: string; loaders: string[]; ranges: ProgramRanges['ranges'] }[] {
  const groups = new Map<string, { variant: string; loaders: string[]; ranges: ProgramRanges['ranges'] }>();
  for (const { variant, loader, ranges } of all) {
    const key = JSON.stringify([variant, ranges]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { variant, loaders: [loader], ranges });
    else group.loaders.push(loader);
  }
  return [...groups.values()];
}
