/** Arrows move through the grid, which is one stop of the Tab key. Home and End go to the ends of a row, with Ctrl to those of the grid. */
function startGridKeys(table: HTMLTableElement): void {
  let current: HTMLElement | null = null;
  const enter = (link: HTMLElement): void => {
    if (current === null) {
      // Not before somebody comes: there may be thousands.
      for (const other of table.querySelectorAll('a')) other.tabIndex = -1;
      keepClearOfHeads(table);
    } else current.tabIndex = -1;
    current = link;
    link.tabIndex = 0;
  };
  table.addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLElement) enter(target);
  });
  table.addEventListener('keydown', (event) => {
    if (event.altKey || event.metaKey || event.shiftKey || !(event.target instanceof Element)) return;
    const cell = event.target.closest('th, td');
    if (!(cell instanceof HTMLTableCellElement)) return;
    const next = cellAfterKey(table, cell, event);
    if (next === undefined) return;
    event.preventDefault();
    if (next !== null) focusCell(next);
  });
}

/** What is scrolled to, because it has the focus, must not end up behind the heads, which stay where they are (WCAG 2.2, 2.4.11). */
function keepClearOfHeads(table: HTMLTableElement): void {
  const corner = table.tHead?.rows[0]?.cells[0]?.getBoundingClientRect();
  const box = table.parentElement;
  if (corner === undefined || box === null) return;
  box.style.scrollPadding = `${corner.height + 2}px 2px 2px ${corner.width + 2}px`;
}

/** A cell without a link can be come to as well: it may say that it was not run. */
function focusCell(cell: HTMLTableCellElement): void {
  const link = linkOf(cell);
  if (link === null) cell.tabIndex = -1;
  // What is cut off at an edge counts as in sight for focus() by itself.
  (link ?? cell).focus({ preventScroll: true });
  cell.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** Where a key leads; undefined for a key that does not move, null at an edge. */
function cellAfterKey(
  table: HTMLTableElement,
  cell: HTMLTableCellElement,
  { key, ctrlKey }: KeyboardEvent,
): HTMLTableCellElement | null | undefined {
  switch (key) {
    case 'ArrowLeft':
      return ctrlKey ? undefined : besides(cell, 'previousElementSibling');
    case 'ArrowRight':
      return ctrlKey ? undefined : besides(cell, 'nextElementSibling');
    case 'ArrowUp':
    case 'ArrowDown':
      return ctrlKey ? undefined : aboveOrBelow(table, cell, key === 'ArrowUp' ? -1 : 1);
    case 'Home':
    case 'End':
      return atEnd(table, cell, { last: key === 'End', ofGrid: ctrlKey });
    default:
      return undefined;
  }
}

function besides(
  cell: HTMLTableCellElement,
  direction: 'previousElementSibling' | 'nextElementSibling',
): HTMLTableCellElement | null {
  for (let next = cell[direction]; next !== null; next = next[direction]) {
    if (next instanceof HTMLTableCellElement && isReachable(next)) return next;
  }
  return null;
}

function aboveOrBelow(table: HTMLTableElement, cell: HTMLTableCellElement, step: 1 | -1): HTMLTableCellElement | null {
  const { rows } = table;
  const row = cell.parentElement;
  if (!(row instanceof HTMLTableRowElement)) return null;
  for (let index = row.rowIndex + step; index >= 0 && index < rows.length; index += step) {
    const next = rows[index]?.cells[cell.cellIndex];
    if (next !== undefined && isReachable(next)) return next;
  }
  return null;
}

function atEnd(
  table: HTMLTableElement,
  cell: HTMLTableCellElement,
  { last, ofGrid }: { readonly last: boolean; readonly ofGrid: boolean },
): HTMLTableCellElement | null {
  const rows = [...table.rows].filter((row) => isShown(row));
  const row = ofGrid ? rows.at(last ? -1 : 0) : cell.parentElement;
  if (!(row instanceof HTMLTableRowElement)) return null;
  const cells = [...row.cells].filter(isReachable);
  return cells.at(last ? -1 : 0) ?? null;
}

function isShown(row: HTMLElement): boolean {
  return !row.hidden && row.parentElement?.hidden !== true;
}

/** The corner says nothing and leads nowhere. */
function isReachable(cell: HTMLTableCellElement): boolean {
  if (cell.hidden || cell.parentElement === null || !isShown(cell.parentElement)) return false;
  return cell.closest('tbody') !== null || cell.querySelector('a') !== null;
}
