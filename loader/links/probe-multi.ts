import type { SyscallBuffer } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { ATTACH_TYPES } from '../object/attach-types.ts';
import { input } from '../syscall/attr.ts';
import { type AttachableProgram, attachError, sinceLinux } from './attachable.ts';
import { Link } from './link.ts';
import { createLink } from './link-create.ts';
import { didYouMean } from './near-names.ts';
import { readTraceableFunctions } from './tracefs.ts';

/** Which functions of the kernel a program is attached to at once. */
export interface KprobeMultiOptions {
  /** Names, or patterns with `*` and `?`; the section's target if absent. */
  readonly functions?: readonly string[];
  /** True: when the functions return. By the section's name (kretprobe.multi) if absent. */
  readonly onReturn?: boolean;
  /** What `bpf_get_attach_cookie` gives the program, one for each function in `functions`; only for names without patterns. */
  readonly cookies?: readonly bigint[];
}

const KPROBE_MULTI_RETURN = 1;

/**
 * Attaches a program to many functions with one link (Linux 5.18). Patterns are matched with tracefs' list of functions that can be traced.
 * Throws ExplainedError `attach-target-missing`, `attach-no-such-function`, `attach-cookies`, `attach-kprobe-multi`; AgentError.
 */
export async function attachKprobeMulti(program: AttachableProgram, options: KprobeMultiOptions = {}): Promise<Link> {
  const { agent, spec } = program;
  const wanted = options.functions ?? (spec.attachTarget === null ? [] : [spec.attachTarget]);
  if (wanted.length === 0) {
    throw attachError(program, 'attach-target-missing', 'it is not said which functions to attach to', {
      fix: 'name them in the section (kprobe.multi/tcp_*) or in the option functions',
    });
  }
  const functions = wanted.some(isPattern) ? await expand(program, wanted) : wanted;
  const { cookies = [], onReturn = /^\??kret/.test(spec.section) } = options;
  if (cookies.length > 0 && cookies.length !== functions.length) {
    const why = `${cookies.length} cookies for ${functions.length} functions`;
    throw attachError(program, 'attach-cookies', 'each function takes one cookie', { why });
  }
  const { value, errno } = await createLink(program, {
    target: 0,
    attachType: spec.attachType ?? ATTACH_TYPES.trace_kprobe_multi,
    // flags, cnt, syms, addrs, cookies
    more: (attr) =>
      attr
        .u32(onReturn ? KPROBE_MULTI_RETURN : 0)
        .u32(functions.length)
        .pointer(pointersTo(functions))
        .u64(0n)
        .pointer(cookies.length === 0 ? null : input(new Uint8Array(BigUint64Array.from(cookies).buffer))),
  });
  const target = wanted.join(', ');
  if (errno === 0) return new Link({ agent, kind: onReturn ? 'kretprobe.multi' : 'kprobe.multi', target, fd: value });
  if (errnoName(errno) === 'ESRCH') {
    const known = new Set(await readTraceableFunctions(agent));
    const missing = functions.find((name) => !known.has(name)) ?? target;
    const fix = didYouMean(missing, known);
    throw attachError(program, 'attach-no-such-function', `no probe can be set in ${missing}`, {
      why: 'it is not among the functions that this kernel can trace, or several have this name',
      ...(fix === undefined ? {} : { fix }),
    });
  }
  throw attachError(program, 'attach-kprobe-multi', `the kernel does not attach it to ${target}`, {
    errno,
    fix:
      errnoName(errno) === 'EOPNOTSUPP'
        ? 'the kernel needs CONFIG_FPROBE (and CONFIG_DYNAMIC_FTRACE): attach kprobes one by one'
        : sinceLinux(program, 'links of many kprobes', '5.18'),
  });
}

function isPattern(name: string): boolean {
  return /[*?]/.test(name);
}

async function expand(program: AttachableProgram, wanted: readonly string[]): Promise<string[]> {
  const known = await readTraceableFunctions(program.agent);
  const patterns = wanted.map((name) => {
    const escaped = name.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  });
  const found = [...new Set(known.filter((name) => patterns.some((pattern) => pattern.test(name))))];
  if (found.length > 0) return found;
  throw attachError(program, 'attach-no-such-function', `no function matches ${wanted.join(', ')}`, {
    why: known.length === 0 ? 'the list of traceable functions (tracefs) cannot be read' : `of ${known.length}`,
  });
}

/** An array of pointers to strings that lie one behind the other. */
function pointersTo(strings: readonly string[]): SyscallBuffer {
  const text = input(new TextEncoder().encode(strings.map((string) => `${string}\0`).join('')));
  let at = 0;
  const pointers = strings.map((string, index) => {
    const pointer = { offset: 8 * index, to: text, at };
    at += string.length + 1;
    return pointer;
  });
  return { bytes: new Uint8Array(8 * strings.length), direction: 'in', pointers };
}
