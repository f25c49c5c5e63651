import { type ErrorDetails, ExplainedError } from '../../loader/errors.ts';

/**
 * What went wrong with a machine, by whose doing. docs/reliability.md tells of each how it is provoked and what becomes of the cell.
 *
 * The kernel's, or a program's in the guest:
 * - `kernel-panic`: the console shows a panic
 * - `kernel-oops`: the console shows an oops or BUG, without a panic
 * - `kernel-lockup`: the console says that a CPU or a queue of work does not move any more
 * - `kernel-hung-task`: the machine stopped answering, and the console tells of a task that waits for ever
 * - `guest-out-of-memory`: the guest's memory did not suffice, which ended the agent
 * - `machine-ended`: the machine switched itself off or restarted, and its console tells of no crash
 * - `agent-killed`: a signal ended the agent
 * - `agent-hung`: the agent does not answer, while the kernel has nothing to do
 * - `vm-silent`: the machine does not answer, and is busy, or nothing is known of what it does
 * - `boot-timeout`: the kernel printed something, but the agent was not up in time
 *
 * The harness's, or the host's:
 * - `qemu-exited`: QEMU ended by itself, or was killed, with no crash on the console
 * - `qemu-stopped`: QEMU does not run, or does not answer on its control socket
 * - `qemu-missing`, `qemu-failed`: QEMU could not be started, or refused its command line
 * - `guest-paused`: QEMU has stopped the guest, as on a command, or when it met an error it cannot go on after
 * - `kvm-failed`: KVM gave up on an instruction of the guest, and QEMU stopped it there
 * - `agent-ended`: the agent ended, of its own accord
 * - `channel-garbled`: what came through the agent's port is not the agent's protocol
 * - `harness-stalled`: the harness itself did not run while a deadline passed
 * - `save-failed`, `restore-failed`: QEMU could not write the machine's state, or does not take it back
 * - `plan-failed`: virtme-ng could not plan the machine
 * - `kernel-lacks-driver`: the kernel cannot be a machine, because it has no virtio console
 * - `no-temporary-folder`: TMPDIR is missing, full or read-only
 */
export type MachineErrorCode =
  | 'kernel-panic'
  | 'kernel-oops'
  | 'kernel-lockup'
  | 'kernel-hung-task'
  | 'guest-out-of-memory'
  | 'machine-ended'
  | 'agent-killed'
  | 'agent-hung'
  | 'vm-silent'
  | 'boot-timeout'
  | 'qemu-exited'
  | 'qemu-stopped'
  | 'qemu-missing'
  | 'qemu-failed'
  | 'guest-paused'
  | 'kvm-failed'
  | 'agent-ended'
  | 'channel-garbled'
  | 'harness-stalled'
  | 'save-failed'
  | 'restore-failed'
  | 'plan-failed'
  | 'kernel-lacks-driver'
  | 'no-temporary-folder';

/** What the host did to one machine, which says nothing of the next, nor of what it was started from. */
export const HOST_FAULTS: ReadonlySet<MachineErrorCode> = new Set([
  'qemu-exited',
  'qemu-stopped',
  'guest-paused',
  'harness-stalled',
  'channel-garbled',
]);

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
