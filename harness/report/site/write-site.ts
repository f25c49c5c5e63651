import { createWriteStream } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { ExplainedError } from '../../../loader/errors.ts';
import { ConfigError } from '../../config/yaml-file.ts';
import type { RunResults } from '../../results/results.ts';
import { readScripts } from './scripts.ts';
import { modelSite, type SiteOptions } from './site.ts';
import { SITE_MARKER, type SiteFile, siteFiles } from './site-files.ts';

/**
 * Writes a run as a site that needs no server: opens from disk, fetches nothing, and is read without scripts. The same results give the same bytes.
 *
 * It is written beside the folder and put in its place when it is whole; a site that lies there is replaced, anything else is left alone.
 *
 * @throws {ConfigError} `not-a-site` if the folder holds something else; {@link ExplainedError} `site-not-written`
 * @returns how many files it has, and how many bytes they hold
 */
export async function writeSite(
  results: RunResults,
  folder: string,
  options: SiteOptions = {},
): Promise<{ readonly files: number; readonly bytes: number }> {
  const target = resolve(folder);
  const scripts = await readScripts();
  const there = await requireReplaceable(target);
  try {
    await mkdir(dirname(target), { recursive: true });
    const beside = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
    try {
      const written = await writeFiles(join(beside, 'new'), siteFiles(modelSite(results, options), scripts));
      // The folder itself is moved away, not emptied: whoever reads the old site goes on reading a whole one.
      await swap(join(beside, 'new'), target, there ? join(beside, 'old') : null);
      return written;
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
  } catch (error) {
    if (error instanceof ExplainedError) throw error;
    throw new ExplainedError('site-not-written', `the site could not be written`, {
      where: target,
      why: error instanceof Error ? error.message : String(error),
      fix: 'name a folder that may be written, with --output',
      cause: error,
    });
  }
}

/** Whether there is a folder at all; refuses what is not to be replaced. */
async function requireReplaceable(target: string): Promise<boolean> {
  const found = await lstat(target).catch(() => null);
  if (found === null) return false;
  const names = found.isDirectory() ? await readdir(target) : null;
  if (names !== null && (names.length === 0 || names.includes(SITE_MARKER))) return true;
  throw new ConfigError('not-a-site', 'this is no site that ksym-matrix wrote, so it is not replaced', {
    where: target,
    why: names === null ? 'it is not a folder' : `it has no ${SITE_MARKER} in it`,
    fix: 'name another folder with --output, or remove this one',
  });
}

async function swap(site: string, target: string, old: string | null): Promise<void> {
  if (old !== null) await rename(target, old);
  try {
    await rename(site, target);
  } catch (error) {
    if (old !== null) await rename(old, target);
    throw error;
  }
}

async function writeFiles(
  folder: string,
  files: Iterable<SiteFile>,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const made = new Set<string>();
  let count = 0;
  let bytes = 0;
  for (const file of files) {
    const path = join(folder, file.path);
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
    made.add(dirname(path));
    const [only, ...others] = Array.isArray(file.parts) ? file.parts : [];
    // A file is never in memory as a whole unless it is one part.
    if (file.gzip !== true && typeof only === 'string' && others.length === 0) await writeFile(path, only);
    else
      await pipeline([
        Readable.from(file.parts),
        ...(file.gzip === true ? [createGzip()] : []),
        createWriteStream(path),
      ]);
    bytes += (await stat(path)).size;
    count++;
  }
  return { files: count, bytes };
}
