import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { RunResults } from './results.ts';
import { RESULTS_SCHEMA_VERSION, resultsSchema } from './schema.ts';

/**
 * Reads the results of an earlier run, and checks them against their schema.
 *
 * @param place a file with results, or the folder of a run; the last run if it is not given
 * @throws ExplainedError `no-results`
 */
export async function readResults(place: string | undefined): Promise<RunResults> {
  const asked = resolve(place ?? join(cacheDirectory(), 'runs', 'latest'));
  const isFolder = await stat(asked).then(
    (found) => found.isDirectory(),
    () => place === undefined,
  );
  const path = isFolder ? join(asked, 'results.json') : asked;
  try {
    return parseResults(await readFile(path, 'utf8'), path);
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
