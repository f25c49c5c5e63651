import { basename, dirname } from 'node:path';
import { machineImage } from './prepare.ts';
import { glanceAtTemplate } from './template-files.ts';

/** The image of the kernel that a folder in CACHE/templates or CACHE/machines was made for; null if it does not say. */
export async function imageOfMachine(directory: string): Promise<string | null> {
  if (basename(dirname(directory)) === 'machines') return machineImage(directory);
  return (await glanceAtTemplate(directory))?.kernel ?? null;
}
