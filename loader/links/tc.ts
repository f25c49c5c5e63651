import { errnoName } from '../agent/errno.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import { interfaceIndex } from './interface.ts';
import { Link } from './link.ts';
import { askRouteNetlink, attribute, NetlinkFlag, nested } from './netlink.ts';
import type { TcxOptions } from './network.ts';

/** Where a tc program goes as a filter. */
export interface TcOptions extends TcxOptions {
  /** Filters with a lower number run first; the kernel chooses if absent. */
  readonly priority?: number;
}

/** include/uapi/linux/rtnetlink.h, pkt_sched.h, pkt_cls.h. */
const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const ACT_DIRECT = 1;
const CLSACT = 0xffff_fff1;
const CLSACT_HANDLE = 0xffff_0000;
const PARENTS = { ingress: 0xffff_fff2, egress: 0xffff_fff3 } as const;
/** ETH_P_ALL in network byte order. */
const ALL_PROTOCOLS = 0x0300;
/** It has the upper 16 bits of tcm_info (TC_H_MAJ in tc_new_tfilter, net/sched/cls_api.c). */
const HIGHEST_PRIORITY = 0xffff;

/**
 * Attaches a tc program as a filter of an interface's clsact queueing discipline, which is made if it is not there and stays: other filters may use it. The
 * kernel keeps the filter until {@link Link.close}, also if this connection ends before; prefer tcx (Linux 6.6), where the link's end is the filter's.
 * Throws ExplainedError `attach-target-missing`, `attach-no-such-interface`, `attach-tc`; AgentError.
 */
export async function attachTc(program: AttachableProgram, options: TcOptions = {}): Promise<Link> {
  const { agent, spec } = program;
  const { priority = 0 } = options;
  if (!Number.isInteger(priority) || priority < 0 || priority > HIGHEST_PRIORITY) {
    const fix = `give one from 1 to ${HIGHEST_PRIORITY}, or none`;
    throw attachError(program, 'attach-tc', `there is no priority ${priority}`, { fix });
  }
  const index = await interfaceIndex(program, options.interface);
  const direction = options.direction ?? (spec.section.endsWith('egress') ? 'egress' : 'ingress');
  const target = `${direction} of interface ${options.interface}`;
  const discipline = await askRouteNetlink(agent, {
    type: RTM_NEWQDISC,
    flags: NetlinkFlag.create | NetlinkFlag.exclusive,
    payload: Buffer.concat([tcMessage(index, CLSACT_HANDLE, CLSACT, 0), attribute(TCA_KIND, 'clsact')]),
  });
  if (discipline.errno !== 0 && errnoName(discipline.errno) !== 'EEXIST')
    throw refused(program, target, discipline.errno);

  const info = (priority << 16) | ALL_PROTOCOLS;
  const filter = await askRouteNetlink(agent, {
    type: RTM_NEWTFILTER,
    flags: NetlinkFlag.create | NetlinkFlag.exclusive | NetlinkFlag.echo,
    payload: Buffer.concat([
      tcMessage(index, 0, PARENTS[direction], info),
      attribute(TCA_KIND, 'bpf'),
      nested(
        TCA_OPTIONS,
        attribute(TCA_BPF_FD, program.fd),
        attribute(TCA_BPF_NAME, spec.name),
        attribute(TCA_BPF_FLAGS, ACT_DIRECT),
      ),
    ]),
  });
  const made = filter.messages.find(({ type }) => type === RTM_NEWTFILTER);
  if (filter.errno !== 0 || made === undefined) throw refused(program, target, filter.errno);
  // The echo holds the handle and the priority that the kernel chose.
  const view = new DataView(made.payload.buffer, made.payload.byteOffset);
  const undo = async (): Promise<void> => {
    const message = tcMessage(index, view.getUint32(8, true), PARENTS[direction], view.getUint32(16, true));
    const payload = Buffer.concat([message, attribute(TCA_KIND, 'bpf')]);
    await askRouteNetlink(agent, { type: RTM_DELTFILTER, payload });
  };
  return new Link({ agent, kind: 'tc', target, fd: null, undo });
}

/** `struct tcmsg`. */
function tcMessage(index: number, handle: number, parent: number, info: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  view.setUint32(16, info, true);
  return bytes;
}

function refused(program: AttachableProgram, target: string, errno: number) {
  return attachError(program, 'attach-tc', `the kernel does not attach it to ${target}`, {
    errno,
    ...(errnoName(errno) === 'ENOENT'
      ? {
          fix: 'the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF, or their modules sch_ingress and cls_bpf',
        }
      : {}),
    ...(errnoName(errno) === 'EPERM' ? { fix: 'give the agent CAP_NET_ADMIN, or root' } : {}),
  });
}
