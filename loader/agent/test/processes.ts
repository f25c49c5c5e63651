import { readdirSync, readFileSync } from 'node:fs';

/** The command lines of all processes, words joined by blanks, as `ps -eo args` gives them: a minimal system has no ps. */
export function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trimEnd();
      } catch {
        // It ended since the folder was listed.
        return '';
      }
    });
}
