import type { Group, Part } from './budget.ts';

/** Parts folded away below a line, which is one of ours. GitHub reads Markdown again behind an empty line. */
export function folded(summary: string, parts: readonly Part[]): Group {
  return { open: `\n<details><summary>${summary}</summary>\n`, close: '\n</details>\n', parts };
}

/** Parts below a heading, which is one of ours. */
export function section(title: string, level: number, parts: readonly Part[]): Group {
  return { open: `\n${'#'.repeat(level)} ${title}\n`, close: '', parts };
}

/** How many parts of a kind get in at its priority; further ones get what room the other kinds leave. */
const FIRST = 50;

/** The priority of a part of which there may be very many. */
export function priorityOf(index: number, priority: number): number {
  return index < FIRST ? priority : priority + 10;
}

/** How early each part of a report gets its place, where there is not room for all: a comment without the grid says less than one without evidence. */
export const PRIORITY = {
  changes: 1,
  red: 2,
  grid: 3,
  ranges: 4,
  kernels: 5,
  expected: 6,
  programs: 7,
  repeat: 8,
} as const;
