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
  return entries.flatMap(({ id, when = {}, externs = [], resolves }, index) => {
    const path = ['differences', index];
    const twice = ids.indexOf(id) === index ? [] : [{ path: [...path, 'id'], message: `"${id}" is there twice` }];
    const isAboutNone = externs.every((phrase) => phrase.startsWith('no '));
    const nothing =
      resolves !== undefined && isAboutNone
        ? [{ path: [...path, 'resolves'], message: '`externs` names none that could resolve to it' }]
        : [];
    return [...twice, ...nothing, ...checkCondition(when, [...path, 'when'], variants)];
  });
}
