import { errnoName } from '../agent/errno.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import type { Link } from './link.ts';
import { didYouMean } from './near-names.ts';
import { attachToPerfEvent, openPerfEvent } from './perf-event.ts';
import { readIfThere, readTracepointNames, withTracefs } from './tracefs.ts';

/** Which tracepoint. */
export interface TracepointOptions {
  /** `group/name`, such as `syscalls/sys_enter_openat`; the section's target if absent. */
  readonly name?: string;
  /** What `bpf_get_attach_cookie` gives the program (Linux 5.15). */
  readonly cookie?: bigint;
}

const PERF_TYPE_TRACEPOINT = 2;
/** What tells a tracepoint apart from a file name of the kernel's. */
const NAME = /^([\w-]+)[/:]([\w-]+)$/;

/**
 * Attaches a tracepoint program (perf_event_open(2) with the number that tracefs gives the tracepoint).
 * Throws ExplainedError `attach-target-missing`, `attach-no-such-tracepoint`, `attach-without-tracefs`, `attach-tracepoint`, `attach-perf-event`; AgentError.
 */
export async function attachTracepoint(program: AttachableProgram, options: TracepointOptions = {}): Promise<Link> {
  const name = options.name ?? program.spec.attachTarget ?? '';
  const [, group, event] = NAME.exec(name) ?? [];
  if (group === undefined || event === undefined) {
    throw attachError(program, 'attach-target-missing', 'it is not said which tracepoint to attach to', {
      ...(name === '' ? {} : { why: `${name} is no group and name` }),
      fix: 'name it in the section (tracepoint/syscalls/sys_enter_openat) or in the option name',
    });
  }
  const id = await readId(program, group, event);
  // Any CPU will do: a tracepoint event with a program runs it wherever the tracepoint is hit.
  const attr = { type: PERF_TYPE_TRACEPOINT, config: BigInt(id), sample: 1, wakeupEvents: 1 };
  const opened = await openPerfEvent(program.agent, attr, { pid: -1, cpu: 0 });
  const target = `${group}/${event}`;
  if (opened.errno !== 0) {
    throw attachError(program, 'attach-tracepoint', `the kernel does not open tracepoint ${target}`, {
      errno: opened.errno,
      ...(['EPERM', 'EACCES'].includes(errnoName(opened.errno)) ? { fix: 'give the agent CAP_PERFMON, or root' } : {}),
    });
  }
  return attachToPerfEvent(program, {
    kind: 'tracepoint',
    target,
    event: opened.value,
    cookie: options.cookie,
  });
}

async function readId(program: AttachableProgram, group: string, event: string): Promise<number> {
  const { agent } = program;
  const read = await withTracefs(agent, async (path) =>
    path === null ? undefined : readIfThere(agent, `${path}/events/${group}/${event}/id`),
  );
  if (read === undefined) {
    throw attachError(program, 'attach-without-tracefs', 'the number of the tracepoint cannot be read', {
      why: 'tracefs is not mounted, and cannot be mounted',
      fix: 'run as root, with CONFIG_FTRACE in the kernel: mount -t tracefs tracefs /sys/kernel/tracing',
    });
  }
  if (read !== null) return Number(read);
  const names = (await readTracepointNames(agent)).map((known) => known.replace(':', '/'));
  const fix = didYouMean(`${group}/${event}`, names);
  throw attachError(program, 'attach-no-such-tracepoint', `this kernel has no tracepoint ${group}/${event}`, {
    ...(fix === undefined ? {} : { fix }),
  });
}
