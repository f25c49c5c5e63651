/** How much of a budget a text takes. Adds up: of two texts together as much as of both. */
export type Measure = (text: string) => number;

/** Bytes of UTF-8: job summaries and check runs. */
export const inBytes: Measure = (text) => Buffer.byteLength(text, 'utf8');

/** UTF-16 code units, of which there are never fewer than characters: comments. */
export const inCharacters: Measure = (text) => text.length;

/** What a part is called where it was left out. */
export interface Noun {
  readonly one: string;
  /** Null for what there is only one of, which is not counted: `the grid`. */
  readonly many: string | null;
}

/** A part of a document that is there as a whole or not at all. */
export interface Leaf {
  /** The same, from the fullest to the shortest; each ends with a newline. */
  readonly texts: readonly string[];
  /** The lowest goes in first. */
  readonly priority: number;
  readonly noun: Noun;
  /** What it is called where a shorter text had to do; nothing is said without it. */
  readonly shortened?: Noun;
  /** How many of the noun it stands for; 1 if not given. */
  readonly count?: number;
}

/** Parts between an opening and an end, which are written if one of them is: a table with its rows, `<details>`, a section with its heading. */
export interface Group {
  readonly open: string;
  readonly close: string;
  readonly parts: readonly Part[];
}

export type Part = Leaf | Group;

/** What {@link fitParts} may use. */
export interface Budget {
  readonly limit: number;
  readonly measure: Measure;
  /** Markdown that says where all of it is: `the [full report](…)`. */
  readonly elsewhere: string;
}

/**
 * Writes as much of a document as a budget allows, and never more. First every part gets in with its shortest text, by priority, then texts grow, by
 * priority. What does not fit is counted in a last line; if not even that fits, nothing is left.
 */
export function fitParts(parts: readonly Part[], { limit, measure, elsewhere }: Budget): string {
  const leaves = parts.flatMap((part) => placesOf(part, []));
  const order = leaves.toSorted((left, right) => left.leaf.priority - right.leaf.priority);
  for (const place of leaves) place.text = place.leaf.texts[0] ?? '';
  const whole = write(parts, leaves);
  if (measure(whole) <= limit) return whole;
  for (const place of leaves) place.text = null;
  const worst = closing(
    leaves,
    leaves.filter(({ leaf }) => leaf.shortened !== undefined),
    elsewhere,
  );
  let left = limit - measure(worst);
  if (left < 0) return '';
  const opened = new Set<Group>();
  for (const place of order) {
    const { leaf, groups } = place;
    const text = leaf.texts.at(-1) ?? '';
    const closed = groups.filter((group) => !opened.has(group));
    const cost = closed.reduce((sum, { open, close }) => sum + measure(open) + measure(close), measure(text));
    if (cost > left) continue;
    left -= cost;
    place.text = text;
    for (const group of closed) opened.add(group);
  }
  for (const place of order) {
    const now = place.text;
    if (now === null) continue;
    const longer = place.leaf.texts.find((text) => measure(text) - measure(now) <= left) ?? now;
    left -= measure(longer) - measure(now);
    place.text = longer;
  }
  const missing = leaves.filter(({ text }) => text === null);
  const shorter = leaves.filter(({ text, leaf }) => text !== null && text !== leaf.texts[0] && leaf.shortened);
  return write(parts, leaves) + closing(missing, shorter, elsewhere);
}

interface Place {
  readonly leaf: Leaf;
  /** That it lies in, outermost first. */
  readonly groups: readonly Group[];
  text: string | null;
}

function placesOf(part: Part, groups: readonly Group[]): Place[] {
  if (!('parts' in part)) return [{ leaf: part, groups, text: null }];
  const inside = [...groups, part];
  return part.parts.flatMap((inner) => placesOf(inner, inside));
}

function write(parts: readonly Part[], leaves: readonly Place[]): string {
  const texts = new Map(leaves.map(({ leaf, text }) => [leaf, text]));
  const writePart = (part: Part): string => {
    if (!('parts' in part)) return texts.get(part) ?? '';
    const inner = part.parts.map(writePart).join('');
    return inner === '' ? '' : `${part.open}${inner}${part.close}`;
  };
  return parts.map(writePart).join('');
}

/** Never longer for fewer places. */
function closing(missing: readonly Place[], shorter: readonly Place[], elsewhere: string): string {
  const said = [
    ...countNouns(missing.map(({ leaf }) => ({ noun: leaf.noun, count: leaf.count ?? 1 }))),
    ...countNouns(
      shorter.flatMap(({ leaf: { shortened, count = 1 } }) => (shortened ? [{ noun: shortened, count }] : [])),
    ),
  ];
  return said.length === 0
    ? ''
    : `\n_Left out here, for want of room: ${said.join(', ')}. All of it is in ${elsewhere}._\n`;
}

function countNouns(items: readonly { readonly noun: Noun; readonly count: number }[]): string[] {
  const counts = new Map<string, { noun: Noun; count: number }>();
  for (const { noun, count } of items) {
    const found = counts.get(noun.one);
    if (found === undefined) counts.set(noun.one, { noun, count });
    else found.count += count;
  }
  return [...counts.values()].map(({ noun: { one, many }, count }) =>
    many === null ? one : `${count} ${count === 1 ? one : many}`,
  );
}
