import type { z } from 'zod';

/** What is wrong with a value of a YAML file, in words of the file rather than of the checker; undefined if the checker's own message says it. */
export function issueInWords(issue: z.core.$ZodIssue, value: unknown): string | undefined {
  switch (issue.code) {
    case 'invalid_key':
      return issue.issues[0]?.message;
    case 'invalid_type':
      if (issue.message.startsWith('Invalid input')) return typeInWords(issue.expected, value);
      return undefined;
    case 'too_small':
      if (issue.origin === 'array') return `at least ${issue.minimum} is wanted in this list`;
      return issue.origin === 'number' || issue.origin === 'int' ? `at least ${issue.minimum} is wanted` : undefined;
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int' ? `at most ${issue.maximum} is wanted` : undefined;
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list is wanted, as in [one, two]',
  object: 'a mapping is wanted, as in {key: value}',
  record: 'a mapping is wanted, as in {key: value}',
  number: 'a number is wanted',
  int: 'a whole number is wanted',
  boolean: 'true or false is wanted',
  string: 'a text is wanted',
};

function typeInWords(expected: string, value: unknown): string | undefined {
  const kind = KINDS[expected];
  if (kind === undefined) return undefined;
  if (expected === 'string' && typeof value === 'number') {
    return `a text is wanted, and YAML takes ${value} for a number: write it in quotes`;
  }
  if (value === null) return `${kind}, and there is nothing`;
  return typeof value === 'object' ? kind : `${kind}, not ${JSON.stringify(value)}`;
}
