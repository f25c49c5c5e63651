import { readFile } from 'node:fs/promises';

/** Memory of a process, in bytes. */
export interface ProcessMemory {
  /** Its own: pages that go when it does (RssAnon, which holds what a private mapping of a file has written). */
  readonly own: number;
  /** Pages of files that it has mapped, which processes with the same files share (RssFile and RssShmem). */
  readonly mapped: number;
}

/** What a process has in memory now, from /proc/PID/status (proc_pid_status(5)); null if it has ended. */
export async function readProcessMemory(pid: number): Promise<ProcessMemory | null> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  // A zombie has no memory any more, and no lines about it.
  if (!text.includes('RssAnon:')) return null;
  return { own: kilobytes('RssAnon') * 1024, mapped: (kilobytes('RssFile') + kilobytes('RssShmem')) * 1024 };
}
