import { showControls } from './control-characters.ts';

/** Markup, as against text that has yet to be escaped. */
export interface Xml {
  readonly xml: string;
}

/**
 * An element. What it holds is text, which is escaped, or further elements, each on lines of its own.
 *
 * @param attributes in this order; those that are undefined are left out
 */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  content: string | readonly Xml[] = [],
): Xml {
  const pairs = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escapeAttribute(String(value))}"`],
  );
  const start = `<${name}${pairs.join('')}`;
  if (content.length === 0) return { xml: `${start}/>` };
  const inside = typeof content === 'string' ? escapeText(content) : `\n${content.map(({ xml }) => xml).join('\n')}\n`;
  return { xml: `${start}>${inside}</${name}>` };
}

/** A document in UTF-8; ends with a newline. */
export function xmlDocument(root: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root.xml}\n`;
}

/** Text between tags. `>` as well, because `]]>` may not stand there (XML 1.0, 2.4). */
export function escapeText(text: string): string {
  return allowed(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The value of an attribute between double quotes. A parser would make spaces of tabs and line ends (XML 1.0, 3.3.3). */
export function escapeAttribute(text: string): string {
  return escapeText(text).replaceAll('"', '&quot;').replaceAll('\t', '&#9;').replaceAll('\n', '&#10;');
}

/** Characters that XML 1.0 knows (production 2, Char): no control characters, no half of a surrogate pair, no U+FFFE and U+FFFF, not even escaped. */
function allowed(text: string): string {
  return showControls(text).replace(/[\ufffe\uffff]/g, '\ufffd');
}
