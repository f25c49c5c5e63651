import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { noteUse } from '../evict.ts';
import { sha256OfFile } from '../kernel.ts';
import { acquireLock, withLock } from '../lock.ts';
import type { Apt } from './apt.ts';
import type { DebianPackage } from './package-list.ts';

/** How many bytes of a package are there, and how fast they come (0 if it is only verified); called a few times a second. */
export type OnBytes = (phase: 'download' | 'verify', bytes: number, bytesPerSecond: number) => void;

/** What {@link fetchPackage} needs and tells. */
export interface FetchOptions {
  /** Where .deb files are kept. */
  readonly pool: string;
  /** Null: nothing may be downloaded. */
  readonly apt: (() => Promise<Pick<Apt, 'download'>>) | null;
  /** Lock file of apt's state: downloads and updates of several runs take turns. */
  readonly lock: string;
  readonly onWait?: (holder: number | null) => void;
  /** Ends the waiting for the lock; apt has its own. */
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: OnBytes;
  /** Something that the user should know: a damaged file was found. */
  readonly onMessage?: (message: string) => void;
}

/**
 * The path of a package's .deb, downloaded if it is not in the pool. Size and SHA-256 are compared with the signed list every time,
 * before anybody unpacks it: a file that was truncated or altered is said, and replaced by what is downloaded, once.
 *
 * @throws ExplainedError `digest-mismatch`, `not-cached`, and those of {@link Apt.download}
 */
export async function fetchPackage(one: DebianPackage, options: FetchOptions): Promise<string> {
  const file = join(options.pool, basename(one.filename));
  const damage = await damageOf(file, one);
  if (damage === null) {
    options.onBytes?.('verify', one.size, 0);
    await noteUse(file);
    return file;
  }
  if (damage !== MISSING) {
    options.onMessage?.(`${file} is damaged (${damage}): it is downloaded again`);
  }
  if (options.apt === null) {
    throw new ExplainedError('not-cached', `${one.name} ${one.version} is not in the cache`, {
      where: file,
      fix: 'Run once with a network.',
    });
  }
  const apt = await options.apt();
  await mkdir(options.pool, { recursive: true });
  const { onWait, signal } = options;
  const waiting = { ...(onWait === undefined ? {} : { onWait }), signal };
  await withLock(options.lock, waiting, async () => {
    await removeLeftovers(options.pool);
    const temporary = await mkdtemp(join(options.pool, TEMPORARY));
    try {
      await downloadInto(temporary, one, apt, options.onBytes);
      const [name] = (await readdir(temporary)).filter((entry) => entry.endsWith('.deb'));
      const fetched = join(temporary, name ?? 'missing.deb');
      const wrong = await damageOf(fetched, one);
      if (wrong !== null) throw mismatch(one, wrong);
      await rename(fetched, file);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
  return file;
}

/**
 * Removes from the pool what downloads of killed runs have left there. Does nothing while another run downloads.
 *
 * @throws ExplainedError `lock-failed`
 */
export async function sweepDownloads(pool: string, lock: string): Promise<void> {
  if ((await leftoversIn(pool)).length === 0) return;
  const held = await acquireLock(lock, { noWait: true });
  if (held === null) return;
  await removeLeftovers(pool).finally(() => held.release());
}

/** Whoever downloads holds the lock, so for its holder these belong to runs that were killed. */
async function removeLeftovers(pool: string): Promise<void> {
  for (const path of await leftoversIn(pool)) await rm(path, { recursive: true, force: true });
}

async function leftoversIn(pool: string): Promise<string[]> {
  const names = await readdir(pool).catch(() => []);
  return names.filter((name) => name.startsWith(TEMPORARY)).map((name) => join(pool, name));
}

const MISSING = 'it is not there';
const POLL_MS = 200;
const TEMPORARY = '.download-';

function mismatch(one: DebianPackage, why: string): ExplainedError {
  return new ExplainedError('digest-mismatch', `${one.name} ${one.version} is not what the signed list says`, {
    where: one.filename,
    why,
    fix: 'The mirror served something else than its signed list says: try again later, or use another mirror.',
  });
}

async function damageOf(file: string, one: DebianPackage): Promise<string | null> {
  const found = await stat(file).catch(() => null);
  if (found === null) return MISSING;
  if (found.size !== one.size) return `${found.size} bytes instead of ${one.size}`;
  const digest = await sha256OfFile(file);
  return digest === one.sha256 ? null : `its SHA-256 is ${digest}, and ${one.sha256} is wanted`;
}

/** apt writes into the final name while it downloads, so the file's size is the progress. */
async function downloadInto(
  directory: string,
  one: DebianPackage,
  apt: Pick<Apt, 'download'>,
  onBytes: OnBytes | undefined,
): Promise<void> {
  // apt takes a second to start, which is no part of the speed.
  let started = Date.now();
  onBytes?.('download', 0, 0);
  const report = async (): Promise<void> => {
    let bytes = 0;
    for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
    const now = Date.now();
    onBytes?.('download', bytes, bytes === 0 ? 0 : Math.round((bytes * 1000) / Math.max(POLL_MS, now - started)));
    if (bytes === 0) started = now;
  };
  const timer = setInterval(() => {
    // A file may be renamed between the listing and the look at its size.
    report().catch(() => {});
  }, POLL_MS);
  try {
    await apt.download(one, directory);
  } finally {
    clearInterval(timer);
  }
  await report();
}
