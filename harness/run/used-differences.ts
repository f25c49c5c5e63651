import { dirname } from 'node:path';
import type { KnownDifference } from '../loaders/differences.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { KnownDifferenceResult } from '../results/results.ts';
import { isOf } from './known-differences.ts';

/** A known difference as the results tell it. */
export function describeDifference(difference: KnownDifference): KnownDifferenceResult {
  const { id, loader, versions, what, why, source, from, resolves } = difference;
  const told = { id, loader, versions: versions ?? null, what, why, source, from };
  return resolves === undefined ? told : { ...told, resolves };
}

/**
 * The differences that no cell of a complete run fell under, though a loader was run that they are about. What this program knows is held only against its own
 * matrices, which have programs that show each of it but what was seen elsewhere: a user's need not.
 */
export function unusedDifferences(
  differences: readonly KnownDifference[],
  loaders: readonly Pick<PreparedLoader, 'family' | 'version' | 'like' | 'unavailable'>[],
  matrixPath: string,
  used: ReadonlySet<string>,
): readonly KnownDifference[] {
  const isOwn = dirname(matrixPath) === PACKAGE_ROOT;
  const run = loaders.filter(({ unavailable }) => unavailable === null);
  return differences.filter(
    (difference) =>
      !used.has(difference.id) &&
      difference.elsewhere !== true &&
      (difference.from === 'matrix' || isOwn) &&
      run.some(({ version, ...loader }) => isOf(difference, { ...loader, loaderVersion: version })),
  );
}
