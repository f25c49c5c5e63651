/** Filters, keys and links of the grid, on pages that have one. */
function startGrid(): void {
  const table = document.getElementById('grid');
  if (!(table instanceof HTMLTableElement)) return;
  startFilters(table);
  startGridLinks(table);
  startGridKeys(table);
}

/**
 * A very large grid has links only where somebody is likely to follow one. Any other cell gets its link when it is pointed at, so that it can be
 * opened, copied and bookmarked like all others.
 */
function startGridLinks(table: HTMLTableElement): void {
  if (table.dataset.sparse === undefined) return;
  const link = ({ target }: Event): void => {
    const cell = target instanceof Element ? target.closest('td') : null;
    if (cell !== null) linkOf(cell);
  };
  table.addEventListener('pointerover', link, { passive: true });
  table.addEventListener('click', (event) => {
    const { target } = event;
    // Only if the cell was pressed before it could have been pointed at.
    if (target instanceof HTMLTableCellElement) linkOf(target)?.click();
  });
}

/** The link of a cell or head, made if the cell has none yet; null for a cell that was not run. */
function linkOf(cell: HTMLTableCellElement): HTMLAnchorElement | null {
  const there = cell.querySelector('a');
  if (there !== null || cell.tagName !== 'TD' || cell.className.startsWith('n')) return there;
  const row = cell.parentElement;
  const table = cell.closest('table');
  if (!(row instanceof HTMLTableRowElement) || table?.dataset.sparse === undefined) return null;
  const page = row.cells[0]?.querySelector('a')?.getAttribute('href');
  const kernel = table.tHead?.rows[0]?.cells[cell.cellIndex]?.querySelector('a')?.getAttribute('href');
  const slug = kernel?.replace(/^.*\//, '').replace(/\.html$/, '');
  if (page == null || slug === undefined) return null;
  const link = document.createElement('a');
  link.href = `${page}#${slug}${row.dataset.a ?? ''}`;
  link.append(...cell.childNodes);
  cell.append(link);
  return link;
}
