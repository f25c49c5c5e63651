/** One row of the grid as the filters see it. */
interface ModelRow {
  readonly element: HTMLTableRowElement;
  /** What a search looks at, in lower case. */
  readonly text: string;
  readonly red: boolean;
  readonly changed: boolean;
  /** By column, as the kernels are: bits of {@link cellBits}. */
  readonly bits: Uint8Array;
  /** By column: one more than the number of the class; 0 for `ok`. */
  readonly classes: Uint16Array;
}

/** A kernel of the grid as the filters see it. */
interface ModelColumn {
  readonly head: HTMLTableCellElement;
  readonly text: string;
  readonly endOfLife: boolean;
}

/** The grid, read from the page once: filtering 30,000 cells must not ask the page about each of them every time. */
interface GridModel {
  readonly table: HTMLTableElement;
  readonly columns: readonly ModelColumn[];
  readonly rows: readonly ModelRow[];
}

/** What a cell is, as a bit each: `red`, `changed`, and `run` for one that was run at all. */
function cellBits(): { readonly red: 1; readonly changed: 2; readonly run: 4 } {
  return { red: 1, changed: 2, run: 4 };
}

/** Reads the grid from the page. */
function readGrid(table: HTMLTableElement): GridModel {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])].slice(1);
  const columns = heads.map((head) => ({
    head,
    text: (head.dataset.k ?? head.textContent).toLowerCase(),
    endOfLife: head.dataset.eol !== undefined,
  }));
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]).map((row) => readRow(row, columns.length));
  return { table, columns, rows };
}

function readRow(element: HTMLTableRowElement, columns: number): ModelRow {
  const bit = cellBits();
  const bits = new Uint8Array(columns);
  const classes = new Uint16Array(columns);
  const { program = '', variant = '', title = '', red, changed } = element.dataset;
  let column = 0;
  for (let cell = element.firstElementChild?.nextElementSibling; cell != null; cell = cell.nextElementSibling) {
    const letter = cell.className.charAt(0);
    const isRed = letter >= 'A' && letter <= 'Z';
    const isChanged = cell.hasAttribute('data-d');
    bits[column] = (isRed ? bit.red : 0) | (isChanged ? bit.changed : 0) | (letter === 'n' ? 0 : bit.run);
    const number = cell.getAttribute('data-c');
    if (number !== null) classes[column] = Number(number) + 1;
    column++;
  }
  const text = `${program}@${variant} ${title}`.toLowerCase();
  return { element, text, red: red !== undefined, changed: changed !== undefined, bits, classes };
}
