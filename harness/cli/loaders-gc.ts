import { basename, dirname, join } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import type { DiskUsage } from '../../kernels/disk-usage.ts';
import { KEEP_MS, removeItem } from '../../kernels/garbage.ts';
import { measureLoaders } from '../../kernels/inventory.ts';
import { type LoaderIndex, readLoaderIndex } from '../loaders/loader-index.ts';
import { formatBytes } from '../report/bytes.ts';
import { EXIT } from './exit-codes.ts';

/** What `loaders gc --json` prints. */
export interface LoaderGarbage {
  readonly cache: string;
  readonly dryRun: boolean;
  readonly removed: readonly { readonly path: string; readonly bytes: number }[];
  /** Bytes of builds and parts that are left; package lists are not counted. */
  readonly left: number;
}

/** Builds below CACHE/loaders, by library: what a guest gets of a loader. Everything else there is needed for building alone. */
const BUILDS: ReadonlySet<string> = new Set(['libbpf', 'cilium']);

/** Unpacked packages whose contents are part of a build's key, so that every run reads them. They have 1 MB each, and 27. */
const READ_AGAIN = /^packages\/(libbpf|sysroot)-/;

/** `ksym-matrix loaders gc` */
export async function collectLoaders(options: {
  readonly parts?: true;
  readonly dryRun?: true;
  readonly json?: true;
}): Promise<number> {
  const report = await collectUnused(cacheDirectory(), options.parts === true, options.dryRun === true);
  process.stdout.write(options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : render(report));
  return EXIT.ok;
}

/** Removes the builds that no remembered request stands for, and with `parts` what they are made from. What was used in the last hour stays. */
export async function collectUnused(
  cache: string,
  parts: boolean,
  dryRun: boolean,
  now: number = Date.now(),
): Promise<LoaderGarbage> {
  const all = await measureLoaders(cache);
  const unused = chooseUnused(all, await readLoaderIndex(cache), parts, now);
  const removed: DiskUsage[] = [];
  for (const one of unused) {
    const item = { ...one, part: 'loaders', kernel: null, stays: false } as const;
    if (dryRun || (await removeItem(cache, item))) removed.push(one);
  }
  const bytes = (entries: readonly DiskUsage[]): number => entries.reduce((sum, one) => sum + one.bytes, 0);
  return {
    cache,
    dryRun,
    removed: removed.map((one) => ({ path: one.path, bytes: one.bytes })),
    left: bytes(all) - bytes(removed),
  };
}

/** Which of the folders CACHE/loaders/PART/KEY may go. */
export function chooseUnused(
  entries: readonly DiskUsage[],
  index: LoaderIndex,
  parts: boolean,
  now: number,
): DiskUsage[] {
  const needed = new Set(Object.values(index).flatMap(({ builds }) => builds));
  return entries.filter(({ path, used, written }) => {
    const part = basename(dirname(path));
    // A clock that was set back must not make anything immortal.
    const idle = Math.min(Math.abs(now - used), Math.abs(now - written));
    const name = `${part}/${basename(path)}`;
    return idle > KEEP_MS && (BUILDS.has(part) ? !needed.has(name) : parts && !READ_AGAIN.test(name));
  });
}

function render({ cache, removed, dryRun, left }: LoaderGarbage): string {
  const verb = dryRun ? 'would go' : 'went';
  const lines = removed.map(({ path, bytes }) => `  ${path.slice(cache.length + 1)}  ${formatBytes(bytes)}`);
  const freed = formatBytes(removed.reduce((sum, { bytes }) => sum + bytes, 0));
  const head = removed.length === 0 ? `Nothing ${verb}.` : `${freed} ${verb}:\n${lines.join('\n')}`;
  return `${head}\n${join(cache, 'loaders')}: ${formatBytes(left)} of builds and parts ${dryRun ? 'would be' : 'are'} left\n`;
}
