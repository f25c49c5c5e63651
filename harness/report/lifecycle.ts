import type { KernelResult } from '../results/results.ts';

/**
 * Whether kernel.org maintains a kernel's line no more at some moment: after the projected end of a longterm line, and twenty weeks after the release of any other one, when the
 * second next release has been out for a while (kernel.org, "Active kernel releases": a stable line is maintained until the next mainline kernel is there, and those come every
 * nine to ten weeks). Builds of vendors go by the line that they are made from, which their vendors may maintain for longer. Null for lines that are younger than the table here.
 *
 * @param at ISO date, usually that of the run: the same results are told the same at any time
 */
export function isEndOfLife(
  { version, release }: Pick<KernelResult, 'version' | 'release'>,
  at: string,
): boolean | null {
  const line = lineOf(version) ?? lineOf(release);
  const now = Date.parse(at);
  if (line === null || Number.isNaN(now)) return null;
  const end = endOf(line);
  return end === null ? null : now >= end;
}

/**
 * Longterm lines: the first day on which they are not maintained any more, if their projected end comes true. From https://www.kernel.org/releases.html as of March 2026, when the
 * ends of 6.6, 6.12 and 6.18 were put off.
 */
const LONGTERM: Readonly<Record<string, string>> = {
  '4.4': '2022-02-04',
  '4.9': '2023-01-08',
  '4.14': '2024-01-11',
  '4.19': '2024-12-06',
  '5.4': '2025-12-04',
  '5.10': '2027-01-01',
  '5.15': '2027-01-01',
  '6.1': '2028-01-01',
  '6.6': '2028-01-01',
  '6.12': '2029-01-01',
  '6.18': '2029-01-01',
};

/** Days on which other lines were released, by the tags in Linus Torvalds' repository; the last one is the youngest line that is known here. */
const RELEASED: Readonly<Record<string, string>> = {
  '5.11': '2021-02-14',
  '5.12': '2021-04-25',
  '5.13': '2021-06-27',
  '5.14': '2021-08-29',
  '5.16': '2022-01-09',
  '5.17': '2022-03-20',
  '5.18': '2022-05-22',
  '5.19': '2022-07-31',
  '6.0': '2022-10-02',
  '6.2': '2023-02-19',
  '6.3': '2023-04-23',
  '6.4': '2023-06-25',
  '6.5': '2023-08-27',
  '6.7': '2024-01-07',
  '6.8': '2024-03-10',
  '6.9': '2024-05-12',
  '6.10': '2024-07-14',
  '6.11': '2024-09-15',
  '6.13': '2025-01-19',
  '6.14': '2025-03-24',
  '6.15': '2025-05-25',
  '6.16': '2025-07-27',
  '6.17': '2025-09-28',
  '6.19': '2026-02-08',
  '7.0': '2026-04-12',
  '7.1': '2026-06-14',
};

/** Before it no line but the longterm ones is maintained today, and the table begins. */
const OLDEST_RELEASED = '2021-02-14';

const TWENTY_WEEKS_MS = 20 * 7 * 24 * 3600 * 1000;

/** Milliseconds since 1970; null if the line is not known. */
function endOf([major, minor]: readonly [number, number]): number | null {
  const line = `${major}.${minor}`;
  const longterm = LONGTERM[line];
  if (longterm !== undefined) return Date.parse(longterm);
  const released = RELEASED[line];
  if (released !== undefined) return Date.parse(released) + TWENTY_WEEKS_MS;
  return major < 5 || (major === 5 && minor < 11) ? Date.parse(OLDEST_RELEASED) : null;
}

function lineOf(text: string): readonly [number, number] | null {
  const [, major, minor] = /^v?(\d{1,4})\.(\d{1,4})(?!\d)/.exec(text) ?? [];
  return major === undefined || minor === undefined ? null : [Number(major), Number(minor)];
}
