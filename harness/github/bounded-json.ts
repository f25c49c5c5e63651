import { ExplainedError } from '../../loader/errors.ts';

/** What JSON by strangers may be. */
export interface JsonLimits {
  /** Bytes of the whole text. */
  readonly bytes: number;
  /** Arrays and objects within one another. */
  readonly depth: number;
  /** Values, all of them together. */
  readonly values: number;
  /** UTF-16 units of a string; longer ones are shortened. */
  readonly string: number;
  /** UTF-16 units of a key. */
  readonly key: number;
}

/**
 * Reads JSON that somebody may have written to do harm. Size, depth and number of values are counted before anything is made of them: a few megabytes of `[`
 * become gigabytes otherwise.
 *
 * @returns the value, its overlong strings shortened and saying so
 * @throws ExplainedError `artifact-bad`
 */
export function parseBoundedJson(bytes: Uint8Array, where: string, limits: JsonLimits): unknown {
  const refuse = (why: string): never => {
    throw artifactBad(where, why);
  };
  if (bytes.length > limits.bytes) refuse(`it has more than ${limits.bytes} bytes`);
  const excess = countStructure(bytes, limits);
  if (excess !== null) refuse(excess);
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return bound(value, limits, refuse);
  } catch (error) {
    if (error instanceof ExplainedError) throw error;
    // The text of the error quotes the file.
    return refuse('it is no JSON in UTF-8');
  }
}

/** The error for a file of an artifact that is not used. */
export function artifactBad(where: string, why: string): ExplainedError {
  return new ExplainedError('artifact-bad', 'these results are not used', {
    where,
    why,
    fix: 'The run that made them may have been tampered with, or is of another version of this program.',
  });
}

/** What is too much; null if nothing is. Brackets and commas within strings are none. */
function countStructure(bytes: Uint8Array, limits: JsonLimits): string | null {
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      if (++depth > limits.depth) return `it is more than ${limits.depth} levels deep`;
      values++;
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
    else if (byte === COMMA) values++;
    if (values > limits.values) return `it has more than ${limits.values} values`;
  }
  return null;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Not deeper than was counted. */
function bound(value: unknown, limits: JsonLimits, refuse: (why: string) => never): unknown {
  if (typeof value === 'string') return shorten(value, limits.string);
  if (Array.isArray(value)) return value.map((one) => bound(one, limits, refuse));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => {
    if (key === '__proto__' || key.length > limits.key) refuse('it has a name that nothing has');
    return [key, bound(one, limits, refuse)] as const;
  });
  return Object.fromEntries(entries);
}

function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // Not between the two halves of a character.
  const end = /[\ud800-\udbff]/.test(text.charAt(limit - 1)) ? limit - 1 : limit;
  return `${text.slice(0, end)}\n… (${text.length - end} more characters are left out)`;
}
