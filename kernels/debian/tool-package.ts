import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { populateDirectory } from '../populate.ts';
import { type DebianPackage, packageSchema } from './package-list.ts';
import type { DebianSource } from './source.ts';
import { unpackDeb } from './unpack.ts';
import { compareVersions } from './version.ts';

/** A package's files in the cache. */
export interface ToolPackage {
  /** What would be `/` if it were installed. */
  readonly directory: string;
  /** Version of the Debian package. */
  readonly version: string;
}

/**
 * A package of tools, its newest version in Debian's lists, unpacked into the cache's `tools/`. What was fetched once is used without a
 * network; a folder that lacks files is said and unpacked again. The packages it depends on are not fetched.
 *
 * @throws ExplainedError `tool-package-unknown`, and those of the Debian source
 */
export async function fetchToolPackage(
  name: string,
  options: { readonly cache: string; readonly source: DebianSource },
): Promise<ToolPackage> {
  const { cache, source } = options;
  const tools = join(cache, 'tools');
  const record = join(tools, `${basename(name)}.json`);
  const one = (await readRecord(record)) ?? (await newest(name, source));
  const directory = join(tools, `${one.name}-${one.version}`);
  await populateDirectory(
    directory,
    async (temporary) => {
      const skip = (path: string): boolean => path.startsWith('usr/share/doc/');
      await unpackDeb(await source.fetch(one), temporary, skip, source.signal);
      await writeFile(join(temporary, FILES), JSON.stringify(await sizes(temporary)));
    },
    {
      onWait: source.onWait,
      signal: source.signal,
      damageOf: async (path) => ((await isComplete(path)) ? null : 'files are missing or cut off'),
      onDamage: (damage) => source.say(`${directory} is damaged (${damage}): it is unpacked again`),
    },
  );
  await mkdir(tools, { recursive: true });
  const temporary = `${record}.${randomUUID()}`;
  await writeFile(temporary, JSON.stringify(one));
  await rename(temporary, record);
  return { directory, version: one.version };
}

const FILES = '.files.json';

async function newest(name: string, source: DebianSource): Promise<DebianPackage> {
  const lists = await source.lists();
  const [found] = lists.packages
    .filter((one) => one.name === name)
    .sort((a, b) => compareVersions(b.version, a.version));
  if (found !== undefined) return found;
  const missing = lists.missing.map(({ suite, why }) => `${suite}: ${why}`).join('; ');
  throw new ExplainedError('tool-package-unknown', `the mirror has no package ${name}`, {
    why: missing === '' ? 'no suite that was read names it' : `these suites could not be read: ${missing}`,
    fix: 'Use a mirror with these suites (KSYM_MATRIX_DEBIAN_MIRROR), or install the tool by other means.',
  });
}

async function readRecord(file: string): Promise<DebianPackage | null> {
  try {
    return packageSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}

async function sizes(directory: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[path.slice(directory.length + 1)] = (await stat(path)).size;
  }
  return found;
}

async function isComplete(directory: string): Promise<boolean> {
  try {
    const wanted: unknown = JSON.parse(await readFile(join(directory, FILES), 'utf8'));
    for (const [path, size] of Object.entries(wanted ?? {})) {
      if ((await stat(join(directory, path))).size !== size) return false;
    }
    return true;
  } catch {
    return false;
  }
}
