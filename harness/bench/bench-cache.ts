import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchHost } from './bench-host.ts';

/** What was fetched and built once: the benches share it with the user's cache. */
const SHARED = ['kernels', 'agent', 'tools', 'debian'];

/**
 * A cache that has the kernels and tools of the user's, and nothing else that runs leave there: no plans, no saved machines, no logs but those of
 * earlier benches. The user's own are then neither used nor thrown out by what a bench does.
 */
export async function benchCache({ cache, folder }: BenchHost): Promise<string> {
  const path = join(folder, 'cache');
  if ((await mkdir(path, { recursive: true })) === undefined) return path;
  for (const entry of SHARED) {
    await mkdir(join(cache, entry), { recursive: true });
    await symlink(join(cache, entry), join(path, entry));
  }
  // Trying KVM takes seconds, once a week.
  await copyFile(join(cache, 'accelerator.json'), join(path, 'accelerator.json')).catch(() => undefined);
  return path;
}

/** Forgets what earlier benches have left: saved machines, and with `everything` also the plans they were booted from. */
export async function forget(path: string, what: 'templates' | 'everything'): Promise<void> {
  const folders = what === 'templates' ? ['templates'] : ['templates', 'machines'];
  for (const folder of folders) await rm(join(path, folder), { recursive: true, force: true });
}
