import { errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ATTACH_TYPES } from '../object/attach-types.ts';
import { cstring } from '../syscall/attr.ts';
import { closeAll } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError, sinceLinux } from './attachable.ts';
import { interfaceIndex } from './interface.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';

/** XDP_FLAGS_SKB_MODE, DRV_MODE, HW_MODE (include/uapi/linux/if_link.h). */
const XDP_MODES = { generic: 2, driver: 4, hardware: 8 } as const;
const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;

/** Where an XDP program goes. */
export interface XdpOptions {
  /** Name or number of a network interface. */
  readonly interface?: string | number;
  /** Who runs it: the kernel's network stack (`generic`), the driver, or the card. The kernel chooses if absent. */
  readonly mode?: keyof typeof XDP_MODES;
}

/** Attaches an XDP program to an interface (Linux 5.9). Throws ExplainedError `attach-target-missing`, `attach-no-such-interface`, `attach-xdp`; AgentError. */
export async function attachXdp(program: AttachableProgram, options: XdpOptions = {}): Promise<Link> {
  const index = await interfaceIndex(program, options.interface);
  const { mode } = options;
  if (mode !== undefined && !Object.hasOwn(XDP_MODES, mode)) {
    const fix = `take one of ${Object.keys(XDP_MODES).join(', ')}`;
    throw attachError(program, 'attach-xdp', `there is no XDP mode ${String(mode)}`, { fix });
  }
  const flags = mode === undefined ? 0 : XDP_MODES[mode];
  const { value, errno } = await createLink(program, { target: index, attachType: ATTACH_TYPES.xdp, flags });
  const target = `interface ${options.interface}`;
  if (errno === 0) return new Link({ agent: program.agent, kind: 'xdp', target, fd: value });
  const name = errnoName(errno);
  throw attachError(program, 'attach-xdp', `the kernel does not attach it to ${target}`, {
    errno,
    ...(name === 'EBUSY' || name === 'EEXIST' ? { why: 'an XDP program is there already' } : {}),
    ...(name === 'EOPNOTSUPP' ? { fix: 'the driver may not run XDP programs: use mode generic' } : {}),
    ...(name === 'EINVAL' ? { fix: sinceLinux(program, 'links of XDP programs', '5.9') } : {}),
  });
}

/** Where a tc program goes by tcx. */
export interface TcxOptions {
  /** Name or number of a network interface. */
  readonly interface?: string | number;
  /** By the section's name (tcx/ingress, tcx/egress) if absent. */
  readonly direction?: 'ingress' | 'egress';
}

/** Attaches a tc program to an interface by tcx (Linux 6.6). Throws ExplainedError `attach-target-missing`, `attach-no-such-interface`, `attach-tcx`; AgentError. */
export async function attachTcx(program: AttachableProgram, options: TcxOptions = {}): Promise<Link> {
  const index = await interfaceIndex(program, options.interface);
  const direction = options.direction ?? (program.spec.section.endsWith('egress') ? 'egress' : 'ingress');
  const attachType = direction === 'egress' ? ATTACH_TYPES.tcx_egress : ATTACH_TYPES.tcx_ingress;
  const { value, errno } = await createLink(program, { target: index, attachType });
  const target = `${direction} of interface ${options.interface}`;
  if (errno === 0) return new Link({ agent: program.agent, kind: 'tcx', target, fd: value });
  throw attachError(program, 'attach-tcx', `the kernel does not attach it to ${target}`, {
    errno,
    ...(errnoName(errno) === 'EINVAL' ? { fix: `${sinceLinux(program, 'tcx', '6.6')}: use attachTc` } : {}),
  });
}

/** Attaches a netkit program to a netkit device (Linux 6.7). Throws ExplainedError `attach-target-missing`, `attach-no-such-interface`, `attach-netkit`; AgentError. */
export async function attachNetkit(program: AttachableProgram, options: TcxOptions = {}): Promise<Link> {
  const index = await interfaceIndex(program, options.interface);
  const attachType = program.spec.attachType ?? ATTACH_TYPES.netkit_primary;
  const { value, errno } = await createLink(program, { target: index, attachType });
  const target = `interface ${options.interface}`;
  if (errno === 0) return new Link({ agent: program.agent, kind: 'netkit', target, fd: value });
  throw attachError(program, 'attach-netkit', `the kernel does not attach it to ${target}`, {
    errno,
    fix: `the interface has to be a netkit device; ${sinceLinux(program, 'netkit', '6.7')}`,
  });
}

