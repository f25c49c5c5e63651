import { ExplainedError } from '../../loader/errors.ts';

/** A kernel version's numbers: 6.12.117 is [6, 12, 117]. */
export type KernelVersion = readonly number[];

/** A range of kernel versions: alternatives, each a list of bounds that must all hold. */
export type VersionRange = readonly (readonly Bound[])[];

interface Bound {
  readonly operator: '>=' | '<=' | '>' | '<' | 'line';
  readonly version: KernelVersion;
}

/**
 * Reads the numbers at the start of a kernel release or a package version: "6.12.117+deb13-cloud-amd64", "7.3.4-1~bpo13+1", "6.12-rc3".
 * @throws ExplainedError `bad-kernel-version`
 */
export function parseKernelVersion(text: string): KernelVersion {
  const match = /^v?(\d+(?:\.\d+)+)/.exec(text);
  if (match?.[1] === undefined) {
    throw new ExplainedError('bad-kernel-version', `"${text}" is no kernel version`, {
      fix: 'write it as in 6.12 or 6.12.3',
    });
  }
  return match[1].split('.').map(Number);
}

/**
 * Parses a range such as `>=6.2 <6.15`, `6.12` (that line, any patch level) or `<5.16 || >=6.1`.
 * @throws ExplainedError `bad-version-range`
 */
export function parseVersionRange(text: string): VersionRange {
  return text.split('||').map((alternative) => {
    const words = alternative
      .trim()
      .replace(/(>=|<=|>|<)\s+/g, '$1')
      .split(/\s+/);
    return words.map((word) => parseBound(word, text));
  });
}

function parseBound(word: string, whole: string): Bound {
  const match = /^(>=|<=|>|<)?(\d+(?:\.\d+){1,3})$/.exec(word);
  if (match?.[2] === undefined) {
    throw new ExplainedError('bad-version-range', `"${word}" in the kernel range "${whole}" is not understood`, {
      fix: 'write bounds such as ">=6.2 <6.15", a line such as "6.12", and "||" between alternatives',
    });
  }
  return { operator: (match[1] as Bound['operator'] | undefined) ?? 'line', version: parseKernelVersion(match[2]) };
}

/** Whether a version lies in a range. Missing numbers count as zero, but `6.12` alone means every 6.12.x. */
export function isInRange(version: KernelVersion, range: VersionRange): boolean {
  return range.some((bounds) => bounds.every((bound) => holds(version, bound)));
}

function holds(version: KernelVersion, { operator, version: limit }: Bound): boolean {
  if (operator === 'line') return limit.every((number, index) => version[index] === number);
  const order = compareKernelVersions(version, limit);
  switch (operator) {
    case '>=':
      return order >= 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
  }
}

/** Negative if `left` is older than `right`, positive if it is newer, else 0. */
export function compareKernelVersions(left: KernelVersion, right: KernelVersion): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
