import { errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { AttrWriter, input } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';

const SOL_SOCKET = 1;
/** include/uapi/asm-generic/socket.h. */
const Option = { detachBpf: 27, attachBpf: 50, attachReuseport: 52, detachReuseport: 68 } as const;

/** Attaches a socket filter to a socket that is a descriptor of the agent (SO_ATTACH_BPF). The socket's end ends it, too. Throws ExplainedError `attach-socket`, AgentError. */
export function attachSocketFilter(program: AttachableProgram, socket: number): Promise<Link> {
  return attachToSocket(program, socket, Option.attachBpf, Option.detachBpf);
}

/**
 * Attaches a program that chooses among the sockets of a group (SO_REUSEPORT) to one of them, which is a descriptor of the agent (SO_ATTACH_REUSEPORT_EBPF; detached from Linux 5.3 on).
 * Throws ExplainedError `attach-socket`, AgentError.
 */
export function attachReuseport(program: AttachableProgram, socket: number): Promise<Link> {
  return attachToSocket(program, socket, Option.attachReuseport, Option.detachReuseport);
}

async function attachToSocket(
  program: AttachableProgram,
  socket: number,
  attach: number,
  detach: number,
): Promise<Link> {
  const { agent, fd } = program;
  const value = new Uint8Array(Int32Array.of(fd).buffer);
  const call = (option: number) =>
    agent.syscall({
      number: syscallNumber(agent.hello.machine, 'setsockopt'),
      args: [socket, SOL_SOCKET, option, input(value), value.length],
    });
  const { errno } = await call(attach);
  const target = `socket ${socket}`;
  if (errno !== 0) {
    const group = attach === Option.attachReuseport && errnoName(errno) === 'EINVAL';
    const fix = group ? 'set SO_REUSEPORT on the socket before it is bound' : undefined;
    const more = fix === undefined ? {} : { fix };
    throw attachError(program, 'attach-socket', `the kernel does not attach it to ${target}`, { errno, ...more });
  }
  const undo = async (): Promise<void> => {
    await call(detach);
  };
  return new Link({ agent, kind: 'socket', target, fd: null, undo });
}

/** Which map of sockets. */
export interface SockmapOptions {
  /** A sockmap or sockhash: the program runs for the sockets in it. */
  readonly map?: { readonly fd: number };
}

/**
 * Attaches an `sk_skb/…` or `sk_msg` program to a map of sockets, before sockets are put into it (those that are there already are not touched by sk_skb programs, sock_map_link in net/core/sock_map.c): with a link (Linux 6.10, commit 699c23f02c65), before that with BPF_PROG_ATTACH, which the kernel
 * keeps until {@link Link.close} or the end of the map. Throws ExplainedError `attach-target-missing`, `attach-sockmap`; AgentError.
 */
export async function attachSockmap(program: AttachableProgram, { map }: SockmapOptions = {}): Promise<Link> {
  const { agent, spec } = program;
  const { attachType } = spec;
  if (map === undefined || attachType === null) {
    throw attachError(program, 'attach-target-missing', 'it is not said what to attach to', {
      fix:
        map === undefined
          ? 'say which sockmap: attach({ map })'
          : 'make its section sk_skb/stream_verdict, sk_skb/stream_parser or sk_skb/verdict',
    });
  }
  const { fd } = map;
  const target = `sockmap ${fd}`;
  const link = await createLink(program, { target: fd, attachType });
  if (link.errno === 0) return new Link({ agent, kind: 'sockmap', target, fd: link.value });
  const older = ['EINVAL', 'EOPNOTSUPP', 'ENOTSUPP'].includes(errnoName(link.errno));
  if (!older) throw refused(program, link.errno);

  // Detaching names both, which may be closed by then.
  const copies: number[] = [];
  for (const original of [fd, program.fd]) {
    const copy = await agent.syscall({ number: syscallNumber(agent.hello.machine, 'dup'), args: [original] });
    if (copy.errno !== 0) {
      await closeAll(agent, copies);
      throw refused(program, copy.errno);
    }
    copies.push(copy.value);
  }
  const [mapCopy = fd, programCopy = program.fd] = copies;
  // struct for BPF_PROG_ATTACH: target_fd, attach_bpf_fd, attach_type, attach_flags.
  const attr = () => new AttrWriter().u32(mapCopy).u32(programCopy).u32(attachType).u32(0).finish();
  const { errno } = await bpf(agent, BpfCommand.programAttach, attr());
  if (errno !== 0) {
    await closeAll(agent, copies);
    throw refused(program, errno);
  }
  const undo = async (): Promise<void> => {
    await bpf(agent, BpfCommand.programDetach, attr());
  };
  return new Link({ agent, kind: 'sockmap', target, fd: null, descriptors: copies, undo });
}

function refused(program: AttachableProgram, errno: number) {
  return attachError(program, 'attach-sockmap', 'the kernel does not attach it to the map', {
    errno,
    ...(errnoName(errno) === 'EBUSY' ? { why: 'another program is there by a link, or one that excludes it' } : {}),
    ...(errnoName(errno) === 'EINVAL' ? { fix: 'the map has to be a sockmap or sockhash' } : {}),
    ...(errnoName(errno) === 'EOPNOTSUPP'
      ? { fix: 'the map has to be a sockmap or sockhash, and sk_skb/stream_… programs need CONFIG_BPF_STREAM_PARSER' }
      : {}),
  });
}
