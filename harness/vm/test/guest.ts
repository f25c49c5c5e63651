import type { AgentConnection, ExecuteResult } from '../../../loader/agent/connection.ts';
import { errnoName } from '../../../loader/agent/errno.ts';
import { type SyscallName, syscallNumber } from '../../../loader/agent/syscall-numbers.ts';
import type { MachineError } from '../errors.ts';
import type { Machine } from '../machine.ts';

/** Runs a line of shell in the guest. `$PPID` is the agent. */
export function shell(machine: Machine, command: string, timeoutMs = 20_000): Promise<ExecuteResult> {
  return machine.agent.execute({ argv: ['/bin/busybox', 'sh', '-c', command], timeoutMs });
}

/** What a line of shell prints, without the last newline. */
export async function output(machine: Machine, command: string): Promise<string> {
  return text((await shell(machine, command)).stdout).trimEnd();
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Makes a system call that writes `bytes` to a descriptor of the agent's. */
export async function writeTo(agent: AgentConnection, descriptor: number, bytes: Uint8Array): Promise<void> {
  const number = syscallNumber(agent.hello.machine, 'write' satisfies SyscallName);
  const { errno } = await agent.syscall({ number, args: [descriptor, { bytes, direction: 'in' }, bytes.length] });
  if (errno !== 0) throw new Error(`write to descriptor ${descriptor}: ${errnoName(errno)}`);
}

/** Reading /proc/version calls this function of the kernel, and nothing else does: tests put other code in its place. */
export const VICTIM = 'version_proc_show';

/** Has the kernel run the code that was put in the place of {@link VICTIM}. */
export function runVictim(machine: Machine, timeoutMs: number): Promise<Uint8Array> {
  return machine.agent.readFile('/proc/version', { timeoutMs });
}

/** Waits for the failure of something that was asked of a machine, and has it explained. */
export async function diagnosed(machine: Machine, request: Promise<unknown>): Promise<MachineError> {
  const error = await request.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return machine.diagnose(error);
}
