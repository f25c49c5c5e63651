/** Columns of the terminal behind a stream; infinite if it is no terminal, or one that does not tell. */
export function terminalWidth(stream: NodeJS.WriteStream): number {
  return stream.isTTY === true && stream.columns > 0 ? stream.columns : Number.POSITIVE_INFINITY;
}
