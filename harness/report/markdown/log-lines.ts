/** Beyond these, a log is left to its file. */
const MOST_LINES = 40;
const MOST_CHARACTERS = 400;

/** The end of a log, which is where it says what went wrong, with very long lines ended. */
export function lastLines(lines: readonly string[]): string {
  const all = lines.join('\n').replace(/\s+$/, '').split('\n');
  const shown = all.slice(-MOST_LINES).map((line) => {
    const characters = [...line.slice(0, 2 * MOST_CHARACTERS)];
    return characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS).join('')} …` : line;
  });
  const left = all.length - shown.length;
  return [...(left > 0 ? [`… ${left} lines before these`] : []), ...shown].join('\n');
}
