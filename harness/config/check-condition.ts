import { ExplainedError } from '../../loader/errors.ts';
import type { Condition } from './condition-schema.ts';
import { parseVersionRange } from './version-range.ts';
import { type Finding, unknownWord } from './yaml-file.ts';

/**
 * What is wrong with a condition that follows its schema: ranges that are none, variants that there are not.
 * @param variants those of the matrix; null where it is not known which matrix it will be
 */
export function checkCondition(
  condition: Condition,
  path: Finding['path'],
  variants: ReadonlyMap<string, unknown> | null,
): Finding[] {
  const findings: Finding[] = [];
  if (condition.kernel !== undefined) {
    try {
      parseVersionRange(condition.kernel);
    } catch (error) {
      if (!(error instanceof ExplainedError)) throw error;
      findings.push({ path: [...path, 'kernel'], message: `${error.message} (${error.fix})` });
    }
  }
  if (variants === null) return findings;
  return [...findings, ...checkVariants(condition.variant ?? [], [...path, 'variant'], variants)];
}

/** Names of variants, of which each must be there. */
export function checkVariants(
  named: string | readonly string[],
  path: Finding['path'],
  variants: ReadonlyMap<string, unknown>,
): Finding[] {
  const places =
    typeof named === 'string'
      ? [{ name: named, path }]
      : named.map((name, index) => ({ name, path: [...path, index] }));
  return places
    .filter(({ name }) => !variants.has(name))
    .map((place) => ({ path: place.path, message: unknownWord('variant', place.name, [...variants.keys()]) }));
}
