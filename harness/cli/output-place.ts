import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { writeWhole } from '../results/write.ts';

/**
 * Makes sure, before there is any work, that a file or folder can be written. Folders around a folder are made when it is written.
 *
 * @param option as the user knows it, for the message: `--output`
 * @param what is written there
 * @throws ExplainedError `output-has-no-place`
 */
export async function requirePlace(
  path: string,
  kind: 'file' | 'folder',
  option: string,
  what: 'the report' | 'the results' = 'the report',
): Promise<void> {
  const parent = kind === 'file' ? dirname(resolve(path)) : await nearestFolder(dirname(resolve(path)));
  const refuse = (why: string, cause?: unknown): ExplainedError =>
    new ExplainedError('output-has-no-place', `${what} cannot be written there`, {
      where: `${option} ${path}`,
      why,
      fix:
        kind === 'file'
          ? 'name a file in a folder that is there and can be written'
          : 'name a folder that can be written',
      cause,
    });
  const found = await stat(resolve(path)).catch(() => undefined);
  // A device or a pipe is written to; beside anything else a temporary file is made first.
  const written = found === undefined || found.isFile() || found.isDirectory() ? `${parent}/.` : resolve(path);
  try {
    await access(written, constants.W_OK);
  } catch (cause) {
    throw refuse(
      `${written.replace(/\/\.$/, '')}: ${cause instanceof Error && 'code' in cause ? cause.code : String(cause)}`,
      cause,
    );
  }
  if (found === undefined) return;
  if (kind === 'file' && found.isDirectory()) throw refuse('it is a folder');
  if (kind === 'folder' && !found.isDirectory()) throw refuse('it is a file');
}

/**
 * Writes text, or its pieces in order, to a file, which is there whole or not at all, or to stdout.
 *
 * @param path `-` or undefined for stdout
 * @throws ExplainedError `output-not-written`
 */
export async function writeOutput(
  path: string | undefined,
  text: string | Iterable<string>,
  what: 'the report' | 'the results' = 'the report',
): Promise<void> {
  if (path === undefined || path === '-') {
    for (const piece of typeof text === 'string' ? [text] : text) {
      // Why it failed is told at the end (main.ts), unless the reader is gone and nobody misses the rest.
      if (!(await writeToStdout(piece))) return;
    }
    return;
  }
  try {
    // What is no file, as /dev/null and a pipe, cannot be renamed over.
    const found = await stat(resolve(path)).catch(() => undefined);
    if (found === undefined || found.isFile()) await writeWhole(resolve(path), text);
    else await writeFile(resolve(path), text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ExplainedError('output-not-written', `${what} cannot be written`, { where: path, why, cause });
  }
}

/** Waits where the reader is slow. @returns whether there is any use in writing on */
async function writeToStdout(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    if (process.stdout.write(text, (error) => resolve(error === null || error === undefined))) resolve(true);
  });
}

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined || dirname(path) === path ? path : nearestFolder(dirname(path));
}
