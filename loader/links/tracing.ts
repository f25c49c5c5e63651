import { errnoName } from '../agent/errno.ts';
import { ATTACH_TYPES } from '../object/attach-types.ts';
import { AttrWriter, cstring } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError, sinceLinux } from './attachable.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';
import { didYouMean } from './near-names.ts';
import { readTracepointNames } from './tracefs.ts';

/** Attaches a fentry, fexit, fmod_ret, tp_btf or lsm program, whose target was chosen when it was loaded. */
export interface TracingOptions {
  /** What `bpf_get_attach_cookie` gives the program (Linux 5.19). */
  readonly cookie?: bigint;
}

/**
 * Attaches a tracing or LSM program to what it was loaded for (BPF_RAW_TRACEPOINT_OPEN without a name; BPF_LINK_CREATE with a cookie).
 * Throws ExplainedError `attach-tracing`, AgentError.
 */
export async function attachTracing(program: AttachableProgram, options: TracingOptions = {}): Promise<Link> {
  const { cookie = 0n } = options;
  const target = program.spec.attachTarget ?? '';
  const { value, errno } =
    cookie === 0n
      ? await bpf(program.agent, BpfCommand.rawTracepointOpen, new AttrWriter().u64(0n).u32(program.fd).finish())
      : await createLink(program, {
          target: 0,
          attachType: program.spec.attachType ?? 0,
          // target_btf_id, padding, cookie
          more: (attr) => attr.u64(0n).u64(cookie),
        });
  if (errno !== 0) {
    const old = ['EINVAL', 'E2BIG'].includes(errnoName(errno));
    throw attachError(program, 'attach-tracing', `the kernel does not attach it to ${target}`, {
      errno,
      ...(old && cookie !== 0n ? { fix: sinceLinux(program, 'cookies of tracing programs', '5.19') } : {}),
      ...(!old || cookie !== 0n ? {} : { fix: sinceLinux(program, 'attaching by BTF id', '5.5') }),
      ...(errnoName(errno) === 'EBUSY' ? { why: 'another program or a live patch has the function' } : {}),
    });
  }
  return new Link({ agent: program.agent, kind: program.spec.type, target, fd: value });
}

/** Attaches a raw tracepoint program. */
export interface RawTracepointOptions {
  /** The tracepoint, such as `sched_switch`; the section's target if absent. */
  readonly name?: string;
  /** What `bpf_get_attach_cookie` gives the program (Linux 6.10). */
  readonly cookie?: bigint;
}

/** Attaches a raw_tp program (BPF_RAW_TRACEPOINT_OPEN). Throws ExplainedError `attach-target-missing`, `attach-no-such-tracepoint`, `attach-raw-tracepoint`; AgentError. */
export async function attachRawTracepoint(
  program: AttachableProgram,
  options: RawTracepointOptions = {},
): Promise<Link> {
  const { agent, spec } = program;
  const { name = spec.attachTarget, cookie = 0n } = options;
  if (name === null) {
    throw attachError(program, 'attach-target-missing', 'it is not said which tracepoint to attach to', {
      fix: 'name it in the section (raw_tp/sched_switch) or in the option name',
    });
  }
  const attr = new AttrWriter().pointer(cstring(name)).u32(program.fd).u32(0).u64(cookie).finish();
  const { value, errno } = await bpf(agent, BpfCommand.rawTracepointOpen, attr);
  if (errno === 0) return new Link({ agent, kind: 'raw_tracepoint', target: name, fd: value });
  if (errnoName(errno) === 'ENOENT') {
    const names = (await readTracepointNames(agent)).map((known) => known.slice(known.indexOf(':') + 1));
    const fix = didYouMean(name, names);
    throw attachError(program, 'attach-no-such-tracepoint', `this kernel has no tracepoint ${name}`, {
      why: 'names of raw tracepoints have no group before them',
      ...(fix === undefined ? {} : { fix }),
    });
  }
  throw attachError(program, 'attach-raw-tracepoint', `the kernel does not attach it to ${name}`, {
    errno,
    ...(cookie === 0n ? {} : { fix: sinceLinux(program, 'cookies of raw tracepoints', '6.10') }),
  });
}

/** Attach types of programs of type tracing that {@link attachTracing} takes. */
export const TRACING_ATTACH_TYPES: ReadonlySet<number> = new Set([
  ATTACH_TYPES.trace_raw_tp,
  ATTACH_TYPES.trace_fentry,
  ATTACH_TYPES.trace_fexit,
  ATTACH_TYPES.modify_return,
  ATTACH_TYPES.trace_fsession,
]);
