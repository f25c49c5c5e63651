import { errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ATTACH_TYPES, type AttachType } from '../object/attach-types.ts';
import { AttrWriter, cstring } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';

/** Which control group. */
export interface CgroupOptions {
  /** Its folder in a cgroup2 file system, such as `/sys/fs/cgroup/system.slice`. */
  readonly cgroup?: string;
  /** For programs of section `cgroup/skb`, which does not say. */
  readonly attachType?: AttachType;
}

const AT_FDCWD = -100;
const O_DIRECTORY_CLOEXEC = 0o200000 | 0o2000000;
/** BPF_F_ALLOW_MULTI: beside others, as links are. */
const ALLOW_MULTI = 2;

/**
 * Attaches a program to a control group: with a link (Linux 5.7), before that with BPF_PROG_ATTACH. It runs for the processes in the group and in those below.
 * Throws ExplainedError `attach-target-missing`, `attach-no-such-cgroup`, `attach-cgroup`; AgentError.
 */
export async function attachCgroup(program: AttachableProgram, options: CgroupOptions = {}): Promise<Link> {
  const { agent, spec } = program;
  const { cgroup } = options;
  const attachType = options.attachType === undefined ? spec.attachType : ATTACH_TYPES[options.attachType];
  if (cgroup === undefined || attachType === null) {
    const what = cgroup === undefined ? 'control group' : 'kind of event';
    throw attachError(program, 'attach-target-missing', `it is not said which ${what} to attach to`, {
      fix: 'say it: attach({ cgroup: "/sys/fs/cgroup" }), with attachType: "cgroup_inet_ingress" for section cgroup/skb',
    });
  }
  const group = await openCgroup(program, cgroup);
  const link = await createLink(program, { target: group, attachType });
  if (link.errno === 0) {
    await closeAll(agent, [group]);
    return new Link({ agent, kind: 'cgroup', target: cgroup, fd: link.value });
  }
  // Detaching names the program, which may be closed by then.
  const copy = await agent.syscall({ number: syscallNumber(agent.hello.machine, 'dup'), args: [program.fd] });
  const attr = (flags: number) => new AttrWriter().u32(group).u32(copy.value).u32(attachType).u32(flags).finish();
  const tryOlder = errnoName(link.errno) === 'EINVAL' && copy.errno === 0;
  const older = tryOlder ? await bpf(agent, BpfCommand.programAttach, attr(ALLOW_MULTI)) : link;
  if (older.errno === 0) {
    const undo = async (): Promise<void> => {
      await bpf(agent, BpfCommand.programDetach, attr(0));
    };
    return new Link({ agent, kind: 'cgroup', target: cgroup, fd: null, descriptors: [group, copy.value], undo });
  }
  await closeAll(agent, copy.errno === 0 ? [group, copy.value] : [group]);
  throw attachError(program, 'attach-cgroup', `the kernel does not attach it to ${cgroup}`, {
    errno: older.errno,
    ...(errnoName(older.errno) === 'EBADF' ? { fix: 'the folder has to be in a cgroup2 file system' } : {}),
    ...(errnoName(older.errno) === 'EPERM'
      ? { why: 'a group above has a program that allows no other', fix: 'give the agent CAP_NET_ADMIN, or root' }
      : {}),
  });
}

async function openCgroup(program: AttachableProgram, path: string): Promise<number> {
  const number = syscallNumber(program.agent.hello.machine, 'openat');
  const { value, errno } = await program.agent.syscall({
    number,
    args: [AT_FDCWD, cstring(path), O_DIRECTORY_CLOEXEC, 0],
  });
  if (errno === 0) return value;
  throw attachError(program, 'attach-no-such-cgroup', `the control group ${path} cannot be opened`, {
    errno,
    fix: 'make its folder in a cgroup2 file system: mount -t cgroup2 none /sys/fs/cgroup',
  });
}
