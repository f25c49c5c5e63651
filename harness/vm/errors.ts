import { type ErrorDetails, ExplainedError } from '../../loader/errors.ts';

/**
 * What went wrong with a machine. The first three are the kernel's doing; the rest are the harness's or the host's.
 * - `kernel-panic`: the console shows a panic
 * - `kernel-oops`: the console shows an oops or BUG, without a panic
 * - `vm-silent`: the machine stopped answering and its console says nothing of a crash
 * - `boot-timeout`: the kernel printed something, but the agent was not up in time
 * - `qemu-exited`: QEMU ended by itself, or was killed, with no crash on the console
 * - `qemu-missing`, `qemu-failed`: QEMU could not be started, or refused its command line
 * - `kvm-failed`: KVM gave up on an instruction of the guest, and QEMU stopped it there
 * - `save-failed`, `restore-failed`: QEMU could not write the machine's state, or does not take it back
 * - `plan-failed`: virtme-ng could not plan the machine
 * - `no-temporary-folder`: TMPDIR is missing, full or read-only
 */
export type MachineErrorCode =
  | 'kernel-panic'
  | 'kernel-oops'
  | 'vm-silent'
  | 'boot-timeout'
  | 'qemu-exited'
  | 'qemu-missing'
  | 'qemu-failed'
  | 'kvm-failed'
  | 'save-failed'
  | 'restore-failed'
  | 'plan-failed'
  | 'no-temporary-folder';

/** A machine that did not start, or is gone. */
export class MachineError extends ExplainedError {
  declare readonly code: MachineErrorCode;
  /** When it happened: before the agent answered, or later. */
  readonly phase: 'boot' | 'run';
  /** The console lines that tell most, as the machine printed them. */
  readonly consoleExcerpt: readonly string[];

  constructor(
    code: MachineErrorCode,
    what: string,
    phase: 'boot' | 'run',
    details: ErrorDetails & { consoleExcerpt?: readonly string[] } = {},
  ) {
    super(code, what, details);
    this.phase = phase;
    this.consoleExcerpt = details.consoleExcerpt ?? [];
  }
}
MachineError.prototype.name = 'MachineError';
