/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: 'right';
  /** Columns with a higher number are left out first where the terminal is too narrow; those without one stay. */
  readonly spare?: number;
}

/**
 * A table as lines, the first of them the titles; columns in which every row is empty are left out.
 * @param width of the terminal, in characters
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number = Number.POSITIVE_INFINITY,
): string[] {
  let shown = columns.map((column, index) => {
    const cells = rows.map((row) => row[index] ?? '');
    return { column, cells, width: Math.max(column.title.length, ...cells.map((cell) => cell.length)) };
  });
  shown = shown.filter(({ cells }) => cells.some((cell) => cell !== ''));
  const total = (): number => shown.reduce((sum, one) => sum + one.width + GAP.length, -GAP.length);
  while (total() > width) {
    const most = Math.max(...shown.map(({ column }) => column.spare ?? 0));
    if (most <= 0) break;
    shown = shown.filter(({ column }) => column.spare !== most);
  }
  const line = (texts: readonly string[]): string =>
    shown
      .map(({ column, width: room }, index) => {
        const text = texts[index] ?? '';
        return column.align === 'right' ? text.padStart(room) : text.padEnd(room);
      })
      .join(GAP)
      .trimEnd();
  return [
    line(shown.map(({ column }) => column.title)),
    ...rows.map((_, row) => line(shown.map(({ cells }) => cells[row] ?? ''))),
  ];
}

const GAP = '  ';
