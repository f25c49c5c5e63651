import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readByLine } from './read-lines.ts';
import type { RunResults } from './results.ts';
import { cellSchema, RESULTS_SCHEMA_VERSION, resultsSchema } from './schema.ts';

/**
 * Reads the results of an earlier run, and checks them against their schema.
 *
 * @param place a file with results, or the folder of a run; the last run if it is not given
 * @param large bytes above which a file is read line by line: V8's strings end at 512 Mi characters, and much less is better never held as one
 * @throws ExplainedError `no-results`
 */
export async function readResults(place: string | undefined, large: number = 128 << 20): Promise<RunResults> {
  const asked = resolve(place ?? join(cacheDirectory(), 'runs', 'latest'));
  const isFolder = await stat(asked).then(
    (found) => found.isDirectory(),
    () => place === undefined,
  );
  const path = isFolder ? join(asked, 'results.json') : asked;
  try {
    const { size } = await stat(path);
    return size > large ? await readLarge(path, size) : parseResults(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof ExplainedError) throw cause;
    throw noResults(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * Checks results against their schema. Parts that it does not name are dropped.
 *
 * @param where they come from, for the message
 * @throws ExplainedError `no-results`
 */
export function parseResults(text: string, where: string): RunResults {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw noResults(where, `it is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return checkResults(value, where);
}

/** Each cell is checked, and what the schema does not name is dropped, as it is read. */
async function readLarge(path: string, size: number): Promise<RunResults> {
  const parts = await readByLine(path, (list, item) => {
    if (list !== 'cells') return item;
    const parsed = cellSchema.safeParse(item);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw noResults(path, `it holds something else: a cell's \`${issue?.path.join('.')}\`: ${issue?.message}`);
  });
  if (parts === undefined) {
    throw noResults(
      path,
      `it has ${Math.round(size / 1e6)} MB and is not in the form that this program writes, a line for each cell`,
    );
  }
  const { cells } = parts;
  const checked = checkResults({ ...parts, cells: Array.isArray(cells) ? [] : cells }, path);
  return { ...checked, cells: cells as RunResults['cells'] };
}

function checkResults(value: unknown, where: string): RunResults {
  const version = typeof value === 'object' && value !== null ? Reflect.get(value, 'schemaVersion') : undefined;
  if (typeof version === 'number' && version !== RESULTS_SCHEMA_VERSION) {
    const other = version < RESULTS_SCHEMA_VERSION ? 'an older' : 'a newer';
    throw noResults(where, `${other} version of this program wrote it (schemaVersion ${version})`);
  }
  const parsed = resultsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw noResults(where, `it holds something else: \`${issue?.path.join('.')}\`: ${issue?.message}`);
}

function noResults(where: string, why: string, cause?: unknown): ExplainedError {
  return new ExplainedError('no-results', 'there are no results of a run', {
    where,
    why,
    fix: 'run `ksym-matrix run` first, or name the file or folder of a run',
    cause,
  });
}
