/**
 * Text in which characters that steer a terminal, the direction of reading or the end of a line are told by what stands for them: what a program or a
 * kernel printed must not move the cursor of who reads about it. Control characters become the symbols that Unicode has for them (Control Pictures),
 * others a number as in JavaScript. Tabs and line feeds stay. Halves of surrogate pairs, which no file in UTF-8 can hold, are replaced.
 */
export function showControls(text: string): string {
  return text.replace(STEERING, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '␡';
    return code >= 0xd800 ? '\ufffd' : `\\u${code.toString(16).padStart(4, '0')}`;
  });
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

/** Control characters (ECMA-48's C0 and C1), line ends that few know, those of bidirectional text, and surrogates without their other half. */
const STEERING = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;
