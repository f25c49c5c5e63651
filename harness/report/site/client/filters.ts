/** Shows the filters, and makes them work: the page's rows and columns, the address, and what is said of it. */
function startFilters(table: HTMLTableElement): void {
  const form = document.getElementById('filters');
  const shown = document.getElementById('shown');
  if (!(form instanceof HTMLFormElement) || shown === null) return;
  const fields = readFields(form);
  let model: GridModel | undefined;
  let waiting = false;
  const apply = (): void => {
    waiting = false;
    const state = fieldsToState(fields);
    const text = stateToFragment(state);
    // Reading the grid takes time that a page which nobody filters need not spend.
    if (model === undefined && text === '') return;
    model ??= readGrid(table);
    shown.textContent = text === '' ? showAll(model) : showMatching(model, { ...state, number: classNumber(fields) });
  };
  const changed = (): void => {
    keepInAddress(stateToFragment(fieldsToState(fields)));
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(apply);
  };
  const fromAddress = (): void => {
    // What leads to a place of the page, as the link that skips to the content does, says nothing about filters.
    if (document.getElementById(fragment()) !== null) return;
    stateToFields(fragmentToState(location.hash.slice(1)), fields);
    apply();
  };
  form.addEventListener('input', changed);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', (event) => {
    event.preventDefault();
    stateToFields(fragmentToState(''), fields);
    changed();
  });
  addEventListener('hashchange', fromAddress);
  document.addEventListener('keydown', (event) => filterKey(event, fields));
  form.hidden = false;
  fromAddress();
}

/** `/` goes to the search, Escape takes all filters away. */
function filterKey(event: KeyboardEvent, { form, text }: FilterFields): void {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const { target } = event;
  const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
  if (event.key === '/' && text !== null && target !== text) {
    if (typing && target.type !== 'checkbox') return;
    event.preventDefault();
    text.focus();
    text.select();
  } else if (event.key === 'Escape') {
    form.reset();
  }
}

/** Only the fragment differs, which pages on disk may change too. */
function keepInAddress(text: string): void {
  const address = text === '' ? location.href.replace(/#.*$/s, '') : `#${text}`;
  try {
    history.replaceState(null, '', address);
  } catch {
    // Browsers limit how often that may be done in a second: then the address is that of a moment ago.
  }
}

/** The chosen class as {@link ModelRow} has it; 0 if none was chosen. */
function classNumber({ class: field }: FilterFields): number {
  return field === null || field.value === '' ? 0 : Number(field.value) + 1;
}

/** Shows everything; says nothing. */
function showAll(model: GridModel): string {
  setVisible(model, new Uint8Array(model.rows.length).fill(1), new Uint8Array(model.columns.length).fill(1));
  return '';
}

/** Shows the rows and columns that hold a cell which all filters let through; says how many. */
function showMatching(model: GridModel, state: FilterState & { readonly number: number }): string {
  const bit = cellBits();
  const wanted = (state.red ? bit.red : 0) | (state.changed ? bit.changed : 0);
  const words = state.text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  // For each column, which of the words its kernel's name has: a cell has a word if its row or its column does.
  const columnWords = model.columns.map(({ text }) => maskOf(words, text));
  const allWords = maskOf(words, words.join(' '));
  const rows = new Uint8Array(model.rows.length);
  const columns = new Uint8Array(model.columns.length);
  let cells = 0;
  for (const [index, row] of model.rows.entries()) {
    if ((state.red && !row.red) || (state.changed && !row.changed)) continue;
    const rowWords = maskOf(words, row.text);
    for (const [column, { endOfLife }] of model.columns.entries()) {
      if (state.eol && endOfLife) continue;
      if (((row.bits[column] ?? 0) & wanted) !== wanted) continue;
      if (state.number !== 0 && row.classes[column] !== state.number) continue;
      if ((rowWords | (columnWords[column] ?? 0)) !== allWords) continue;
      rows[index] = 1;
      columns[column] = 1;
      if (((row.bits[column] ?? 0) & bit.run) !== 0) cells++;
    }
  }
  setVisible(model, rows, columns);
  return describeShown(model, { rows: sum(rows), columns: sum(columns), cells });
}

/** A bit for each of the words (the first thirty) that a text has. */
function maskOf(words: readonly string[], text: string): number {
  return words.slice(0, 30).reduce((mask, word, index) => (text.includes(word) ? mask | (1 << index) : mask), 0);
}

function sum(flags: Uint8Array): number {
  return flags.reduce((total, flag) => total + flag, 0);
}

function describeShown(
  model: GridModel,
  found: { readonly rows: number; readonly columns: number; readonly cells: number },
): string {
  if (found.rows === 0) return 'Nothing matches these filters.';
  const cells = `${found.cells} ${found.cells === 1 ? 'cell matches' : 'cells match'}`;
  return `${cells}: ${found.rows} of ${model.rows.length} rows, ${found.columns} of ${model.columns.length} kernels.`;
}

/** Hides rows, columns and bodies; touches only what changes, for that is what takes the time. */
function setVisible(model: GridModel, rows: Uint8Array, columns: Uint8Array): void {
  const turned: number[] = [];
  for (const [index, { head }] of model.columns.entries()) {
    const hidden = columns[index] === 0;
    if (head.hidden !== hidden) turned.push(index);
    head.hidden = hidden;
  }
  for (const { element } of model.rows) {
    if (turned.length === 0) break;
    const { cells } = element;
    for (const index of turned) {
      const cell = cells[index + 1];
      if (cell !== undefined) cell.hidden = columns[index] === 0;
    }
  }
  for (const [index, { element }] of model.rows.entries()) element.hidden = rows[index] === 0;
  for (const body of model.table.tBodies) body.hidden = [...body.rows].every((row) => row.hidden);
}
