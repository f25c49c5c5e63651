/**
 * Orders two Debian package versions as dpkg does: negative if `a` is older than `b`, 0 if they are equal, positive if it is newer.
 * Follows the algorithm in Debian Policy §5.6.12: the epoch as a number, then upstream version and revision, each by turns of non-digits
 * (letters before everything else, `~` before the end) and digits (as numbers of any length).
 */
export function compareVersions(a: string, b: string): number {
  const left = split(a);
  const right = split(b);
  return (
    comparePart(left.epoch, right.epoch) ||
    comparePart(left.upstream, right.upstream) ||
    comparePart(left.revision, right.revision)
  );
}

/** The kernel line of a package version or kernel release: `6.12` of `6.12.117-1`. Null if it does not begin with two numbers. */
export function lineOf(version: string): string | null {
  const match = /^(?:\d+:)?(\d+\.\d+)(?![\d])/.exec(version);
  return match?.[1] ?? null;
}

function split(version: string): { epoch: string; upstream: string; revision: string } {
  const colon = version.indexOf(':');
  const epoch = colon === -1 ? '0' : version.slice(0, colon);
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  // No revision is the same as revision 0 (Policy §5.6.12).
  return dash === -1
    ? { epoch, upstream: rest, revision: '0' }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

function comparePart(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a, i) - weight(b, j);
      if (difference !== 0) return difference;
      i += 1;
      j += 1;
    }
    const [left, afterLeft] = number(a, i);
    const [right, afterRight] = number(b, j);
    if (left.length !== right.length) return left.length - right.length;
    if (left !== right) return left < right ? -1 : 1;
    i = afterLeft;
    j = afterRight;
  }
  return 0;
}

/** Weight of a character outside numbers: `~`, then the end or a digit, then letters, then the rest. */
function weight(text: string, index: number): number {
  const character = text[index];
  if (character === undefined || isDigit(text, index)) return 0;
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

/** The digits at `index` without leading zeros, and where they end. */
function number(text: string, index: number): [digits: string, end: number] {
  let end = index;
  while (end < text.length && isDigit(text, end)) end += 1;
  return [text.slice(index, end).replace(/^0+/, ''), end];
}

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 48 && code <= 57;
}
