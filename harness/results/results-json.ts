import type { RunResults } from './results.ts';

/** Parts of results that have an item on each line: what there may be very many of, and what people look for with grep and diff. */
const LISTS = ['kernels', 'programs', 'cells'] as const;

/**
 * Results as JSON, in pieces, because all of them may be longer than a string can be: a line for each part, and for each kernel, program and cell.
 * Ends with a newline. {@link readResults} reads files of this form whatever their size.
 */
export function* resultsJson(results: RunResults): Generator<string> {
  const lists: ReadonlySet<string> = new Set(LISTS);
  let separator = '{';
  for (const [name, value] of Object.entries(results)) {
    if (value === undefined) continue;
    yield `${separator}\n${JSON.stringify(name)}: `;
    separator = ',';
    if (lists.has(name) && Array.isArray(value) && value.length > 0) yield* list(value);
    else yield JSON.stringify(value);
  }
  yield '\n}\n';
}

/** About as many characters as are written at a time. */
const PIECE = 64 * 1024;

function* list(items: readonly unknown[]): Generator<string> {
  let piece = '[';
  for (const [index, item] of items.entries()) {
    piece += `${index === 0 ? '' : ','}\n${JSON.stringify(item)}`;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}\n]`;
}
