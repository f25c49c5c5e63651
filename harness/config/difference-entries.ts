import { checkCondition } from './check-condition.ts';
import type { Difference } from './difference-schema.ts';
import type { Finding } from './yaml-file.ts';

/**
 * What is wrong with differences that follow their schema.
 * @param variants those of the matrix; null for a file that serves all matrices
 */
export function checkDifferences(
  entries: readonly Difference[],
  variants: ReadonlyMap<string, unknown> | null,
): Finding[] {
  const ids = entries.map(({ id }) => id);
  return entries.flatMap(({ id, when = {} }, index) => {
    const path = ['differences', index];
    const twice = ids.indexOf(id) === index ? [] : [{ path: [...path, 'id'], message: `"${id}" is there twice` }];
    return [...twice, ...checkCondition(when, [...path, 'when'], variants)];
  });
}
