/** How a grid, or a part of one that has too many columns, is laid out. */
export interface GridLayout {
  readonly columns: readonly { readonly kernel: string; readonly width: number }[];
  /** Between columns. */
  readonly gap: string;
  /** Between the names of programs and the first column. */
  readonly nameGap: string;
  /** Whether cells are one character each. */
  readonly symbols: boolean;
  /** Line by line what stands above each column. */
  readonly headLines: readonly (readonly string[])[];
}

/**
 * Chooses the widest layout that fits: words; symbols below names; symbols below names that are written downwards, with and without a gap;
 * several grids below each other.
 *
 * @param kernels names, in the order of the columns
 * @param words the width of each column's widest word
 * @param nameWidth of the first column
 */
export function layOutGrid(
  kernels: readonly string[],
  words: readonly number[],
  nameWidth: number,
  width: number,
): GridLayout[] {
  const inWords: GridLayout = {
    columns: kernels.map((kernel, index) => ({ kernel, width: Math.max(kernel.length, words[index] ?? 0) })),
    gap: '  ',
    nameGap: '  ',
    symbols: false,
    headLines: [kernels],
  };
  const inSymbols: GridLayout = {
    columns: kernels.map((kernel) => ({ kernel, width: kernel.length })),
    gap: '  ',
    nameGap: '  ',
    symbols: true,
    headLines: [kernels],
  };
  const candidates = [
    inWords,
    inSymbols,
    { ...inSymbols, gap: ' ', nameGap: ' ' },
    downwards(kernels, ' '),
    downwards(kernels, ''),
  ];
  const fitting = candidates.find((layout) => nameWidth + widthOfColumns(layout) <= width);
  if (fitting !== undefined) return [fitting];
  const perBlock = Math.max(MOST_NARROW, Math.floor((width - nameWidth) / 2));
  const blocks = Math.ceil(kernels.length / perBlock);
  const even = Math.ceil(kernels.length / blocks);
  return Array.from({ length: blocks }, (_, index) => downwards(kernels.slice(index * even, (index + 1) * even), ' '));
}

/** However narrow a terminal is, fewer kernels than this are not worth a grid. */
const MOST_NARROW = 8;

/** Width of everything but the names of programs, in characters. */
export function widthOfColumns({ columns, gap, nameGap }: GridLayout): number {
  const widths = columns.reduce((sum, column) => sum + column.width, 0);
  return columns.length === 0 ? 0 : nameGap.length + widths + gap.length * (columns.length - 1);
}

/** Names from top to bottom, so that the beginnings of versions stand beside each other. */
function downwards(kernels: readonly string[], gap: string): GridLayout {
  const height = Math.max(1, ...kernels.map((kernel) => kernel.length));
  return {
    columns: kernels.map((kernel) => ({ kernel, width: 1 })),
    gap,
    nameGap: ' ',
    symbols: true,
    headLines: Array.from({ length: height }, (_, line) => kernels.map((kernel) => kernel[line] ?? ' ')),
  };
}
