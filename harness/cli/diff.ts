import { renderComparison } from '../report/comparison.ts';
import { PLAIN } from '../report/formats/terminal.ts';
import { paintFor } from '../report/paint.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import { type Comparison, compareResults } from '../results/compare.ts';
import { closedGates, type Gate } from '../results/gate.ts';
import { readResults } from '../results/read.ts';
import { toJson } from '../results/write.ts';
import { EXIT } from './exit-codes.ts';
import { requirePlace, writeOutput } from './output-place.ts';

/** Options of `diff`. */
export interface DiffOptions {
  readonly failOn?: readonly Gate[];
  readonly format: 'terminal' | 'markdown' | 'json';
  readonly output?: string;
}

/** `ksym-matrix diff`: what changed from one run to another, and whether that closes a gate. */
export async function diff(base: string, head: string | undefined, options: DiffOptions): Promise<number> {
  const { output, failOn = [] } = options;
  if (output !== undefined && output !== '-') await requirePlace(output, 'file', '--output');
  const comparison = compareResults(await readResults(base), await readResults(head));
  await writeOutput(output, await render(comparison, options));
  const closed = closedGates(comparison, failOn);
  if (closed.length === 0) return EXIT.ok;
  const found = closed.map(({ gate, count }) => `${count} ${gate === 'any' ? 'different' : gate}`);
  process.stderr.write(`ksym-matrix: --fail-on ${failOn.join(',')}: ${found.join(', ')}\n`);
  return EXIT.red;
}

async function render(comparison: Comparison, { format, output }: DiffOptions): Promise<string> {
  switch (format) {
    case 'json':
      return toJson(comparison);
    case 'markdown':
      return (await import('../report/markdown/comparison.ts')).renderComparisonMarkdown(comparison);
    case 'terminal':
      // A file has neither a width nor colours.
      return output === undefined || output === '-'
        ? renderComparison(comparison, paintFor(process.stdout), terminalWidth(process.stdout))
        : renderComparison(comparison, PLAIN);
  }
}
