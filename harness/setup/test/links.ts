import { dirname, join, normalize } from 'node:path';

/**
 * The links of a page in Markdown that lead nowhere: to a file that is not there, or to a heading that a page does not have. Addresses on the web are
 * not asked.
 *
 * @param page its path in the repository
 * @param open the text of a file of the repository; undefined if there is none
 */
export function brokenLinks(text: string, page: string, open: (path: string) => string | undefined): string[] {
  const links = [
    ...[...withoutCode(text).matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)],
    ...[...withoutCode(text).matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)],
    ...[...withoutCode(text).matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)],
  ].map(([, link = '']) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/i.test(link)) return false;
    const [path = '', heading] = link.split('#');
    const target = path === '' ? text : open(normalize(join(dirname(page), decodeURIComponent(path))));
    if (target === undefined) return true;
    return heading !== undefined && !anchorsOf(target).has(heading);
  });
}

/** The anchors of headings, as GitHub makes them of their words ("Basic writing and formatting syntax", section links). */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of withoutFences(text).matchAll(/^#{1,6}\s+(.*?)\s*#*$/gm)) {
    const words = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = words.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    let free = anchor;
    for (let count = 1; anchors.has(free); count++) free = `${anchor}-${count}`;
    anchors.add(free);
  }
  for (const [, id = ''] of text.matchAll(/<a\s(?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

function withoutFences(text: string): string {
  return text.replace(/^(```+|~~~+).*?^\1/gms, '');
}

function withoutCode(text: string): string {
  return withoutFences(text).replace(/`[^`\n]+`/g, '');
}
