import type { SyscallResult } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { cstring } from '../syscall/attr.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import type { Link } from './link.ts';
import { didYouMean } from './near-names.ts';
import { attachToPerfEvent, openPerfEvent } from './perf-event.ts';
import { readIfThere, readTraceableFunctions } from './tracefs.ts';

/** Where in the kernel a probe goes. */
export interface KprobeOptions {
  /** The kernel's function; the section's target if absent. */
  readonly function?: string;
  /** Bytes from its start, where an instruction begins. */
  readonly offset?: number;
  /** True: when the function returns. By the section's name (kretprobe) if absent. */
  readonly onReturn?: boolean;
  /** What `bpf_get_attach_cookie` gives the program (Linux 5.15). */
  readonly cookie?: bigint;
}

/** Where in a program or library a probe goes. */
export interface UprobeOptions {
  /** The file on the agent's side. */
  readonly path: string;
  /** Bytes from the start of the file, where an instruction begins. */
  readonly offset: number;
  readonly onReturn?: boolean;
  /** -1, if absent: every process that runs it. */
  readonly pid?: number;
  readonly cookie?: bigint;
}

/** Function and offset as a section's name has them: `do_unlinkat`, `do_unlinkat+0x10`. */
const TARGET = /^(.*?)(?:\+(0x[0-9a-f]+|\d+))?$/i;
const PMU_FOLDER = '/sys/bus/event_source/devices';

/**
 * Attaches a kprobe or kretprobe program (perf_event_open(2) with the kernel's kprobe unit, Linux 4.17).
 * Throws ExplainedError `attach-target-missing`, `attach-without-kprobes`, `attach-no-such-function`, `attach-kprobe`, `attach-perf-event`; AgentError.
 */
export async function attachKprobe(program: AttachableProgram, options: KprobeOptions = {}): Promise<Link> {
  const { spec } = program;
  const [, name = '', at] = TARGET.exec(options.function ?? targetFunction(program)) ?? [];
  const { offset = Number(at ?? 0), onReturn = /^\??kret/.test(spec.section) } = options;
  if (name === '') {
    throw attachError(program, 'attach-target-missing', 'it is not said which function to attach to', {
      fix: 'name it in the section (kprobe/do_unlinkat) or in the option function',
    });
  }
  const opened = await openProbe(program, 'kprobe', name, offset, onReturn, -1);
  const target = offset === 0 ? name : `${name}+${offset}`;
  if (opened.errno !== 0) throw await kprobeError(program, name, target, opened.errno);
  const kind = onReturn ? 'kretprobe' : 'kprobe';
  return attachToPerfEvent(program, { kind, target, event: opened.value, cookie: options.cookie });
}

/** Attaches a uprobe or uretprobe program. Throws ExplainedError `attach-without-kprobes`, `attach-uprobe`, `attach-perf-event`; AgentError. */
export async function attachUprobe(program: AttachableProgram, options: UprobeOptions): Promise<Link> {
  const { path, offset, pid = -1, onReturn = /^\??uret/.test(program.spec.section), cookie } = options;
  const opened = await openProbe(program, 'uprobe', path, offset, onReturn, pid);
  const target = `${path}+0x${offset.toString(16)}`;
  if (opened.errno !== 0) {
    throw attachError(program, 'attach-uprobe', `the kernel sets no probe at ${target}`, {
      errno: opened.errno,
      ...(errnoName(opened.errno) === 'EINVAL' ? { why: 'the offset may lie outside of the file’s code' } : {}),
    });
  }
  return attachToPerfEvent(program, { kind: onReturn ? 'uretprobe' : 'uprobe', target, event: opened.value, cookie });
}

/** What the section names; for `ksyscall/NAME` the function of the system call on the agent's machine. */
function targetFunction({ spec, agent }: AttachableProgram): string {
  const target = spec.attachTarget ?? '';
  if (!/^\??k(ret)?syscall\//.test(spec.section)) return target;
  return `__${agent.hello.machine === 'aarch64' ? 'arm64' : 'x64'}_sys_${target}`;
}

async function openProbe(
  program: AttachableProgram,
  unit: 'kprobe' | 'uprobe',
  name: string,
  offset: number,
  onReturn: boolean,
  pid: number,
): Promise<SyscallResult> {
  const { agent } = program;
  const type = await readIfThere(agent, `${PMU_FOLDER}/${unit}/type`);
  if (type === null) {
    throw attachError(program, 'attach-without-kprobes', `this kernel has no ${unit}s`, {
      why: `there is no ${PMU_FOLDER}/${unit}`,
      fix: `it needs CONFIG_${unit.toUpperCase()}_EVENTS, Linux 4.17 or later, and /sys`,
    });
  }
  // Which bit of config means "on return": `config:0`.
  const format = onReturn ? await readIfThere(agent, `${PMU_FOLDER}/${unit}/format/retprobe`) : null;
  const bit = BigInt(/^config:(\d+)/.exec(format ?? '')?.[1] ?? 0);
  const attr = {
    type: Number(type),
    config: onReturn ? 1n << bit : 0n,
    name: cstring(name),
    offset: BigInt(offset),
  };
  return openPerfEvent(agent, attr, { pid, cpu: pid === -1 ? 0 : -1 });
}

async function kprobeError(program: AttachableProgram, name: string, target: string, errno: number) {
  const [missing, refused] = [errnoName(errno) === 'ENOENT', ['EINVAL', 'EILSEQ'].includes(errnoName(errno))];
  const functions = missing || refused ? await readTraceableFunctions(program.agent) : [];
  const suggestion = missing ? didYouMean(name, functions) : undefined;
  if (missing || (errnoName(errno) === 'EINVAL' && functions.length > 0 && !functions.includes(name))) {
    const notTraceable = missing
      ? 'it is not in /proc/kallsyms: inlined, renamed by the compiler, or in a module that is not loaded'
      : 'the kernel forbids probes in it (NOKPROBE_SYMBOL, __kprobes, notrace), or it is no function';
    return attachError(program, 'attach-no-such-function', `no probe can be set in ${target}`, {
      why: notTraceable,
      ...(suggestion === undefined ? {} : { fix: suggestion }),
    });
  }
  return attachError(program, 'attach-kprobe', `the kernel sets no probe in ${target}`, {
    errno,
    ...(errnoName(errno) === 'EILSEQ' ? { why: 'no instruction begins at this offset' } : {}),
    ...(errnoName(errno) === 'EADDRNOTAVAIL'
      ? { why: 'several functions have this name, and a name is all that says which' }
      : {}),
    ...(['EPERM', 'EACCES'].includes(errnoName(errno)) ? { fix: 'give the agent CAP_PERFMON, or root' } : {}),
  });
}
