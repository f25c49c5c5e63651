import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { RunResults } from '../run/results.ts';

/**
 * Reads the results of an earlier run.
 *
 * @param place a file with results, or the folder of a run; the last run if it is not given
 * @param needed a part that results of older versions may lack
 * @throws ExplainedError `no-results`
 */
export async function readResults(place: string | undefined, needed?: keyof RunResults): Promise<RunResults> {
  const asked = resolve(place ?? join(cacheDirectory(), 'runs', 'latest'));
  const isFolder = await stat(asked).then(
    (found) => found.isDirectory(),
    () => place === undefined,
  );
  const path = isFolder ? join(asked, 'results.json') : asked;
  let results: Partial<RunResults>;
  try {
    results = JSON.parse(await readFile(path, 'utf8')) as Partial<RunResults>;
  } catch (cause) {
    throw noResults(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (results?.schemaVersion !== 1 || !Array.isArray(results.cells)) throw noResults(path, 'it holds something else');
  if (needed !== undefined && results[needed] === undefined) {
    throw noResults(path, `it has no \`${needed}\`: an older version of this program wrote it`);
  }
  if (results.ranges !== undefined && !Array.isArray(results.ranges?.programs)) {
    throw noResults(path, 'its `ranges` are none');
  }
  return results as RunResults;
}

function noResults(where: string, why: string, cause?: unknown): ExplainedError {
  return new ExplainedError('no-results', 'there are no results of a run', {
    where,
    why,
    fix: 'run `ksym-matrix run` first, or name the file or folder of a run',
    cause,
  });
}
