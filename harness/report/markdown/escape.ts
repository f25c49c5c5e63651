import { escapeHtml } from '../site/html.ts';

/**
 * Text for Markdown as GitHub reads it (GitHub Flavored Markdown Spec), on one line: in paragraphs, headings, lists, links and table cells.
 * Words that are plain stay as they are. Every other word is written as a code span, because nothing in one comes alive: neither markup nor what
 * GitHub makes of @names, #1, GH-1, commits, addresses, emoji and formulas after Markdown was read (its filters leave `pre`, `code` and `a` alone).
 * So names and addresses can still be copied as they are, which a character without width in the middle of them would spoil.
 */
export function inlineText(text: string): string {
  return inWords(text, codeSpan);
}

/** A code span on one line, whatever is in it. In a table cell, {@link tableRow} escapes its pipes. */
export function codeSpan(text: string): string {
  const line = oneLine(text);
  if (line === '') return '';
  const fence = '`'.repeat(longestRun(line, '`') + 1);
  // One space is taken off at either end if both have one ("Code spans" of the spec).
  const space = /^[` ]|[` ]$/.test(line) ? ' ' : '';
  return `${fence}${space}${line}${space}${fence}`;
}

/** A block of code, whatever is in it, behind an empty line. The language is one of ours. */
export function fencedCode(text: string, language = ''): string {
  const body = visible(text).replace(/\n+$/, '');
  const fence = '`'.repeat(Math.max(3, longestRun(body, '`') + 1));
  return `\n${fence}${language}\n${body}\n${fence}\n`;
}

/** Text for HTML that GitHub lets through, such as `<summary>`, where Markdown is not read but @names and the like still come alive. */
export function htmlText(text: string): string {
  return inWords(text, (word) => `<code>${escapeHtml(word)}</code>`);
}

/** `[text](address)`; only the text if the address is none of the web. The text is Markdown already, without links. */
export function link(text: string, address: string | null | undefined): string {
  const url = webAddress(address);
  return url === null ? text : `[${text}](${url})`;
}

/** An address as the destination of a link; null unless it begins with http: or https: and has no user's name in it. */
export function webAddress(address: string | null | undefined): string | null {
  if (address === null || address === undefined || !URL.canParse(address)) return null;
  const url = new URL(address);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  // What is left beside these is ASCII, and would end the destination.
  const encoded = url.href.replace(/[^\w.~:/?#@!$&+,;=%-]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  return encoded.replaceAll('&', '&amp;');
}

/** A row of a table, with its newline. Cells are Markdown already; a pipe in them, even in a code span, would end them ("Tables" of the spec). */
export function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

/** The head of a table and the line below it. */
export function tableHead(cells: readonly string[]): string {
  return `${tableRow(cells)}|${' --- |'.repeat(cells.length)}\n`;
}

/** Control characters, and those without width or that turn the direction of text, and halves of characters are shown instead of being obeyed; lines end with a line feed. */
export function visible(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(CONTROL, (character) =>
      String.fromCharCode(0x2400 + (character === '\x7f' ? 0x21 : character.charCodeAt(0))),
    )
    .replace(UNSEEN, (character) => {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
      return `[U+${code.padStart(4, '0')}]`;
    });
}

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;
const UNSEEN =
  /[\x80-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\p{Cs}\u{e0000}-\u{e007f}]/gu;

/** Words of these alone mean nothing to Markdown or to GitHub, but for {@link ALIVE}. */
const PLAIN = /^[\p{L}\p{M}\p{N} .,;:()'"/=+%?!…–—·→“”‘’✔✖○-]*$/u;

/** Addresses with and without a scheme, host names, GH-1, commits, emoji. */
const ALIVE = /:\/|www\.|[\p{L}\d]\.\p{L}{2,}|\bgh-\d|\b[0-9a-f]{7,}\b|:[\w+-]+:/iu;

/** What would make a list or a heading of a line that it begins. */
const LINE_START = /^(?:[-+=]+|\d{1,9}[.)])$/;

function inWords(text: string, asCode: (word: string) => string): string {
  const words = oneLine(text).split(' ');
  return words.map((word, index) => inWord(word, index === 0, asCode)).join(' ');
}

function inWord(word: string, first: boolean, asCode: (word: string) => string): string {
  if (first && LINE_START.test(word)) return asCode(word);
  if (isPlain(word)) return word;
  // Punctuation around a name is no part of it.
  const [before] = /^[("'“]*/u.exec(word) ?? [''];
  const end = endOfName(word, before.length);
  return end === before.length ? asCode(word) : `${before}${asCode(word.slice(before.length, end))}${word.slice(end)}`;
}

/** Where the punctuation behind a name begins; a bracket that was opened in the name belongs to it. */
function endOfName(word: string, start: number): number {
  let end = word.length;
  while (end > start && /[)"'”.,;:!?]/u.test(word.charAt(end - 1))) {
    const name = word.slice(start, end);
    if (name.endsWith(')') && name.split('(').length >= name.split(')').length) break;
    end--;
  }
  return end;
}

function isPlain(word: string): boolean {
  return PLAIN.test(word) && !ALIVE.test(word);
}

/** {@link visible} text on one line, with single spaces. */
export function oneLine(text: string): string {
  return visible(text).replace(/\s+/g, ' ').trim();
}

function longestRun(text: string, character: string): number {
  let longest = 0;
  let run = 0;
  for (const one of text) {
    run = one === character ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
