import { showControlsWithin } from '../report/formats/control-characters.ts';
import { inOrder } from '../report/formats/order.ts';
import { paintFor } from '../report/paint.ts';
import { renderRangesByLoader } from '../report/ranges.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import { readResults } from '../results/read.ts';
import { toJson } from '../results/write.ts';
import { EXIT } from './exit-codes.ts';

/** `ksym-matrix ranges`: since when, and until when, each program works, by the results of a run. */
export async function ranges(place: string | undefined, options: { readonly json?: true }): Promise<number> {
  const results = await readResults(place);
  if (options.json === true) {
    process.stdout.write(toJson(results.ranges));
    return EXIT.ok;
  }
  // As the report of the run has them.
  const shown = inOrder(showControlsWithin(results));
  const text = renderRangesByLoader(shown, paintFor(process.stdout), terminalWidth(process.stdout));
  process.stdout.write(
    text === '' ? `no two kernels of the run are of the same source and flavour: ${shown.directory}\n` : text,
  );
  return EXIT.ok;
}
