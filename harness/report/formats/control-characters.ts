/**
 * Text in which characters that steer a terminal or end a line where none should end are told by symbols that stand for them (Unicode, block Control
 * Pictures): what a program or a kernel printed must not move the cursor of who reads about it. Tabs and line feeds stay.
 * Halves of surrogate pairs, which no file in UTF-8 can hold, go as well.
 */
export function showControls(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]/gu, pictureOf);
}

/** The same for text that has to stay on one line: tabs become spaces, and line feeds symbols. */
export function showOnOneLine(text: string): string {
  return showControls(text.replaceAll('\t', ' ')).replaceAll('\n', '␊');
}

/** All texts in a value of plain data with {@link showControls}; keys stay as they are. */
export function showControlsWithin<T>(value: T): T;
export function showControlsWithin(value: unknown): unknown {
  if (typeof value === 'string') return showControls(value);
  if (Array.isArray(value)) return value.map((item) => showControlsWithin<unknown>(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, showControlsWithin<unknown>(item)]));
}

function pictureOf(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}
