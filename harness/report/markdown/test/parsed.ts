import MarkdownIt from 'markdown-it';

/** Markdown as read by somebody else's parser, with HTML and automatic links on, as on GitHub. */
const PARSER = new MarkdownIt({ html: true, linkify: true });

/** A piece of a document, with those inside of lines. */
export interface Token {
  readonly type: string;
  readonly content: string;
  readonly href: string;
}

/** All pieces of a document in order. */
export function parse(markdown: string): Token[] {
  return PARSER.parse(markdown, {})
    .flatMap((token) => [token, ...(token.children ?? [])])
    .map(({ type, content, attrs }) => ({
      type,
      content,
      href: String(attrs?.find(([name]) => name === 'href')?.[1] ?? ''),
    }))
    .filter(({ type }) => type !== 'inline');
}

/** What of HTML these reports write themselves. */
const OWN_HTML = /^(?:<br>|<details><summary>(?:[^<>]|<code>[^<>]*<\/code>)*<\/summary>|<\/details>)\s*$/;

/** What GitHub's filters make something of in text that is neither code nor a link. */
const ALIVE = /@\w|#\d|\bGH-\d|\b[0-9a-f]{7,40}\b|:\w+:|\$|:\/\/|www\./i;

const UNSEEN = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/u;

/**
 * What in a document is alive that should not be; empty if all is well.
 * @param own how addresses begin that it may link to
 */
export function aliveIn(markdown: string, own: readonly string[]): string[] {
  const found: string[] = [];
  let inLink = false;
  for (const { type, content, href } of parse(markdown)) {
    if (type === 'link_open' && !own.some((start) => href.startsWith(start))) found.push(`link to ${href}`);
    if (type === 'link_open') inLink = true;
    if (type === 'link_close') inLink = false;
    if (type === 'image') found.push(`image ${content}`);
    if (['hr', 'blockquote_open', 'ordered_list_open', 's_open', 'em_open'].includes(type)) found.push(type);
    if (type === 'code_block') found.push(`indented code ${content}`);
    if (type === 'html_block' || type === 'html_inline') found.push(...aliveInHtml(content));
    if (type === 'text' && !inLink && ALIVE.test(content)) found.push(`text ${content}`);
  }
  const unseen = UNSEEN.exec(markdown);
  return unseen === null ? found : [...found, `character ${unseen[0].codePointAt(0)?.toString(16)}`];
}

function aliveInHtml(content: string): string[] {
  const bad = content.split('\n').filter((line) => line !== '' && !OWN_HTML.test(line));
  const outside = content.replace(/<code>.*?<\/code>/g, '');
  return [...bad.map((line) => `HTML ${line}`), ...(ALIVE.test(outside) ? [`in HTML: ${outside}`] : [])];
}

/** What of a document was cut in the middle; empty if nothing was. */
export function brokenIn(markdown: string): string[] {
  const found: string[] = [];
  let fence: string | null = null;
  let details = 0;
  let columns: number | null = null;
  for (const line of markdown.split('\n')) {
    const [, mark = null] = /^(`{3,})/.exec(line) ?? [];
    if (fence !== null) {
      if (line === fence) fence = null;
      continue;
    }
    fence = mark;
    if (line.startsWith('<details>')) details++;
    if (line === '</details>') details--;
    if (details < 0) found.push('</details> without <details>');
    if (!line.startsWith('|')) columns = null;
    else {
      const count = line.replaceAll('\\|', '').split('|').length;
      columns ??= count;
      if (count !== columns || !line.endsWith('|')) found.push(`row ${line}`);
    }
  }
  if (fence !== null) found.push('fence stays open');
  if (details !== 0) found.push('<details> stays open');
  const types = parse(markdown).map(({ type }) => type);
  const opened = types.filter((type) => type === 'table_open').length;
  if (opened !== types.filter((type) => type === 'tbody_open').length) found.push('a table without rows');
  if (types.includes('table_open') !== /^\| --- /m.test(markdown)) found.push('a table that is none');
  return found;
}
