import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection } from '../agent/connection.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { cstring } from '../syscall/attr.ts';
import { closeAll } from '../syscall/bpf.ts';

/** Where tracefs usually is; debugfs has it as well. */
const PLACES = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const;
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
/** A file that every tracefs has, and that is short. */
const WITNESS = 'current_tracer';
const FILE_TIMEOUT_MS = 60_000;

/**
 * Calls `use` with a path under which tracefs is to be found. Where it is not mounted it is mounted for this alone, at no place that others see (fsopen(2) and fsmount(2),
 * Linux 5.2, CAP_SYS_ADMIN). `use` is given null if that cannot be either: there is no tracefs, or no right to it.
 */
export async function withTracefs<T>(agent: AgentConnection, use: (path: string | null) => Promise<T>): Promise<T> {
  for (const place of PLACES) if ((await readIfThere(agent, `${place}/${WITNESS}`)) !== null) return use(place);
  const fd = await mountDetached(agent);
  if (fd === null) return use(null);
  try {
    return await use(`/proc/self/fd/${fd}`);
  } finally {
    await closeAll(agent, [fd]);
  }
}

/** `group:name` of every tracepoint; empty if tracefs cannot be read. */
export function readTracepointNames(agent: AgentConnection): Promise<string[]> {
  return readLines(agent, 'available_events');
}

/** Names of the functions that probes can be put on; empty if tracefs cannot be read or the kernel has no function tracer. */
export async function readTraceableFunctions(agent: AgentConnection): Promise<string[]> {
  // A module's functions have its name behind: `nf_conntrack_in [nf_conntrack]`.
  return (await readLines(agent, 'available_filter_functions')).map((line) => line.replace(/\s.*$/, ''));
}

/** A file's content, or null if it cannot be read. Throws AgentError if the agent does not answer. */
export async function readIfThere(agent: AgentConnection, path: string): Promise<string | null> {
  try {
    return new TextDecoder().decode(await agent.readFile(path, { timeoutMs: FILE_TIMEOUT_MS }));
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return null;
    throw error;
  }
}

async function readLines(agent: AgentConnection, file: string): Promise<string[]> {
  const text = await withTracefs(agent, async (path) => (path === null ? null : readIfThere(agent, `${path}/${file}`)));
  return (text ?? '').split('\n').filter((line) => line !== '');
}

async function mountDetached(agent: AgentConnection): Promise<number | null> {
  const { machine } = agent.hello;
  const context = await agent.syscall({
    number: syscallNumber(machine, 'fsopen'),
    args: [cstring('tracefs'), FSOPEN_CLOEXEC],
  });
  if (context.errno !== 0) return null;
  const created = await agent.syscall({
    number: syscallNumber(machine, 'fsconfig'),
    args: [context.value, FSCONFIG_CMD_CREATE, 0, 0, 0],
  });
  const mounted =
    created.errno === 0
      ? await agent.syscall({
          number: syscallNumber(machine, 'fsmount'),
          args: [context.value, FSMOUNT_CLOEXEC, 0],
        })
      : created;
  await closeAll(agent, [context.value]);
  return mounted.errno === 0 ? mounted.value : null;
}
