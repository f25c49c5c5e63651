import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { ExplainedError } from '../../loader/errors.ts';
import { compareText, gridOrder } from './grid-order.ts';
import { HISTORY_SCHEMA_VERSION, historySchema, NOT_RUN_LETTER, VERDICT_LETTERS } from './history-schema.ts';
import type { RunResults } from './results.ts';
import { RED_VERDICTS, VERDICTS } from './verdicts.ts';
import { writeWhole } from './write.ts';

export { historySchema, NOT_RUN_LETTER, VERDICT_LETTERS } from './history-schema.ts';

/** What is kept of a run for ever: which verdict each cell had, and nothing of why. A few kilobytes. */
export type HistoryRun = z.infer<typeof historySchema>;

/** A program with a variant, by a loader. */
export type HistoryRow = Pick<HistoryRun['rows'][number], 'loader' | 'program' | 'variant'>;

/** Runs that are kept unless it is said otherwise. */
export const USUAL_KEEP = 500;

/** Bytes of a file of the history beyond which it is none: 300 kernels, 100 programs in 7 variants and 10 loaders need 3 MB. */
const MOST_BYTES = 16 * 2 ** 20;

/** What the history keeps of a run. It does not depend on the order of the cells. */
export function summariseRun(results: RunResults): HistoryRun {
  const { id, startedAt, tool, origin, host, complete, totals, cells } = results;
  const order = gridOrder(results);
  const columns = new Map(order.kernels.map(({ name }, index) => [name, index]));
  const rows = new Map<string, HistoryRow & { readonly letters: string[] }>();
  for (const { loader, program, variant, kernel, verdict } of [...cells].sort(order.compare)) {
    const column = columns.get(kernel);
    if (column === undefined) continue;
    const key = JSON.stringify([loader, program, variant]);
    const row = rows.get(key) ?? { loader, program, variant, letters: order.kernels.map(() => NOT_RUN_LETTER) };
    rows.set(key, row);
    row.letters[column] = VERDICT_LETTERS[verdict];
  }
  return {
    schemaVersion: HISTORY_SCHEMA_VERSION,
    id,
    startedAt,
    toolVersion: tool.version,
    origin,
    accelerator: host.accelerator,
    complete,
    totals,
    kernels: order.kernels.map(({ name, release, version }) => ({ name, release, version })),
    rows: [...rows.values()].map(({ letters, ...row }) => ({ ...row, verdicts: letters.join('') })),
  };
}

/** How {@link readHistory} reads. */
export interface ReadHistoryOptions {
  /** The newest runs, at most. Default: {@link USUAL_KEEP}. */
  readonly most?: number;
  /** Told of a file that is none of the history's, and is left out. */
  readonly onWarning?: (text: string) => void;
}

/**
 * The runs of a folder, newest first. What else lies in it, such as a README, is let be; a `.json` that is none of ours is told and left out.
 * @throws ExplainedError `no-history`
 */
export async function readHistory(folder: string, options: ReadHistoryOptions = {}): Promise<HistoryRun[]> {
  const { most = USUAL_KEEP, onWarning } = options;
  const runs: HistoryRun[] = [];
  for (const name of await filesOf(folder)) {
    const run = await readRun(folder, name);
    if (typeof run === 'string') onWarning?.(`${join(folder, name)} is left out: ${run}`);
    else runs.push(run);
  }
  return runs.sort(newestFirst).slice(0, most);
}

/**
 * Adds a run to a folder, which is made if it is not there, as a file `ID.json`; one that is there already is written again. Only the newest
 * runs are kept: older ones of ours are removed.
 *
 * @param keep how many, at least 1
 * @returns the path of the file, and the ids of the runs that went; the run itself is among them if it is older than all that are kept
 * @throws ExplainedError `history-not-written`, `no-history`
 */
export async function addToHistory(
  folder: string,
  results: RunResults,
  keep: number = USUAL_KEEP,
): Promise<{ readonly path: string; readonly removed: readonly string[] }> {
  const refuse = (why: string, cause?: unknown): ExplainedError =>
    new ExplainedError('history-not-written', 'the run cannot be kept', { where: folder, why, cause });
  const { data: run, error } = historySchema.safeParse(summariseRun(results));
  if (run === undefined)
    throw refuse(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  const path = join(folder, fileOf(run.id));
  try {
    await mkdir(folder, { recursive: true });
    await writeWhole(path, `${JSON.stringify(run)}\n`);
    const runs = await readHistory(folder, { most: Number.POSITIVE_INFINITY });
    const removed = runs.slice(Math.max(1, keep)).map(({ id }) => id);
    for (const id of removed) await rm(join(folder, fileOf(id)), { force: true });
    return { path, removed };
  } catch (cause) {
    if (cause instanceof ExplainedError) throw cause;
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * The oldest run since which a cell is red without a break; null if it is not red in the newest run that tried it. Runs without the cell, and those that
 * learnt nothing of it, do not end the row.
 *
 * @param runs newest first
 */
export function firstBadRun(runs: readonly HistoryRun[], row: HistoryRow, kernel: string): HistoryRun | null {
  let bad: HistoryRun | null = null;
  for (const run of runs) {
    const letter = letterOf(run, row, kernel);
    if (letter === NOT_RUN_LETTER || letter === VERDICT_LETTERS.infra) continue;
    if (!RED_LETTERS.has(letter)) return bad;
    bad = run;
  }
  return bad;
}

/** The letter of a cell in a run; {@link NOT_RUN_LETTER} if the run does not have it. */
export function letterOf(run: HistoryRun, { loader, program, variant }: HistoryRow, kernel: string): string {
  const column = run.kernels.findIndex(({ name }) => name === kernel);
  const row = run.rows.find((one) => one.program === program && one.variant === variant && one.loader === loader);
  return row?.verdicts[column] ?? NOT_RUN_LETTER;
}

const RED_LETTERS: ReadonlySet<string> = new Set(
  VERDICTS.filter((verdict) => RED_VERDICTS.has(verdict)).map((verdict) => VERDICT_LETTERS[verdict]),
);

/** An id has no slash, and with this ending it is neither `.` nor `..`. */
function fileOf(id: string): string {
  return `${id}.json`;
}

function newestFirst(left: HistoryRun, right: HistoryRun): number {
  return Date.parse(right.startedAt) - Date.parse(left.startedAt) || compareText(right.id, left.id);
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  } catch (cause) {
    throw new ExplainedError('no-history', 'there is no folder with a history', {
      where: folder,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: 'add a run to it with `ksym-matrix history add`',
      cause,
    });
  }
}

/** A run, or why the file is none. */
async function readRun(folder: string, name: string): Promise<HistoryRun | string> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) return `it has ${size} bytes, which is too many`;
    const parsed = historySchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return `it holds something else: \`${issue?.path.join('.')}\`: ${issue?.message}`;
    }
    // A run under two names would be counted twice, and only one of them would ever go.
    return name === fileOf(parsed.data.id)
      ? parsed.data
      : `it holds run ${parsed.data.id}, whose file has another name`;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
