import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MachineError } from './errors.ts';

/**
 * Makes a folder of our own in TMPDIR, or in `parent`.
 * @throws MachineError `no-temporary-folder`
 */
export async function makeTemporaryFolder(prefix: string, parent: string = tmpdir()): Promise<string> {
  try {
    return await mkdtemp(join(parent, prefix));
  } catch (cause) {
    throw new MachineError('no-temporary-folder', 'no folder for temporary files can be made', 'boot', {
      where: parent,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: 'set TMPDIR to a folder that is there and can be written',
      cause,
    });
  }
}
