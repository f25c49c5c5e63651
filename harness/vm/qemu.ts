import { execa } from 'execa';
import { findProgram } from '../setup/requirements.ts';
import { MachineError } from './errors.ts';

/** The QEMU of this host. */
export interface Qemu {
  readonly path: string;
  /** The first line of `--version`. */
  readonly version: string;
}

const PROGRAM = 'qemu-system-x86_64';

/**
 * Finds QEMU in PATH and asks for its version: a machine that was planned for another QEMU may not start with this one.
 * @throws MachineError `qemu-missing`, or `qemu-failed` if it is there and does not run
 */
export async function findQemu(): Promise<Qemu> {
  const fix = 'install qemu-system-x86, or run `ksym-matrix doctor`';
  const path = findProgram(PROGRAM);
  if (path === undefined) {
    throw new MachineError('qemu-missing', `${PROGRAM} is not installed`, 'boot', { fix });
  }
  const result = await execa(path, ['--version'], { reject: false, stdin: 'ignore' });
  const version = result.stdout?.split('\n')[0] ?? '';
  if (!result.failed && version !== '') return { path, version };
  const why = result.stderr?.trim() || result.originalMessage || `it ended with ${result.exitCode} and said nothing`;
  throw new MachineError('qemu-failed', 'QEMU does not tell its version', 'boot', { where: path, why, fix });
}
