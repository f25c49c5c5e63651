import { InvalidArgumentError } from 'commander';

/** For options that take a whole number from 1 up. */
export function positive(text: string): number {
  return wholeNumber(text, 1);
}

/** For options that take a whole number from 0 up. */
export function natural(text: string): number {
  return wholeNumber(text, 0);
}

function wholeNumber(text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidArgumentError(`a whole number from ${least} up is wanted`);
  }
  return value;
}