/** Which network namespace; the agent's own if absent. */
export interface NetnsOptions {
  /** Such as `/proc/PID/ns/net` or `/run/netns/NAME`. */
  readonly path?: string;
}

/** Attaches an sk_lookup (Linux 5.9) or flow_dissector (5.8) program to a network namespace. Throws ExplainedError `attach-netns`, AgentError. */
export async function attachNetns(program: AttachableProgram, options: NetnsOptions = {}): Promise<Link> {
  const { agent } = program;
  const { path = '/proc/self/ns/net' } = options;
  const number = syscallNumber(agent.hello.machine, 'openat');
  const opened = await agent.syscall({ number, args: [AT_FDCWD, cstring(path), O_CLOEXEC, 0] });
  if (opened.errno !== 0) {
    throw attachError(program, 'attach-netns', `the network namespace ${path} cannot be opened`, {
      errno: opened.errno,
    });
  }
  const attachType = program.spec.type === 'flow_dissector' ? ATTACH_TYPES.flow_dissector : ATTACH_TYPES.sk_lookup;
  const { value, errno } = await createLink(program, { target: opened.value, attachType });
  await closeAll(agent, [opened.value]);
  if (errno === 0) return new Link({ agent, kind: 'netns', target: path, fd: value });
  throw attachError(program, 'attach-netns', `the kernel does not attach it to network namespace ${path}`, {
    errno,
    ...(errnoName(errno) === 'EINVAL'
      ? { fix: sinceLinux(program, 'links to network namespaces', '5.8 for flow_dissector and 5.9 for sk_lookup') }
      : {}),
    ...(errnoName(errno) === 'EEXIST' ? { why: 'a program is there already, attached without a link' } : {}),
  });
}

/** Where in the packets' way a netfilter program goes. */
export interface NetfilterOptions {
  /** NFPROTO_IPV4 (2) if absent, or NFPROTO_IPV6 (10). */
  readonly protocolFamily?: number;
  /** NF_INET_PRE_ROUTING 0, LOCAL_IN 1, FORWARD 2, LOCAL_OUT 3, POST_ROUTING 4. */
  readonly hook: number;
  /** Lower runs first; not the lowest and not the highest number. */
  readonly priority: number;
  /** BPF_F_NETFILTER_IP_DEFRAG. */
  readonly defragment?: boolean;
}

const NFPROTO_IPV4 = 2;

/** Attaches a netfilter program (Linux 6.4). Throws ExplainedError `attach-netfilter`, AgentError. */
export async function attachNetfilter(program: AttachableProgram, options: NetfilterOptions): Promise<Link> {
  const { protocolFamily = NFPROTO_IPV4, hook, priority, defragment = false } = options;
  const { value, errno } = await createLink(program, {
    target: 0,
    attachType: ATTACH_TYPES.netfilter,
    more: (attr) =>
      attr
        .u32(protocolFamily)
        .u32(hook)
        .u32(priority)
        .u32(defragment ? 1 : 0),
  });
  const target = `hook ${hook} at priority ${priority}`;
  if (errno === 0) return new Link({ agent: program.agent, kind: 'netfilter', target, fd: value });
  throw attachError(program, 'attach-netfilter', `the kernel does not attach it to ${target}`, {
    errno,
    ...(errnoName(errno) === 'EBUSY' ? { why: 'another program is there at this priority' } : {}),
    ...(errnoName(errno) === 'EINVAL' ? { fix: sinceLinux(program, 'links to netfilter hooks', '6.4') } : {}),
    ...(errnoName(errno) === 'EAFNOSUPPORT' ? { why: 'the family is neither IPv4 (2) nor IPv6 (10)' } : {}),
  });
}
