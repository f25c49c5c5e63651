import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno } from '../agent/errno.ts';
import { type SyscallName, syscallNumber } from '../agent/syscall-numbers.ts';
import { mapTypeNumber } from '../object/map-types.ts';
import type { MapSpec } from '../object/spec.ts';
import { closeAll } from '../syscall/bpf.ts';
import { type MapErrorContext, mapError } from './map-error.ts';

/** mmap(2). */
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FIXED_NOREPLACE = 0x10_0000;
/** Bytes that go to the agent at a time. */
const CHUNK = 1 << 16;

/** Whether an arena has to be mapped before programs that use it are loaded. */
export function wantsPlace({ type, mapExtra, arenaData }: MapSpec): boolean {
  return type === mapTypeNumber('arena') && ((mapExtra ?? 0) === 0 || arenaData !== undefined);
}

/**
 * Gives an arena its address in user space, without which no program that uses it is loaded: the kernel takes `map_extra`, or that of the first mapping,
 * and keeps it (arena_map_mmap, kernel/bpf/arena.c). Then its variables are filled in, from the arena's start as libbpf 1.5 lays them
 * (bpf_object__create_maps in src/libbpf.c). The mapping is removed at once; the pages stay.
 * @throws LoadError of phase `map`; AgentError
 */
export async function placeArena(
  map: { readonly fd: number; readonly spec: MapSpec },
  context: MapErrorContext & { readonly agent: AgentConnection },
): Promise<void> {
  const { agent } = context;
  const { spec, fd } = map;
  const length = spec.maxEntries * agent.hello.pageSize;
  const data = spec.arenaData ?? new Uint8Array();
  const fail = (what: string, errno?: number): Error =>
    mapError(spec, context, what, errno === undefined ? {} : { errno });
  if (data.length > length) throw fail(`its ${data.length} bytes of variables do not fit into ${length}`);
  const call = async (
    name: SyscallName,
    ...args: Parameters<AgentConnection['syscall']>[0]['args']
  ): Promise<number> => {
    const { value, errno } = await agent.syscall({ number: syscallNumber(agent.hello.machine, name), args });
    if (errno !== 0) throw fail(`the arena cannot be filled (${name}: ${describeErrno(errno)})`, errno);
    return value;
  };
  const wanted = spec.mapExtra ?? 0;
  const flags = MAP_SHARED | (Number(wanted) === 0 ? 0 : MAP_FIXED_NOREPLACE);
  const address = await call('mmap', wanted, length, PROT_READ_WRITE, flags, fd, 0);
  try {
    if (data.length > 0) await copyInto(agent, call, address, data);
  } finally {
    await call('munmap', address, length);
  }
}

type Call = (name: SyscallName, ...args: Parameters<AgentConnection['syscall']>[0]['args']) => Promise<number>;

/** Memory of the agent that no request describes is written by reading a file into it. */
async function copyInto(agent: AgentConnection, call: Call, address: number, data: Uint8Array): Promise<void> {
  const name = { bytes: new TextEncoder().encode('arena\0'), direction: 'in' } as const;
  const file = await call('memfd_create', name, 0);
  try {
    for (let at = 0; at < data.length; at += CHUNK) {
      const bytes = data.slice(at, at + CHUNK);
      await call('write', file, { bytes, direction: 'in' }, bytes.length);
    }
    for (let at = 0; at < data.length; ) {
      const read = await call('pread64', file, address + at, data.length - at, at);
      if (read === 0) break;
      at += read;
    }
  } finally {
    await closeAll(agent, [file]);
  }
}
