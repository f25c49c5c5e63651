import type { Fact, FactType } from './fact-registry.ts';
import { suggest } from './suggest.ts';

/** What a condition asks of one fact, as it is written in YAML. */
export type FactCondition = boolean | number | string;

/** A condition on a fact of each type, to show. */
export const EXAMPLES: Readonly<Record<FactType, string>> = {
  number: '">0" or 5',
  boolean: 'true',
  text: '"none" or "!=none"',
  option: 'y or "!=n"',
};

interface Bound {
  readonly operator: '>=' | '<=' | '>' | '<' | '!=' | '=';
  readonly number: number;
}

/** What is wrong with a condition on a fact, for the person who wrote it; undefined if nothing is. */
export function complainOfCondition(fact: Fact, wanted: FactCondition): string | undefined {
  const shown = JSON.stringify(wanted);
  switch (fact.type) {
    case 'boolean':
      return typeof wanted === 'boolean' ? undefined : `${fact.name} is true or false, not ${shown}`;
    case 'number':
      if (typeof wanted !== 'string' || parseBounds(wanted) !== undefined) return undefined;
      return `${fact.name} is a number, and ${shown} is no comparison with one (${COMPARISONS})`;
    case 'text':
      if (typeof wanted !== 'string') return `${fact.name} is a text, not ${shown}`;
      return complainOfText(fact, wanted.replace(/^!=\s*/, ''));
    case 'option':
      if (typeof wanted === 'number') return undefined;
      if (typeof wanted === 'boolean' || NO_OPTION.test(wanted.replace(/^!=\s*/, ''))) {
        return `a kernel option is y, m, n or a value, not ${shown}`;
      }
      if (!/^[<>=]/.test(wanted) || parseBounds(wanted) !== undefined) return undefined;
      return `${shown} is no comparison with a number (${COMPARISONS})`;
  }
}

const COMPARISONS = 'write 5, ">0", ">=1 <5", "!=3", or true for more than zero';

/** What is meant for y, m or n, and never holds. */
const NO_OPTION = /^(?:|yes|no|on|off|true|false|module|[YNM])$/;

function complainOfText({ name, values }: Fact, text: string): string | undefined {
  if (text === '' || /^[<>=]/.test(text)) return `${name} is a text, and compared as a whole: write ${EXAMPLES.text}`;
  if (values === undefined || values.includes(text)) return undefined;
  const near = suggest(text, values);
  const help = near === undefined ? `it is one of ${values.join(', ')}` : `did you mean "${near}"?`;
  return `${name} is never "${text}" (${help})`;
}

/** Whether a fact is as a condition wants it; one that is not known is not. What {@link complainOfCondition} complains of does not hold. */
export function factHolds(found: boolean | number | string | undefined, wanted: FactCondition): boolean {
  if (found === undefined) return false;
  // `btf.vars: true` asks whether a count is more than zero.
  if (typeof wanted === 'boolean') return typeof found === 'number' ? found > 0 === wanted : found === wanted;
  if (typeof wanted === 'number') return Number(found) === wanted;
  const number = numberOf(found);
  const bounds = number === undefined ? undefined : parseBounds(wanted);
  if (number !== undefined && bounds !== undefined) return bounds.every((bound) => boundHolds(number, bound));
  const other = /^!=\s*(.*)$/.exec(wanted)?.[1];
  return other === undefined ? String(found) === wanted : String(found) !== other;
}

/** A fact as a number, if it is one or, as a kernel option's value, looks like one. */
function numberOf(found: boolean | number | string): number | undefined {
  if (typeof found === 'number') return found;
  return typeof found === 'string' && NUMBER.test(found) ? Number(found) : undefined;
}

const NUMBER = /^-?(\d+|0x[0-9a-fA-F]+)$/;

/** `>=1 <5` as bounds that must all hold; undefined if it is not understood. */
function parseBounds(text: string): Bound[] | undefined {
  const words = text
    .trim()
    .replace(/(>=|<=|!=|>|<|=)\s+/g, '$1')
    .split(/\s+/);
  const bounds = words.map((word) => {
    const [, operator = '=', digits = ''] = /^(>=|<=|!=|>|<|=)?(-?\w+)$/.exec(word) ?? [];
    return { operator: operator as Bound['operator'], number: NUMBER.test(digits) ? Number(digits) : Number.NaN };
  });
  return bounds.some(({ number }) => Number.isNaN(number)) ? undefined : bounds;
}

function boundHolds(found: number, { operator, number }: Bound): boolean {
  switch (operator) {
    case '>=':
      return found >= number;
    case '<=':
      return found <= number;
    case '>':
      return found > number;
    case '<':
      return found < number;
    case '!=':
      return found !== number;
    case '=':
      return found === number;
  }
}
