import type { CellResult, ExternResult, ObservedValue } from '../../results/results.ts';
import { type Html, html, type Insert, join } from './html.ts';
import { counted } from './page.ts';
import { listWords, prose } from './prose.ts';

/** What became of each extern, kernels with the same answer together; null if there are none. */
export function externTable(cells: readonly CellResult[]): Html | null {
  const groups = groupBySame(
    cells,
    ({ externs }) => externs,
    (one) => one.name,
  );
  if (groups.length === 0) return null;
  const rows = groups.map(
    ({ item, where, first }) => html`
<tr><th scope="row">${first && html`<code>${item.name}</code> <span class="soft">${item.weak ? 'weak ' : ''}${item.kind}</span>`}<td>${where}<td class="wrap">${describeExtern(item)}`,
  );
  return html`<h4>Externs</h4>
<div class="scroll" tabindex="0" role="region" aria-label="Externs"><table class="list"><thead><tr><th scope="col">Extern<th scope="col">${headOf(cells)}<th scope="col">Resolved to</thead><tbody>${join(rows)}</table></div>`;
}

/** The values that were read beside what they were compared with; null if there are none. Those that do not hold come first. */
export function valueTable(cells: readonly CellResult[]): Html | null {
  const groups = groupBySame(
    cells,
    ({ values }) => values,
    (one) => `${one.program} ${one.variable}`,
  );
  if (groups.length === 0) return null;
  const wrong = groups.filter(({ item }) => !item.holds);
  const sorted = [...wrong, ...groups.filter(({ item }) => item.holds)];
  const rows = sorted.map(
    ({ item, where }) => html`
<tr${!item.holds && html` class="wrong"`}><th scope="row"><code>${item.variable}</code><td>${where}<td>${item.cpu}<td><code>${item.value}</code><td>${relationOf(item)}<td><code>${item.truth}</code>`,
  );
  const table = html`<div class="scroll" tabindex="0" role="region" aria-label="Values"><table class="list"><thead><tr><th scope="col">Variable<th scope="col">${headOf(cells)}<th scope="col">CPU<th scope="col">Read<th scope="col"><span class="hidden">Comparison</span><th scope="col">Truth</thead><tbody>${join(rows)}</table></div>`;
  const summary = `${counted(groups.length, 'value')} beside the truth${wrong.length > 0 ? `, ${wrong.length} wrong` : ''}`;
  return html`<details${wrong.length > 0 && html` open`}><summary>${summary}</summary>${table}</details>`;
}

/** The kernels of cells, each once: `6.1, 6.12 and 7.0`; more than `most` of them are counted. */
export function whereOf(cells: readonly CellResult[], most: number): string {
  const kernels = [...new Set(cells.map(({ kernel }) => kernel))];
  return listWords(kernels, most, 'kernels');
}

interface Same<T> {
  readonly item: T;
  readonly where: Insert;
  /** Whether it is the first with its name. */
  readonly first: boolean;
}

/** Items that are the same in several cells, with the cells that have them; items of a name together, in the order that names come in. */
function groupBySame<T>(
  cells: readonly CellResult[],
  itemsOf: (cell: CellResult) => readonly T[],
  nameOf: (item: T) => string,
): Same<T>[] {
  const names = new Map<string, Map<string, { item: T; cells: CellResult[] }>>();
  for (const cell of cells) {
    for (const item of itemsOf(cell)) {
      const name = nameOf(item);
      const group = names.get(name) ?? new Map<string, { item: T; cells: CellResult[] }>();
      names.set(name, group);
      const key = JSON.stringify(item);
      const same = group.get(key);
      if (same === undefined) group.set(key, { item, cells: [cell] });
      else same.cells.push(cell);
    }
  }
  const loaders = new Set(cells.map(({ loader }) => loader)).size > 1;
  return [...names.values()].flatMap((group) =>
    [...group.values()].map(({ item, cells: own }, index) => ({
      item,
      where: whereWithLoaders(own, loaders),
      first: index === 0,
    })),
  );
}

function whereWithLoaders(cells: readonly CellResult[], loaders: boolean): string {
  if (!loaders) return whereOf(cells, MOST_KERNELS);
  return `${whereOf(cells, MOST_KERNELS)} (${listWords([...new Set(cells.map(({ loader }) => loader))], MOST_LOADERS, 'loaders')})`;
}

const MOST_KERNELS = 12;
const MOST_LOADERS = 3;

function headOf(cells: readonly CellResult[]): string {
  return new Set(cells.map(({ kernel }) => kernel)).size === 1 ? 'Kernel' : 'Kernels';
}

function relationOf({ holds, relation }: ObservedValue): string {
  if (holds) return relation === 'equals' ? '= equals' : '≠ differs from';
  return relation === 'equals' ? '≠ should equal' : '= should differ from';
}

function describeExtern(extern: ExternResult): Html {
  const { result, address, addresses, btfId, module, type, declaration, reason, explanation } = extern;
  const parts: Insert[] = [];
  if (result === 'address' && address !== undefined) parts.push(html`address <code>${address}</code>`);
  if (result === 'btf-id')
    parts.push(
      html`BTF id <b>${btfId ?? '?'}</b> of <code>${module ?? 'vmlinux'}</code>${type !== undefined && html`, ${type}`}`,
    );
  if (result === 'null') parts.push(html`<b>NULL</b>`);
  if (result === 'error') parts.push(html`<b>refused</b>`);
  if (reason !== undefined) parts.push(html` <code>${reason}</code>`);
  if (addresses !== undefined && addresses.length > 0)
    parts.push(
      html`<br>at ${join(
        addresses.slice(0, MOST_ADDRESSES).map((one) => html`<code>${one}</code>`),
        ', ',
      )}${addresses.length > MOST_ADDRESSES && ` and ${addresses.length - MOST_ADDRESSES} more`}`,
    );
  if (explanation !== undefined) parts.push(html`<br><span class="soft">${prose(explanation)}</span>`);
  if (declaration !== undefined) parts.push(html`<pre class="declaration">${declaration}</pre>`);
  return join(parts);
}

const MOST_ADDRESSES = 8;
