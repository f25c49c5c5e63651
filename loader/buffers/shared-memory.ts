import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ExplainedError } from '../errors.ts';

/** mmap(2): PROT_READ, PROT_WRITE, MAP_SHARED. */
export const Protection = { read: 1, readWrite: 3 } as const;
const MAP_SHARED = 1;
const POLLIN = 1;
const POLL_ENTRY = 8;
/** Milliseconds for the answer, beside the waiting. */
const ANSWER_MS = 30_000;

/** Memory that the agent shares with the kernel. */
export interface Mapping {
  /** In the agent's memory. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
}

/** Maps a part of a descriptor into the agent's memory. Throws ExplainedError `buffer-mapping`, AgentError. */
export async function mapShared(
  agent: AgentConnection,
  fd: number,
  part: { readonly offset: number; readonly length: number; readonly protection: number },
): Promise<Mapping> {
  const number = syscallNumber(agent.hello.machine, 'mmap');
  const { value, errno } = await agent.syscall({
    number,
    args: [0, part.length, part.protection, MAP_SHARED, fd, part.offset],
  });
  if (errno === 0) return { address: value, length: part.length };
  throw new ExplainedError('buffer-mapping', 'the buffer cannot be mapped', {
    why: describeErrno(errno),
    ...(['EPERM', 'EACCES'].includes(errnoName(errno))
      ? { fix: 'perf buffers count as locked memory: give the agent CAP_IPC_LOCK, or raise kernel.perf_event_mlock_kb' }
      : {}),
  });
}

/** Undoes {@link mapShared}. Mappings of an agent that is gone went with it. */
export async function unmapAll(agent: AgentConnection, mappings: readonly Mapping[]): Promise<void> {
  const number = syscallNumber(agent.hello.machine, 'munmap');
  try {
    for (const { address, length } of mappings) await agent.syscall({ number, args: [address, length] });
  } catch (error) {
    if (!(error instanceof AgentError) || error.code === 'agent-refused') throw error;
  }
}

/**
 * Waits until one of the descriptors has something to read, or the time is over; gives the indexes of those that have. The agent does nothing else
 * meanwhile, so the time should be short. Throws AgentError.
 */
export async function waitForInput(
  agent: AgentConnection,
  fds: readonly number[],
  milliseconds: number,
): Promise<number[]> {
  const entries = new Uint8Array(POLL_ENTRY * fds.length);
  const view = new DataView(entries.buffer);
  for (const [index, fd] of fds.entries()) {
    view.setInt32(POLL_ENTRY * index, fd, true);
    view.setInt16(POLL_ENTRY * index + 4, POLLIN, true);
  }
  const time = BigInt64Array.of(
    BigInt(Math.floor(milliseconds / 1000)),
    BigInt(Math.round((milliseconds % 1000) * 1e6)),
  );
  const request = {
    number: syscallNumber(agent.hello.machine, 'ppoll'),
    args: [
      { bytes: entries, direction: 'inout' as const },
      fds.length,
      { bytes: new Uint8Array(time.buffer), direction: 'in' as const },
      0,
      0,
    ],
  };
  // An answer that is late because it was asked to be is no reason to end the connection.
  await agent.syscall(request, { timeoutMs: milliseconds + ANSWER_MS });
  return fds.flatMap((_, index) => (view.getInt16(POLL_ENTRY * index + 6, true) === 0 ? [] : [index]));
}
