import { readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type DiskUsage, measure, measureEntries } from './disk-usage.ts';
import { glanceAtManifest, type KernelManifest } from './kernel.ts';
import { type KernelIndex, readIndex } from './kernel-index.ts';

/** The parts of the cache whose pieces can go one by one, as everything in them is made or fetched again when it is wanted. */
export type CachePart = 'kernels' | 'downloads' | 'templates' | 'machines' | 'builds' | 'loaders' | 'runs';

/** A piece of the cache: a kernel, a package, a saved machine. */
export interface CacheItem {
  readonly part: CachePart;
  readonly path: string;
  /** On the disk. */
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly used: number;
  /** The folder in CACHE/kernels that it belongs to; null if that cannot be told, or it belongs to none. */
  readonly kernel: string | null;
  /** Whether it is to stay in any case: the last run, which `ksym-matrix logs` shows. */
  readonly stays: boolean;
}

/** A kernel that lies in the cache. */
export interface CachedKernel {
  /** Name of its folder in CACHE/kernels. */
  readonly folder: string;
  readonly directory: string;
  /** Null if it is damaged. */
  readonly manifest: KernelManifest | null;
  readonly bytes: number;
  readonly used: number;
  /** Keys of the requests that were resolved to it. */
  readonly keys: readonly string[];
}

/** All that lies in a cache. */
export interface Inventory {
  readonly kernels: readonly CachedKernel[];
  readonly items: readonly CacheItem[];
  /** What is in no part: tools, the agent, package lists. In bytes. */
  readonly otherBytes: number;
  readonly bytes: number;
}

/**
 * Looks at everything in a cache.
 *
 * @param kernelOf the path of the image that a machine, saved or prepared, was made for: only who makes machines knows
 */
export async function takeInventory(
  cache: string,
  kernelOf: (directory: string) => Promise<string | null>,
): Promise<Inventory> {
  const index = await readIndex(join(cache, 'kernels', 'index.json'));
  const folders = await measureEntries(join(cache, 'kernels'));
  const kernels: CachedKernel[] = [];
  for (const { path, bytes, used } of folders) {
    const folder = basename(path);
    // The index and its lock lie there as well.
    if (/^index\.json(\.|$)/.test(folder)) continue;
    const keys = Object.entries(index.kernels).flatMap(([key, entry]) => (entry.kernel.folder === folder ? [key] : []));
    kernels.push({ folder, directory: path, manifest: await glanceAtManifest(path), bytes, used, keys });
  }
  const owners = packageOwners(kernels, index);
  const item = (part: CachePart, kernel: string | null, { path, bytes, used }: DiskUsage): CacheItem => ({
    part,
    path,
    bytes,
    used,
    kernel,
    stays: false,
  });
  const items = kernels.map((one) => item('kernels', one.folder, { ...one, path: one.directory, written: one.used }));
  for (const one of await measureEntries(join(cache, 'debian', 'pool'))) {
    items.push(item('downloads', owners.get(basename(one.path)) ?? null, one));
  }
  for (const part of ['templates', 'machines'] as const) {
    for (const one of await measureEntries(join(cache, part))) {
      items.push(item(part, kernelFolder(await kernelOf(one.path)), one));
    }
  }
  for (const one of await measureEntries(join(cache, 'builds'))) items.push(item('builds', null, one));
  for (const one of await measureLoaders(cache)) items.push(item('loaders', null, one));
  for (const name of ['runs', 'guests', 'bisections']) {
    const parent = join(cache, name);
    const last = await readlink(join(parent, 'latest')).catch(() => '');
    for (const one of await measureEntries(parent)) {
      // A run that goes on for hours writes into what it made at its beginning.
      items.push({ ...item('runs', null, one), used: one.written, stays: basename(one.path) === basename(last) });
    }
  }
  // A part may be a link to a folder on another disk.
  const parts = await Promise.all((await readdir(cache).catch(() => [])).map((name) => measure(join(cache, name))));
  const bytes = parts.reduce((sum, part) => sum + (part?.bytes ?? 0), 0);
  const inParts = items.reduce((sum, one) => sum + one.bytes, 0);
  return { kernels, items, bytes, otherBytes: Math.max(0, bytes - inParts) };
}

/** Parts of CACHE/loaders with a few kilobytes that every run reads: the observer, and which packages were chosen. */
const SMALL_PARTS: ReadonlySet<string> = new Set(['observer', 'chosen']);

/** What there is of other loaders, and of what they are built with: CACHE/loaders/PART/KEY, and their packages. apt's lists are not among it, nor {@link SMALL_PARTS}. */
export async function measureLoaders(cache: string): Promise<DiskUsage[]> {
  const parent = join(cache, 'loaders');
  const folders = await readdir(parent, { withFileTypes: true }).catch(() => []);
  const parts = folders
    .filter((one) => one.isDirectory() && !one.name.startsWith('.') && !SMALL_PARTS.has(one.name))
    .map(({ name }) => join(parent, name === 'debian' ? 'debian/pool' : name));
  return (await Promise.all(parts.map(measureEntries))).flat();
}

/** What belongs to a kernel of the cache, the kernel itself last. */
export function belongingsOf(inventory: Inventory, folder: string): CacheItem[] {
  const own = inventory.items.filter((item) => item.kernel === folder);
  return [...own.filter((item) => item.part !== 'kernels'), ...own.filter((item) => item.part === 'kernels')];
}

/** Bytes of each part. */
export function bytesByPart(items: readonly CacheItem[]): Record<CachePart, number> {
  const bytes = { kernels: 0, downloads: 0, templates: 0, machines: 0, builds: 0, loaders: 0, runs: 0 };
  for (const item of items) bytes[item.part] += item.bytes;
  return bytes;
}

/** Packages in the pool by file name, with the folder of the kernel that is made from them. */
function packageOwners(kernels: readonly CachedKernel[], index: KernelIndex): Map<string, string> {
  const owners = new Map<string, string>();
  for (const { kernel } of Object.values(index.kernels)) {
    if (kernel.source !== 'debian') continue;
    for (const file of kernel.files) owners.set(basename(file.path), kernel.folder);
  }
  // A kernel that was replaced since is not in the index any more.
  for (const { folder, manifest } of kernels) {
    for (const { name, version } of manifest?.source === 'debian' ? manifest.packages : []) {
      owners.set(`${name}_${version.replace(/^\d+:/, '')}_amd64.deb`, folder);
    }
  }
  return owners;
}

/** CACHE/kernels/FOLDER/boot/vmlinuz-…; the cache itself may have been reached by another path, or moved. */
function kernelFolder(image: string | null): string | null {
  return /\/kernels\/([^/]+)\/boot\/[^/]+$/.exec(image ?? '')?.[1] ?? null;
}
