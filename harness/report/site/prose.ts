import { type Html, html, type Insert, join } from './html.ts';

/** A sentence from a YAML file or a log; commits of the kernel that it names are links to them, and what stands between backticks is code. */
export function prose(text: string): Html {
  const parts: Insert[] = [];
  let end = 0;
  for (const match of text.matchAll(MARKED)) {
    const { code, commit = '' } = match.groups ?? {};
    parts.push(text.slice(end, match.index), code === undefined ? commitLink(commit) : html`<code>${code}</code>`);
    end = match.index + match[0].length;
  }
  return join([...parts, text.slice(end)]);
}

/** A commit of the kernel, linked to where it can be read. */
export function commitLink(commit: string): Html {
  if (!/^[0-9a-f]+$/.test(commit)) return html`<code>${commit}</code>`;
  return html`<a href="https://git.kernel.org/torvalds/c/${commit}"><code>${commit.slice(0, 12)}</code></a>`;
}

/** `a`, `a and b`, `a, b and c`; more than `most` of them are counted. */
export function listWords(words: readonly string[], most: number, noun: string): string {
  if (words.length > most) return `${words.length} ${noun}`;
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

/** Commits as kernel people write them: 12 digits or more, of which some are letters and some are not. */
const MARKED = /`(?<code>[^`\n]+)`|\b(?<commit>(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{12,40})\b/g;
