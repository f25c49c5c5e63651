import { ExplainedError } from '../../loader/errors.ts';

/**
 * Splits a command line into words as a POSIX shell does, without expansions: single quotes, double quotes and backslashes.
 * Python's `shlex.join`, with which virtme-ng prints its commands, writes nothing else.
 * @throws ExplainedError `unbalanced-quote` if a quote stays open.
 */
export function splitShellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < line.length; index++) {
    const character = line.charAt(index);
    if (quote === "'") {
      if (character === quote) quote = '';
      else word += character;
    } else if (quote === '"') {
      if (character === quote) quote = '';
      else if (character === '\\' && '"\\$`'.includes(line.charAt(index + 1))) word += line.charAt(++index);
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + (character === '\\' ? line.charAt(++index) : character);
    }
  }
  if (quote !== '') throw new ExplainedError('unbalanced-quote', `a ${quote} is not closed`, { where: line });
  if (word !== undefined) words.push(word);
  return words;
}
