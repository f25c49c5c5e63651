import { ExplainedError } from '../errors.ts';
import type { ArrayType, BtfType, Enum64Type, EnumType } from './types.ts';
import type { BtfValue } from './value.ts';
import { describe } from './value-layout.ts';

/** More than a person could use in a message. */
export const MOST_NAMES = 20;

export function checkLength(array: ArrayType, path: string, given: number, unit: string): void {
  if (given <= array.length) return;
  const why = `the array has ${array.length}`;
  throw new ExplainedError('btf-value-size', `${given} ${unit} are too many`, { where: pathOf(path), why });
}

export function toInteger(type: BtfType, path: string, value: BtfValue): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'number') refuseValue(type, path, value, 'it takes a number or bigint');
  if (!Number.isSafeInteger(value)) refuseRange(type, path, value, 'whole numbers, beyond 2^53 as bigint');
  return BigInt(value);
}

export function enumValue(type: EnumType | Enum64Type, path: string, name: string): bigint {
  const all: readonly { readonly name: string; readonly value: number | bigint }[] = type.values;
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return BigInt(found.value);
  const known = all.slice(0, MOST_NAMES).map((one) => one.name);
  const more = all.length > MOST_NAMES ? `, and ${all.length - MOST_NAMES} more` : '';
  throw new ExplainedError('btf-value-type', `${describe(type)} has no value ${name}`, {
    where: pathOf(path),
    why: `it has ${known.join(', ')}${more}`,
  });
}

export function refuseValue(type: BtfType, path: string, value: BtfValue, why: string): never {
  const article = Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  // JavaScript callers may give what the type does not have.
  const given = value === null || value === undefined ? String(value) : article;
  throw new ExplainedError('btf-value-type', `${given} for ${describe(type)}`, { where: pathOf(path), why });
}

export function refuseRange(type: BtfType, path: string, value: BtfValue, range: string): never {
  const what = `${String(value)} does not fit ${describe(type)}`;
  throw new ExplainedError('btf-value-range', what, { where: pathOf(path), why: `it holds ${range}` });
}

export function pathOf(path: string): string {
  return path === '' ? 'the value' : path;
}
