import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ExplainedError } from '../errors.ts';
import { AttrWriter, cstring } from './attr.ts';
import { BpfCommand, bpf } from './bpf.ts';

/** Where libbpf pins by default: the usual mount point of the BPF file system. */
export const DEFAULT_PIN_FOLDER = '/sys/fs/bpf';

const AT_FDCWD = -100;

/**
 * Pins a map, program or link at a path of a BPF file system, where it stays when its last descriptor is closed (BPF_OBJ_PIN).
 * Throws ExplainedError `pin-exists` if something is at that path, `pin-failed`; AgentError.
 */
export async function pinObject(agent: AgentConnection, fd: number, path: string): Promise<void> {
  // pathname, bpf_fd: struct for BPF_OBJ_* in union bpf_attr.
  const attr = new AttrWriter().pointer(cstring(path)).u32(fd).finish();
  const { errno } = await bpf(agent, BpfCommand.objectPin, attr);
  if (errno !== 0)
    throw pinError(errnoName(errno) === 'EEXIST' ? 'pin-exists' : 'pin-failed', 'cannot pin', path, errno);
}

/**
 * Opens what is pinned at a path (BPF_OBJ_GET) and gives the agent's new descriptor.
 * Throws ExplainedError `pin-missing` if nothing is there, `pin-failed`; AgentError.
 */
export async function openPinned(agent: AgentConnection, path: string): Promise<number> {
  const attr = new AttrWriter().pointer(cstring(path)).finish();
  const { value, errno } = await bpf(agent, BpfCommand.objectGet, attr);
  if (errno === 0) return value;
  throw pinError(
    errnoName(errno) === 'ENOENT' ? 'pin-missing' : 'pin-failed',
    'cannot open what is pinned',
    path,
    errno,
  );
}

/** Removes a pin; false if there was none. What was pinned goes when nothing else holds it. Throws ExplainedError `pin-failed`; AgentError. */
export async function unpin(agent: AgentConnection, path: string): Promise<boolean> {
  const number = syscallNumber(agent.hello.machine, 'unlinkat');
  const { errno } = await agent.syscall({ number, args: [AT_FDCWD, cstring(path), 0] });
  if (errno !== 0 && errnoName(errno) !== 'ENOENT') throw pinError('pin-failed', 'cannot remove the pin', path, errno);
  return errno === 0;
}

function pinError(code: string, what: string, path: string, errno: number): ExplainedError {
  const fix = FIXES[errnoName(errno)];
  return new ExplainedError(code, what, {
    where: path,
    why: describeErrno(errno),
    ...(fix === undefined ? {} : { fix }),
  });
}

/** What bpf_obj_do_pin and bpf_obj_do_get (kernel/bpf/inode.c) mean by these. */
const FIXES: Readonly<Record<string, string | undefined>> = {
  EPERM: 'the path has to be in a BPF file system: mount -t bpf bpf /sys/fs/bpf',
  ENOENT: 'the folder has to exist in a BPF file system: mount -t bpf bpf /sys/fs/bpf',
  EEXIST: 'remove the pin that is there, or choose another path',
  EACCES:
    'the rights of the pin or of its folder forbid it; a path outside of a BPF file system cannot hold one either',
};
