import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection, SyscallRequest } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { type SyscallName, syscallNumber } from '../agent/syscall-numbers.ts';
import { ExplainedError } from '../errors.ts';
import { AttrWriter, cstring } from './attr.ts';
import { BpfCommand, bpf, closeAll } from './bpf.ts';

/** What can be pinned. */
export type PinKind = 'map' | 'program' | 'link';

/** Where libbpf pins by default: the usual mount point of the BPF file system. */
export const DEFAULT_PIN_FOLDER = '/sys/fs/bpf';

const AT_FDCWD = -100;
const AT_REMOVEDIR = 0x200;
const FOLDER_MODE = 0o700;

/**
 * Pins a map, program or link at a path of a BPF file system, where it stays when its last descriptor is closed (BPF_OBJ_PIN). The folder is made
 * if there is none, as libbpf does (make_parent_dir in its src/libbpf.c).
 * Throws ExplainedError `pin-exists` if something is at that path, `pin-failed`; AgentError.
 */
export async function pinObject(agent: AgentConnection, fd: number, path: string): Promise<void> {
  // pathname, bpf_fd: struct for BPF_OBJ_* in union bpf_attr.
  const pin = async () =>
    (await bpf(agent, BpfCommand.objectPin, new AttrWriter().pointer(cstring(path)).u32(fd).finish())).errno;
  let errno = await pin();
  if (errnoName(errno) === 'ENOENT') {
    const folder = path.replace(/\/[^/]*$/, '');
    const made = await call(agent, 'mkdirat', [AT_FDCWD, cstring(folder), FOLDER_MODE]);
    if (made === 0) errno = await pin();
    if (made === 0 && errno !== 0) await call(agent, 'unlinkat', [AT_FDCWD, cstring(folder), AT_REMOVEDIR]);
  }
  if (errno !== 0)
    throw pinError(errnoName(errno) === 'EEXIST' ? 'pin-exists' : 'pin-failed', 'cannot pin', path, errno);
}

/**
 * Opens the map, program or link that is pinned at a path (BPF_OBJ_GET) and gives the agent's new descriptor.
 * Throws ExplainedError `pin-missing` if nothing is there, `pin-kind` if it is something else, `pin-failed`; AgentError.
 */
export async function openPinned(agent: AgentConnection, path: string, kind: PinKind): Promise<number> {
  const attr = new AttrWriter().pointer(cstring(path)).finish();
  const { value, errno } = await bpf(agent, BpfCommand.objectGet, attr);
  if (errno === 0) {
    const found = await kindOf(agent, value);
    if (found === null || found === kind) return value;
    await closeAll(agent, [value]);
    throw new ExplainedError('pin-kind', `what is pinned there is a ${found}, not a ${kind}`, { where: path });
  }
  const missing = errnoName(errno) === 'ENOENT';
  throw pinError(
    missing ? 'pin-missing' : 'pin-failed',
    'cannot open what is pinned',
    path,
    errno,
    missing ? MISSING : undefined,
  );
}

/** The kernel hands out any kind of descriptor and answers questions about it as the kind that it is; null where /proc cannot be read. */
async function kindOf(agent: AgentConnection, fd: number): Promise<PinKind | null> {
  const info = await agent.readFile(`/proc/self/fdinfo/${fd}`).catch((error: unknown) => {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return new Uint8Array();
    throw error;
  });
  // bpf_map_show_fdinfo, bpf_prog_show_fdinfo and bpf_link_show_fdinfo (kernel/bpf/syscall.c).
  const kind = /^(map|prog|link)_type:/m.exec(new TextDecoder().decode(info))?.[1];
  return kind === 'prog' ? 'program' : kind === 'map' || kind === 'link' ? kind : null;
}

/** Removes a pin; false if there was none. What was pinned goes when nothing else holds it. Throws ExplainedError `pin-failed`; AgentError. */
export async function unpin(agent: AgentConnection, path: string): Promise<boolean> {
  const errno = await call(agent, 'unlinkat', [AT_FDCWD, cstring(path), 0]);
  if (errno !== 0 && errnoName(errno) !== 'ENOENT') throw pinError('pin-failed', 'cannot remove the pin', path, errno);
  return errno === 0;
}

async function call(agent: AgentConnection, name: SyscallName, args: SyscallRequest['args']): Promise<number> {
  return (await agent.syscall({ number: syscallNumber(agent.hello.machine, name), args })).errno;
}

function pinError(code: string, what: string, path: string, errno: number, known?: string): ExplainedError {
  const fix = known ?? FIXES[errnoName(errno)];
  return new ExplainedError(code, what, {
    where: path,
    why: describeErrno(errno),
    ...(fix === undefined ? {} : { fix }),
  });
}

const MISSING = 'nothing is pinned there, or no BPF file system is mounted there: mount -t bpf bpf /sys/fs/bpf';

/** What bpf_obj_do_pin and bpf_obj_do_get (kernel/bpf/inode.c) mean by these. */
const FIXES: Readonly<Record<string, string | undefined>> = {
  EPERM:
    'the path has to be in a BPF file system (mount -t bpf bpf /sys/fs/bpf), without dots in the names, and the agent needs the right: CAP_BPF, or root',
  ENOENT:
    'one folder is made if it is not there; what is above it has to exist in a BPF file system: mount -t bpf bpf /sys/fs/bpf',
  EEXIST: 'remove the pin that is there, or choose another path',
  EACCES:
    'the rights of the pin or of its folder forbid it; a path outside of a BPF file system cannot hold one either',
};
