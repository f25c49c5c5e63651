import { showControls } from '../report/formats/control-characters.ts';
import { paintFor } from '../report/paint.ts';
import { renderTable } from '../report/table.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import { addToHistory, type HistoryRun, readHistory } from '../results/history.ts';
import { readResults } from '../results/read.ts';
import { RED_VERDICTS, VERDICTS } from '../results/verdicts.ts';
import { toJson } from '../results/write.ts';
import { EXIT } from './exit-codes.ts';

/** `ksym-matrix history add` */
export async function addRun(
  place: string | undefined,
  options: { readonly to: string; readonly keep?: number },
): Promise<number> {
  const { path, removed } = await addToHistory(options.to, await readResults(place), options.keep);
  process.stdout.write(`${path}\n`);
  for (const id of removed) process.stderr.write(`removed, because newer runs fill the history: ${id}\n`);
  return EXIT.ok;
}

/** `ksym-matrix history list` */
export async function listRuns(folder: string, options: { readonly json?: true }): Promise<number> {
  const runs = await readHistory(folder, {
    most: Number.POSITIVE_INFINITY,
    onWarning: (text) => process.stderr.write(`${showControls(text)}\n`),
  });
  if (options.json === true) process.stdout.write(toJson(runs));
  else if (runs.length === 0) process.stderr.write(`no run is kept in ${folder}\n`);
  else {
    const [head = '', ...rows] = renderTable(COLUMNS, runs.map(toRow), terminalWidth(process.stdout));
    process.stdout.write(`${[paintFor(process.stdout).strong(head), ...rows].join('\n')}\n`);
  }
  return EXIT.ok;
}

const COLUMNS = [
  { title: 'run' },
  { title: 'commit', spare: 2 },
  { title: 'kernels', align: 'right', spare: 1 },
  { title: 'cells', align: 'right', spare: 1 },
  { title: 'red', align: 'right' },
  { title: '' },
] as const;

/** Digits of a commit that tell it from others. */
const COMMIT_DIGITS = 12;

function toRow({ id, origin, kernels, totals, complete }: HistoryRun): string[] {
  const cells = VERDICTS.reduce((sum, verdict) => sum + totals[verdict], 0);
  const red = VERDICTS.filter((verdict) => RED_VERDICTS.has(verdict) && totals[verdict] > 0);
  return [
    id,
    origin.commit?.slice(0, COMMIT_DIGITS) ?? '',
    String(kernels.length),
    String(cells),
    String(red.reduce((sum, verdict) => sum + totals[verdict], 0)),
    [...red.map((verdict) => `${totals[verdict]} ${verdict}`), ...(complete ? [] : ['interrupted'])].join(', '),
  ];
}
