import { FACTS, findFact } from '../../config/fact-registry.ts';
import type { FactValues } from '../facts.ts';

const TYPES = { number: ['number'], boolean: ['boolean'], text: ['string'], option: ['string'] } as const;

/** Facts that the registry does not have, or has with another type. */
export function strangers(values: FactValues): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const known = findFact(name);
    const fits = known !== undefined && TYPES[known.type].some((type) => type === typeof value);
    const meant = known?.values === undefined || known.values.includes(String(value));
    return fits && meant ? [] : [`${name}: ${value}`];
  });
}

/** Facts of the registry that were not recorded. */
export function missingFacts(values: FactValues): string[] {
  return FACTS.map(({ name }) => name).filter((name) => !(name in values));
}
