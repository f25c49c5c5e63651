import type { RunResults } from '../../../results/results.ts';
import { resultsSchema } from '../../../results/schema.ts';

/** Markup for wherever text may stand: whatever of it comes alive sets `window.__alive`. */
const MARKUP = [
  '\'"><img src=x onerror="window.__alive=1">',
  '<script>window.__alive=2</script>',
  '</textarea></title></style></script></pre><svg onload="window.__alive=3">',
  '<!--<iframe src="javascript:parent.__alive=4">',
  '<a href="javascript:window.__alive=5">planted</a><details open ontoggle="window.__alive=6">',
  '&lt;b&gt;&#60;i>`&#x24;{window.__alive=7}`',
  // Turns the text behind it around, isolates it, and ends the terminal's colour; a byte that no document may hold.
  '\u202eturned\u2066\u001b[31m\u0000\u0007\u2028',
].join('');

/** For names, whose encoded form has to fit into the name of a file. */
const MARKUP_OF_NAMES = '"><img src=x onerror=__alive=8>\u202e';

/** Names: where they occur, they must all be the same. */
const NAMES = new Set([
  'kernel',
  'program',
  'variant',
  'loader',
  'loaders',
  'name',
  'since',
  'until',
  'kernels',
  'axis',
  'apart',
]);

/** What is no text: the schema says exactly what may stand there. */
const FIXED = new Set([
  ...['id', 'startedAt', 'verdict', 'phase', 'result', 'address', 'addresses', 'value', 'truth', 'relation'],
  ...['commit', 'accelerator', 'isolation', 'when', 'shows', 'from', 'difference'],
]);

/** Results in which everything that a program, a kernel, a log or a file could have said ends in markup. They follow the schema all the same. */
export function plantMarkup(results: RunResults): RunResults {
  const planted = plant(results, 'results', '');
  return resultsSchema.parse({ ...Object(planted), tool: { ...results.tool, version: `0.1.0${MARKUP}` } });
}

function plant(value: unknown, key: string, parent: string): unknown {
  if (typeof value === 'string') return plantText(value, key, parent);
  if (Array.isArray(value)) return value.map((item) => plant(item, key, parent));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      parent === 'kernels' && key === 'facts' ? name + MARKUP_OF_NAMES : name,
      plant(part, name, key),
    ]),
  );
}

function plantText(value: string, key: string, parent: string): string {
  if (key === 'url') return `https://example.com/${MARKUP}`;
  if (isFixed(key, parent)) return value;
  return value + (NAMES.has(key) ? MARKUP_OF_NAMES : MARKUP);
}

function isFixed(key: string, parent: string): boolean {
  switch (key) {
    case 'name':
      return parent === 'tool';
    case 'kind':
      return parent !== 'splats';
    case 'outcome':
      return parent === 'ranges';
    case 'class':
      return parent !== 'attempts' && parent !== 'ranges';
    default:
      return FIXED.has(key);
  }
}
