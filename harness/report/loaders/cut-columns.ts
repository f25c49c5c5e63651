/** A column of a table on a terminal. */
interface Column {
  /** In characters. */
  readonly width: number;
}

const GAP = 2;

/** Columns in as many parts as it takes for each to fit into a width, behind a column of names; a part has one column at least. */
export function cutColumns<One extends Column>(columns: readonly One[], nameWidth: number, width: number): One[][] {
  const parts: One[][] = [[]];
  let room = width - nameWidth;
  for (const column of columns) {
    const part = parts.at(-1) ?? [];
    const own = GAP + column.width;
    if (part.length > 0 && own > room) {
      parts.push([column]);
      room = width - nameWidth - own;
    } else {
      part.push(column);
      room -= own;
    }
  }
  return parts;
}
