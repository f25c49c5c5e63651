import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';

/** The variables that say where the cache lies, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder where kernels and tools are kept between runs, made if it is not there: `KSYM_MATRIX_CACHE`, else
 * `XDG_CACHE_HOME/ksym-matrix`, else `~/.cache/ksym-matrix`. It carries a CACHEDIR.TAG (https://bford.info/cachedir/), so that
 * backups pass it over.
 *
 * @throws ExplainedError `cache-not-writable`
 */
export function cacheDirectory(env: Environment = process.env): string {
  const { path, from } = choose(env);
  try {
    makeFolders(path);
    accessSync(path, constants.W_OK | constants.X_OK);
    const tag = join(path, 'CACHEDIR.TAG');
    if (!existsSync(tag)) writeFileSync(tag, TAG);
  } catch (cause) {
    throw new ExplainedError('cache-not-writable', 'the cache folder cannot be written', {
      where: path,
      why: `${cause instanceof Error ? cause.message : String(cause)} (the folder comes from ${from})`,
      fix: 'Set KSYM_MATRIX_CACHE to a folder that you may write, with 2 GB free.',
      cause,
    });
  }
  return path;
}

/** Node's own recursive mkdir runs for ever where the system answers ENOENT below a folder that is there: /proc, and autofs. */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolders(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    // Another run may have made it in between.
    if (!existsSync(path)) throw error;
  }
}

const TAG =
  'Signature: 8a477f597d28d172789f06886806bc55\n# Kernels and tools that ksym-matrix fetched. They can be fetched again.\n';

function choose(env: Environment): { path: string; from: string } {
  const own = env.KSYM_MATRIX_CACHE;
  if (own !== undefined && own !== '') return { path: resolve(own), from: 'KSYM_MATRIX_CACHE' };
  const xdg = env.XDG_CACHE_HOME;
  // The XDG base directory specification says that a relative path is to be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return { path: join(xdg, 'ksym-matrix'), from: 'XDG_CACHE_HOME' };
  const home = env.HOME !== undefined && env.HOME !== '' ? env.HOME : homedir();
  return { path: join(home, '.cache', 'ksym-matrix'), from: 'the home folder' };
}
