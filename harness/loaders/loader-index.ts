import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { withLock } from '../../kernels/lock.ts';
import type { LoaderRequest, MatrixLoader } from '../config/loader-entries.ts';
import type { PreparedLoader } from './prepared-loader.ts';

/** What became of a request the last time that it was asked for. */
export interface RememberedLoader {
  /** The library's own version. */
  readonly version: string;
  /** What it was built from, for people. */
  readonly about: string;
  /** Folders below CACHE/loaders that it needs in a guest, two names each: `libbpf/KEY`. */
  readonly builds: readonly string[];
  /** Milliseconds since 1970, to a day. */
  readonly used: number;
}

/** By {@link loaderKey}. */
export type LoaderIndex = Readonly<Record<string, RememberedLoader>>;

const indexSchema = z.object({
  schemaVersion: z.literal(1),
  loaders: z.record(
    z.string(),
    z.object({ version: z.string(), about: z.string(), builds: z.array(z.string()), used: z.number() }),
  ),
});

/** What was not asked for in this time is nobody's any more: 30 days, in milliseconds. */
const FORGOTTEN_MS = 30 * 24 * 3600 * 1000;
/** How exact {@link RememberedLoader.used} is: nearly no run has to write. */
const EXACT_MS = 24 * 3600 * 1000;

/** The same for requests that want the same. */
export function loaderKey(request: LoaderRequest): string {
  if (request.kind === 'ksym-matrix') return request.kind;
  if (request.kind === 'command') return JSON.stringify([request.directory, ...request.command]);
  return `${request.kind} ${'version' in request ? request.version : request.path}`;
}

/** Reads what is remembered. What cannot be read is not: it is only told, never relied on. */
export async function readLoaderIndex(cache: string): Promise<LoaderIndex> {
  try {
    return indexSchema.parse(JSON.parse(await readFile(indexFile(cache), 'utf8'))).loaders;
  } catch {
    return {};
  }
}

/** Keeps what loaders were made of, for `ksym-matrix loaders`, and notes that their builds are used. Several runs may do so at once. */
export async function rememberLoaders(
  cache: string,
  found: readonly { readonly loader: MatrixLoader; readonly prepared: PreparedLoader }[],
  now: number = Date.now(),
): Promise<void> {
  const entries = found.flatMap(({ loader, prepared: { program, version, about } }) => {
    if (program === null) return [];
    const builds = new Set(program.files.flatMap((file) => (file.kind === 'file' ? buildOf(cache, file.source) : [])));
    return [[loaderKey(loader.request), { version, about, builds: [...builds].sort(), used: now }] as const];
  });
  for (const build of new Set(entries.flatMap(([, { builds }]) => builds))) {
    await utimes(join(cache, 'loaders', build), now / 1000, now / 1000).catch(() => undefined);
  }
  const before = await readLoaderIndex(cache);
  const isKnown = ([key, entry]: (typeof entries)[number]): boolean => {
    const known = before[key];
    return known !== undefined && isSame(known, entry) && Math.abs(now - known.used) < EXACT_MS;
  };
  if (!entries.every(isKnown)) await changeIndex(cache, entries, now);
}

function isSame(one: RememberedLoader, other: RememberedLoader): boolean {
  return one.version === other.version && one.about === other.about && `${one.builds}` === `${other.builds}`;
}

/** The build that a file belongs to; none for files of the user's. */
function buildOf(cache: string, file: string): string[] {
  const parts = relative(join(cache, 'loaders'), file).split('/');
  return parts[0] === '..' || parts.length < 3 ? [] : [parts.slice(0, 2).join('/')];
}

async function changeIndex(
  cache: string,
  entries: readonly (readonly [string, RememberedLoader])[],
  now: number,
): Promise<void> {
  const file = indexFile(cache);
  await mkdir(dirname(file), { recursive: true });
  await withLock(`${file}.lock`, {}, async () => {
    const kept = Object.entries(await readLoaderIndex(cache)).filter(([, { used }]) => now - used < FORGOTTEN_MS);
    const temporary = `${file}.partial`;
    try {
      const loaders = Object.fromEntries([...kept, ...entries]);
      await writeFile(temporary, `${JSON.stringify({ schemaVersion: 1, loaders }, null, 1)}\n`);
      await rename(temporary, file);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

function indexFile(cache: string): string {
  return join(cache, 'loaders', 'index.json');
}
