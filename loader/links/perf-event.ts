import type { AgentConnection, SyscallBuffer, SyscallResult } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ATTACH_TYPES } from '../object/attach-types.ts';
import { closeAll } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError, sinceLinux } from './attachable.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';

/** The fields of `struct perf_event_attr` (include/uapi/linux/perf_event.h) that the loader sets. */
export interface PerfEventAttr {
  readonly type: number;
  readonly config?: bigint;
  /** sample_period, or sample_freq where `frequency` is true. */
  readonly sample?: number;
  readonly frequency?: boolean;
  readonly sampleType?: bigint;
  readonly wakeupEvents?: number;
  /** kprobe_func or uprobe_path: a pointer in config1. */
  readonly name?: SyscallBuffer;
  /** probe_offset or kprobe_addr: config2. */
  readonly offset?: bigint;
  /** Bit `disabled`: it counts only after PERF_EVENT_IOC_ENABLE. */
  readonly disabled?: boolean;
}

/** Which process and CPU an event is for; -1: all. */
export interface PerfEventScope {
  readonly pid: number;
  readonly cpu: number;
}

const ATTR_SIZE = 112;
const FLAG_DISABLED = 1n;
const FLAG_FREQUENCY = 1n << 10n;
const PERF_FLAG_FD_CLOEXEC = 8;
const IOC_ENABLE = 0x2400;
const IOC_DISABLE = 0x2401;
const IOC_SET_BPF = 0x40042408;

/** Calls perf_event_open(2). Throws AgentError. */
export function openPerfEvent(
  agent: AgentConnection,
  attr: PerfEventAttr,
  scope: PerfEventScope,
): Promise<SyscallResult> {
  const bytes = new Uint8Array(ATTR_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, attr.type, true);
  view.setUint32(4, ATTR_SIZE, true);
  view.setBigUint64(8, attr.config ?? 0n, true);
  view.setBigUint64(16, BigInt(attr.sample ?? 0), true);
  view.setBigUint64(24, attr.sampleType ?? 0n, true);
  view.setBigUint64(
    40,
    (attr.disabled === true ? FLAG_DISABLED : 0n) | (attr.frequency === true ? FLAG_FREQUENCY : 0n),
    true,
  );
  view.setUint32(48, attr.wakeupEvents ?? 0, true);
  view.setBigUint64(64, attr.offset ?? 0n, true);
  const pointers = attr.name === undefined ? [] : [{ offset: 56, to: attr.name }];
  return agent.syscall({
    number: syscallNumber(agent.hello.machine, 'perf_event_open'),
    args: [{ bytes, direction: 'in', pointers }, scope.pid, scope.cpu, -1, PERF_FLAG_FD_CLOEXEC],
  });
}

/** Switches an event on or off. Throws AgentError. */
export async function enablePerfEvent(agent: AgentConnection, fd: number, on = true): Promise<number> {
  const number = syscallNumber(agent.hello.machine, 'ioctl');
  return (await agent.syscall({ number, args: [fd, on ? IOC_ENABLE : IOC_DISABLE, 0] })).errno;
}

/** How a program comes to a perf event. */
export interface PerfAttachment {
  readonly kind: string;
  readonly target: string;
  /** The agent's descriptor of the event; it is closed if attaching fails, and with the link. */
  readonly event: number;
  /** What `bpf_get_attach_cookie` gives the program (Linux 5.15). */
  readonly cookie?: bigint | undefined;
}

/**
 * Attaches a program to an open event: with a BPF link (Linux 5.15, bpf_perf_link_attach), before that with PERF_EVENT_IOC_SET_BPF.
 * Throws ExplainedError `attach-perf-event`, AgentError.
 */
export async function attachToPerfEvent(program: AttachableProgram, attachment: PerfAttachment): Promise<Link> {
  const { agent } = program;
  const { kind, target, event, cookie = 0n } = attachment;
  const fail = async (errno: number, fix?: string): Promise<never> => {
    await closeAll(agent, [event]);
    throw attachError(program, 'attach-perf-event', `the kernel does not attach it to ${target}`, {
      errno,
      ...(fix === undefined ? {} : { fix }),
    });
  };
  const link = await createLink(program, {
    target: event,
    attachType: ATTACH_TYPES.perf_event,
    more: (attr) => attr.u64(cookie),
  });
  if (link.errno !== 0 && !['EINVAL', 'E2BIG'].includes(errnoName(link.errno))) await fail(link.errno);
  if (link.errno !== 0 && cookie !== 0n) await fail(link.errno, sinceLinux(program, 'cookies of perf events', '5.15'));
  if (link.errno !== 0) {
    const number = syscallNumber(agent.hello.machine, 'ioctl');
    const { errno } = await agent.syscall({ number, args: [event, IOC_SET_BPF, program.fd] });
    if (errno !== 0) await fail(errno);
  }
  const enabled = await enablePerfEvent(agent, event);
  if (enabled !== 0) {
    if (link.errno === 0) await closeAll(agent, [link.value]);
    await fail(enabled);
  }
  return new Link({ agent, kind, target, fd: link.errno === 0 ? link.value : null, descriptors: [event] });
}

/** Which event a perf_event program samples. */
export interface PerfEventOptions extends Partial<PerfEventScope> {
  /** `enum perf_type_id`; PERF_TYPE_SOFTWARE (1) if absent. */
  readonly type?: number;
  /** The event of that type; PERF_COUNT_SW_CPU_CLOCK (0) if absent. */
  readonly config?: bigint;
  /** Samples a second. */
  readonly frequency?: number;
  /** Events from one sample to the next, instead of a frequency. */
  readonly period?: number;
  readonly cookie?: bigint;
}

const PERF_TYPE_SOFTWARE = 1;
const DEFAULT_FREQUENCY = 99;

/**
 * Attaches a perf_event program to an event of one CPU (`cpu`, 0 if absent) or of one process (`pid`, on all CPUs unless `cpu` is given as well): by default
 * the CPU clock, 99 times a second. Throws ExplainedError `attach-perf-event`, AgentError.
 */
export async function attachPerfEvent(program: AttachableProgram, options: PerfEventOptions = {}): Promise<Link> {
  const { type = PERF_TYPE_SOFTWARE, config = 0n, period, frequency = DEFAULT_FREQUENCY, pid = -1 } = options;
  const cpu = options.cpu ?? (pid === -1 ? 0 : -1);
  const sampling = period === undefined ? { sample: frequency, frequency: true } : { sample: period };
  const { value, errno } = await openPerfEvent(program.agent, { type, config, ...sampling }, { pid, cpu });
  const target = `event ${type}:${config} of CPU ${cpu}, process ${pid}`;
  if (errno !== 0) {
    const unknown = ['ENOENT', 'EOPNOTSUPP', 'ENODEV'].includes(errnoName(errno));
    throw attachError(program, 'attach-perf-event', `there is no ${target}`, {
      errno,
      ...(unknown
        ? { fix: 'this processor, or its virtual machine, has no such counter: a software event works' }
        : {}),
    });
  }
  return attachToPerfEvent(program, { kind: 'perf_event', target, event: value, cookie: options.cookie });
}
