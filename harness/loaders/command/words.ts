import type { WantedRun } from '../prepared-loader.ts';

/** What stands in a command for the object's path in the guest. It may be part of a word, as in `--object={object}`. */
export const OBJECT = '{object}';

/** What stands in a command, as a word of its own, for the test runs that are wanted: no word or several, `--run PROGRAM@CPU` each. */
export const RUNS = '{runs}';

/** A command's words with everything put in that is known only in a cell. */
export function fillWords(words: readonly string[], object: string, runs: readonly WantedRun[]): string[] {
  return words.flatMap((word) =>
    word === RUNS
      ? runs.flatMap(({ program, cpu }) => ['--run', `${program}@${cpu}`])
      : // A function: in a string, $& and its like would mean something.
        [word.replaceAll(OBJECT, () => object)],
  );
}

/** What is wrong with the placeholders of a command, as a sentence; null if nothing is. */
export function placeholderMistake(words: readonly string[]): string | null {
  const [program = ''] = words;
  if (/\{[a-z]+\}/.test(program)) return `the command begins with a program, and ${program} is none`;
  for (const word of words) {
    for (const [placeholder] of word.matchAll(/\{[a-z]+\}/g)) {
      if (placeholder === OBJECT || (placeholder === RUNS && word === RUNS)) continue;
      return placeholder === RUNS
        ? `${RUNS} stands for several words, so it has to be a word of its own: ${word}`
        : `there is no ${placeholder}: ${OBJECT} and ${RUNS} are what can be put in`;
    }
  }
  return null;
}

/** The part of a word that may be a file's path: all of it, or what follows the `=` of an option. */
export function pathIn(word: string): { readonly before: string; readonly path: string } {
  const at = word.startsWith('-') ? word.indexOf('=') + 1 : 0;
  return { before: word.slice(0, at), path: word.slice(at) };
}
