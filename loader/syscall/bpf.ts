import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection, SyscallBuffer, SyscallResult } from '../agent/connection.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';

/** Commands of bpf(2) that the loader uses (`enum bpf_cmd`). */
export const BpfCommand = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  mapGetNextKey: 4,
  programLoad: 5,
  objectPin: 6,
  objectGet: 7,
  programAttach: 8,
  programDetach: 9,
  programTestRun: 10,
  programGetNextId: 11,
  mapGetNextId: 12,
  programGetFdById: 13,
  mapGetFdById: 14,
  getInfoByFd: 15,
  rawTracepointOpen: 17,
  btfLoad: 18,
  btfGetFdById: 19,
  mapLookupAndDelete: 21,
  mapFreeze: 22,
  btfGetNextId: 23,
  mapLookupBatch: 24,
  mapLookupAndDeleteBatch: 25,
  mapUpdateBatch: 26,
  mapDeleteBatch: 27,
  linkCreate: 28,
  linkUpdate: 29,
  linkGetFdById: 30,
  linkGetNextId: 31,
  iteratorCreate: 33,
  linkDetach: 34,
} as const;

/** Calls bpf(2). The attribute's bytes hold what the kernel wrote into it afterwards. Throws AgentError. */
export function bpf(
  agent: AgentConnection,
  command: number,
  attr: SyscallBuffer,
  options: { readonly timeoutMs?: number } = {},
): Promise<SyscallResult> {
  const number = syscallNumber(agent.hello.machine, 'bpf');
  return agent.syscall({ number, args: [command, attr, attr.bytes.length] }, options);
}

/** Closes descriptors of the agent. Ones that are not open are no error, and an agent that is gone is none either: its descriptors went with it. */
export async function closeAll(agent: AgentConnection, fds: Iterable<number>): Promise<void> {
  const number = syscallNumber(agent.hello.machine, 'close');
  try {
    for (const fd of fds) await agent.syscall({ number, args: [fd] });
  } catch (error) {
    if (!(error instanceof AgentError) || error.code === 'agent-refused') throw error;
  }
}

const unlimited = new WeakSet<AgentConnection>();
const RLIMIT_MEMLOCK = 8;

/**
 * Lifts the agent's limit on locked memory, once. Before Linux 5.11 maps and programs count against it, and exceeding it is
 * EPERM (bpf_charge_memlock, kernel/bpf/syscall.c). Without the right to lift it, the limit stays as it is.
 */
export async function liftMemoryLimit(agent: AgentConnection): Promise<void> {
  if (unlimited.has(agent)) return;
  unlimited.add(agent);
  const infinity: SyscallBuffer = { bytes: new Uint8Array(16).fill(0xff), direction: 'in' };
  await agent.syscall({
    number: syscallNumber(agent.hello.machine, 'prlimit64'),
    args: [0, RLIMIT_MEMLOCK, infinity, 0],
  });
}
