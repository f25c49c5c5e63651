import { existsSync, renameSync, rmSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { ConfigError } from '../../config/yaml-file.ts';
import { SITE_MARKER } from './site-files.ts';

/** The place of a site, which may be replaced. */
export interface SiteFolder {
  /** Absolute; where a link leads. */
  readonly path: string;
  /** Whether something is there already. */
  readonly exists: boolean;
}

/**
 * Makes sure that what lies in a folder may be thrown away: nothing, or a site that ksym-matrix wrote with nothing else in it.
 *
 * @throws {ConfigError} `not-a-site`
 */
export async function siteFolder(folder: string): Promise<SiteFolder> {
  const asked = resolve(folder);
  // A link to a folder stays a link: the site behind it is replaced.
  const path = await realpath(asked).catch(() => asked);
  const refuse = (why: string): ConfigError =>
    new ConfigError('not-a-site', 'what lies there is not replaced', {
      where: asked,
      why,
      fix: 'name another folder with --output',
    });
  const found = await lstat(path).catch(() => null);
  if (found === null) return { path, exists: false };
  if (!found.isDirectory())
    throw refuse(found.isSymbolicLink() ? 'it is a link that leads nowhere' : 'it is not a folder');
  if (`${process.cwd()}${sep}`.startsWith(`${path}${path === sep ? '' : sep}`)) {
    throw refuse('it is, or is around, the folder that this was started in, which would be gone');
  }
  // Another report may just be moving it away.
  const names = await readdir(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (names === null) return { path, exists: false };
  if (names.length > 0 && !names.includes(SITE_MARKER))
    throw refuse(`it is no site that ksym-matrix wrote: there is no ${SITE_MARKER} in it`);
  const foreign = names.filter((name) => !OWN.test(name)).sort();
  if (foreign.length > 0) throw refuse(`it also holds ${foreign.slice(0, 3).join(', ')}, which would be lost`);
  return { path, exists: true };
}

/** What a site has at its top ({@link siteFiles}), and what file managers put there. */
const OWN =
  /^(\.ksym-matrix-site|assets|programs|kernels|(index|kernels|changes|history|loaders|loader-.*)\.html|(results|compat|badge)\.json(\.gz)?|\.DS_Store|Thumbs\.db)$/;

/**
 * Has a folder filled beside its place, and puts it there when it is whole. Whoever reads the old one goes on reading a whole one. If the program
 * exits meanwhile, nothing of the new one is left behind.
 *
 * @param fill writes into the folder that it is given, which is not there yet
 * @throws {ConfigError} `not-a-site` if something else has come to lie there
 */
export async function replaceFolder<T>({ path }: SiteFolder, fill: (folder: string) => Promise<T>): Promise<T> {
  await makeFolder(dirname(path));
  const beside = await mkdtemp(join(dirname(path), `.${basename(path).slice(0, 100)}-`));
  if (unfinished.size === 0) process.on('exit', clearUnfinished);
  unfinished.add(beside);
  try {
    const filled = await fill(join(beside, 'new'));
    await swap(beside, path);
    return filled;
  } finally {
    rmSync(beside, { recursive: true, force: true });
    unfinished.delete(beside);
    if (unfinished.size === 0) process.off('exit', clearUnfinished);
  }
}

/** What is to go if this program ends before it is done. */
const unfinished = new Set<string>();

function clearUnfinished(): void {
  for (const folder of unfinished) rmSync(folder, { recursive: true, force: true });
}

/** Somebody else may put a site there between a look and a move: then that one is replaced. */
async function swap(beside: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { exists } = await siteFolder(path);
    const old = join(beside, `old-${attempt}`);
    let moved = false;
    try {
      // Both at once, so that no exit leaves the place empty.
      if (exists) renameSync(path, old);
      moved = exists;
      renameSync(join(beside, 'new'), path);
      return;
    } catch (error) {
      if (moved && !existsSync(path)) renameSync(old, path);
      if (attempt === MOST_ATTEMPTS || !CROSSED.has(codeOf(error))) throw error;
    }
  }
}

/** What moving a folder ends with if somebody else has moved another one there, or that one away. */
const CROSSED: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTEMPTY', 'EEXIST']);

const MOST_ATTEMPTS = 50;

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** `mkdir -p`; Node's own never ends below /proc, where a folder is but none can be made. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path || (await isThere(dirname(path)))) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
