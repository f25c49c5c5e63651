import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

/** How many machines run at a time, and why so many. */
export interface Capacity {
  readonly jobs: number;
  /** For people. */
  readonly reason: string;
}

/** Kept free for this program, its tools and the rest of the host. */
const RESERVE_BYTES = 512 * 2 ** 20;

/**
 * What one machine takes of the host's memory while cells run, in bytes, as long as no run has measured it on this host. Restored ones share the template's RAM through the page cache and
 * keep only what they write: 40 to 75 MB each were measured with QEMU's own (docs/performance.md). A booted one touches some 150 MB of its RAM.
 */
const MACHINE_BYTES = { restored: 96 * 2 ** 20, booted: 256 * 2 ** 20 } as const;

/** Programs differ: one may make its machine write to more memory than any has before. */
const HEADROOM = 1.5;

/**
 * As many machines as cores and memory carry. An emulated machine keeps one core busy, and this program's own work runs beside it.
 * @param asked the user's number, which wins
 * @param measured what one machine took at most in an earlier run on this host, in bytes
 */
export async function chooseCapacity(
  asked: number | undefined,
  beginning: 'restored' | 'booted',
  measured?: number,
): Promise<Capacity> {
  if (asked !== undefined) return { jobs: asked, reason: 'asked for with --jobs' };
  const cores = await availableCores();
  const memory = await availableMemory();
  const bytes = measured === undefined ? MACHINE_BYTES[beginning] : measured * HEADROOM;
  const carried = Math.max(1, Math.floor((memory - RESERVE_BYTES) / bytes));
  return carried < cores
    ? { jobs: carried, reason: `${Math.floor(memory / 2 ** 20)} MiB of memory are free` }
    : { jobs: cores, reason: `one for each of ${cores} ${cores === 1 ? 'core' : 'cores'}` };
}

/** Cores that this process may use: its affinity, and the quota of its control group (cgroup v2, cpu.max: quota and period in microseconds). */
async function availableCores(): Promise<number> {
  const [quota = 'max', period = ''] = (await readControl('cpu.max')).split(' ');
  const share = quota === 'max' ? Number.POSITIVE_INFINITY : Number(quota) / Number(period);
  return Math.max(
    1,
    Math.min(availableParallelism(), Number.isNaN(share) ? availableParallelism() : Math.floor(share)),
  );
}

/** Bytes that can be taken without swapping: MemAvailable, and what the control group leaves. */
async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const host = Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  const limit = Number(await readControl('memory.max'));
  if (Number.isNaN(limit) || limit === 0) return host;
  // Cached files count as used, and go when memory is wanted.
  const cached = Number(/^inactive_file (\d+)$/m.exec(await readControl('memory.stat'))?.[1] ?? 0);
  const used = Number(await readControl('memory.current')) - cached;
  return Math.min(host, Math.max(0, limit - used));
}

/** A file of this process's control group, without its newline; empty if there is none. */
async function readControl(name: string): Promise<string> {
  const group = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  const path = /^0::(.*)$/m.exec(group)?.[1];
  if (path === undefined) return '';
  return (await readFile(`/sys/fs/cgroup${path}/${name}`, 'utf8').catch(() => '')).trim();
}
