import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';

/** How many machines run at a time, and why so many. */
export interface Capacity {
  readonly jobs: number;
  /** For people. */
  readonly reason: string;
}

/** What is asked of the host. */
export interface Host {
  /** Processors that this process may run on. */
  readonly processors: number;
  /** The text of a small file; empty if it cannot be read. */
  readonly read: (path: string) => Promise<string>;
}

/** Kept free for this program, its tools and the rest of the host. */
const RESERVE_BYTES = 512 * 2 ** 20;

/**
 * What one machine takes of the host's memory while cells run, in bytes, as long as no run has measured it on this host. Restored ones share
 * the template's RAM through the page cache and keep only what they write: up to 95 MB each were measured with QEMU's
 * own, and up to 281 MB for booted ones (docs/performance.md).
 */
const MACHINE_BYTES = { restored: 96 * 2 ** 20, booted: 320 * 2 ** 20 } as const;

/** Programs differ: one may make its machine write to more memory than any has before. */
const HEADROOM = 1.5;

/** This host. */
const LINUX: Host = {
  processors: availableParallelism(),
  read: (path) => readFile(path, 'utf8').catch(() => ''),
};

/**
 * As many machines as cores and memory carry. An emulated machine keeps one core busy, and this program's own work runs beside it.
 * @param asked the user's number, which wins
 * @param measured what one machine took at most in the last run on this host, in bytes; undefined if there was none
 */
export async function chooseCapacity(
  asked: number | undefined,
  beginning: 'restored' | 'booted',
  measured: number | undefined,
  host: Host = LINUX,
): Promise<Capacity> {
  if (asked !== undefined) return { jobs: asked, reason: 'asked for with --jobs' };
  const groups = await controlGroups(host);
  const cores = await availableCores(host, groups);
  const memory = await availableMemory(host, groups);
  const bytes = measured === undefined ? MACHINE_BYTES[beginning] : measured * HEADROOM;
  const carried = Math.max(1, Math.floor((memory - RESERVE_BYTES) / bytes));
  return carried < cores
    ? { jobs: carried, reason: `${Math.floor(memory / 2 ** 20)} MiB of memory are free` }
    : { jobs: cores, reason: `one for each of ${cores} ${cores === 1 ? 'core' : 'cores'}` };
}

/**
 * The folders of this process's control group and of those above it: each has limits of its own, and all hold
 * (Documentation/admin-guide/cgroup-v2.rst). None without cgroup v2, or if the group lies outside of what this process may see.
 */
async function controlGroups(host: Host): Promise<string[]> {
  const path = /^0::(\/.*)$/m.exec(await host.read('/proc/self/cgroup'))?.[1];
  if (path === undefined || path.split('/').includes('..')) return [];
  const groups: string[] = [];
  for (let group = path; group !== '/'; group = dirname(group)) groups.push(`/sys/fs/cgroup${group}`);
  return [...groups, '/sys/fs/cgroup'];
}

/** Processors, and what the quotas of the groups leave of them (`cpu.max`: quota and period in microseconds). */
async function availableCores(host: Host, groups: readonly string[]): Promise<number> {
  let cores = host.processors;
  for (const group of groups) {
    const [, quota, period] = /^(\d+) ([1-9]\d*)$/m.exec(await host.read(`${group}/cpu.max`)) ?? [];
    if (quota !== undefined) cores = Math.min(cores, Math.floor(Number(quota) / Number(period)));
  }
  return Math.max(1, cores);
}

/** Bytes that can be taken without swapping: `MemAvailable`, and what the limits of the groups leave. */
async function availableMemory(host: Host, groups: readonly string[]): Promise<number> {
  let bytes = (numberIn(await host.read('/proc/meminfo'), /^MemAvailable:\s+(\d+) kB$/m) ?? 0) * 1024;
  for (const group of groups) {
    const limit = numberIn(await host.read(`${group}/memory.max`), /^(\d+)$/m);
    if (limit === null) continue;
    const used = numberIn(await host.read(`${group}/memory.current`), /^(\d+)$/m) ?? 0;
    // Cached files count as used, and go when memory is wanted.
    const cached = numberIn(await host.read(`${group}/memory.stat`), /^inactive_file (\d+)$/m) ?? 0;
    bytes = Math.min(bytes, Math.max(0, limit - Math.max(0, used - cached)));
  }
  return bytes;
}

function numberIn(text: string, pattern: RegExp): number | null {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}
