import { stripVTControlCharacters } from 'node:util';

/** Characters of either end of a text that it is understood by: a loader may print any amount. */
const END_CHARACTERS = 256 * 1024;
/** Characters of either end of a log that are kept as evidence. */
const KEPT_CHARACTERS = 1 << 20;
/** Characters of a message that people are shown. */
const SHOWN_CHARACTERS = 2000;

/** A text as {@link plain}; of more than half a million characters its beginning and its end: a refusal is the first or the last that is said. */
export function excerpt(text: string): string {
  if (text.length <= 2 * END_CHARACTERS) return plain(text);
  return plain(`${text.slice(0, END_CHARACTERS)}\n${text.slice(-END_CHARACTERS)}`);
}

/** What is kept of what a loader printed, as it is: a run has thousands of cells. Says how much is left out of its middle. */
export function keptLog(text: string): string {
  const left = text.length - 2 * KEPT_CHARACTERS;
  if (left <= 0) return text;
  return `${text.slice(0, KEPT_CHARACTERS)}\n... ${left} characters are left out here ...\n${text.slice(-KEPT_CHARACTERS)}`;
}

/** A text without colours and whatever else a terminal, or a log that takes commands, would do something for. */
export function plain(text: string): string {
  if (!CONTROL.test(text)) return text;
  return stripVTControlCharacters(text)
    .replace(/\r+\n?/g, '\n')
    .replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}

const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/;

/** Messages in their order, each once and as an {@link excerpt}; no more of them than are understood within a second or so. */
export function soonUnderstood(messages: readonly string[]): string[] {
  let room = 4 * END_CHARACTERS;
  return [...new Set(messages)].flatMap((text) => {
    if (room <= 0) return [];
    room -= text.length + 1;
    return [excerpt(text)];
  });
}

/** A message for people, cut off where it is no message any more. */
export function shown(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? plain(text) : `${plain(text.slice(0, SHOWN_CHARACTERS))} …`;
}
