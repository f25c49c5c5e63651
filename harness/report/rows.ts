import { cellName } from '../results/cell-name.ts';
import type { CellResult, RunResults } from '../results/results.ts';

/** A line of the grid: one program with one variant, by one loader. */
export interface GridRow {
  readonly loader: string;
  readonly program: string;
  readonly variant: string;
  /** `PROGRAM`, or `PROGRAM@VARIANT`. */
  readonly name: string;
  /** By the kernel's name. A kernel that it was not run on is not among them. */
  readonly cells: ReadonlyMap<string, CellResult>;
}

/** The rows of the grid, loader by loader: programs in the order of the results, their variants in the order of the cells. */
export function gridRows(results: Pick<RunResults, 'cells' | 'programs' | 'loaders'>): GridRow[] {
  const rows = new Map<string, GridRow & { readonly cells: Map<string, CellResult> }>();
  for (const cell of results.cells) {
    const { loader, program, variant } = cell;
    const key = `${loader}\0${program}\0${variant}`;
    let row = rows.get(key);
    if (row === undefined) {
      row = { loader, program, variant, name: cellName(program, variant), cells: new Map() };
      rows.set(key, row);
    }
    row.cells.set(cell.kernel, cell);
  }
  const programs = new Map(results.programs.map(({ name }, index) => [name, index]));
  const loaders = new Map(results.loaders.map(({ name }, index) => [name, index]));
  return [...rows.values()].sort(
    (left, right) =>
      (loaders.get(left.loader) ?? 0) - (loaders.get(right.loader) ?? 0) ||
      (programs.get(left.program) ?? 0) - (programs.get(right.program) ?? 0),
  );
}
