import type { FactValues } from './facts.ts';

/** A fact in which two kernels differ; null where a kernel does not have it. */
export interface FactDifference {
  readonly name: string;
  readonly before: FactValues[string] | null;
  readonly after: FactValues[string] | null;
  /** Whether it is there on one of them alone, or true, or not zero: more than a different size. */
  readonly isSwitch: boolean;
}

/** Where two kernels differ, switches first; the release, which always does, is left out. */
export function differingFacts(before: FactValues, after: FactValues): FactDifference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => name !== 'release');
  const differences = names
    .filter((name) => before[name] !== after[name])
    .map((name) => {
      const [left, right] = [before[name] ?? null, after[name] ?? null];
      return { name, before: left, after: right, isSwitch: isOn(left) !== isOn(right) };
    });
  return [...differences.filter((one) => one.isSwitch), ...differences.filter((one) => !one.isSwitch)];
}

/** Options of the configuration that are off are `n`. */
function isOn(value: FactValues[string] | null): boolean {
  return value !== null && value !== 0 && value !== false && value !== 'n' && value !== '';
}
