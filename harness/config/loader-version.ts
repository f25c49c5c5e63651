import { ExplainedError } from '../../loader/errors.ts';
import { isInRange, parseVersionRange } from './version-range.ts';

/** What is wrong with a range of a loader's versions, such as `<0.17` or `>=0.2 <1.2`; undefined if nothing is. */
export function complainOfLoaderRange(text: string): string | undefined {
  try {
    parseVersionRange(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    return `"${text}" is no range of versions (write bounds such as ">=0.2 <1.2", a line such as "1.5", and "||" between alternatives)`;
  }
}

/**
 * Whether a loader's version lies in a range that {@link complainOfLoaderRange} finds nothing wrong with. What follows its numbers is not
 * looked at: 0.22.0+ds1 is 0.22.0. What is no version, such as the digest of a user's own loader, lies in no range.
 */
export function isLoaderVersionIn(version: string, range: string): boolean {
  const [, numbers] = /^v?(\d+(?:\.\d+)+)/.exec(version) ?? [];
  return numbers !== undefined && isInRange(numbers.split('.').map(Number), parseVersionRange(range));
}
