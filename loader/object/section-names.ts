import { ObjectError } from '../errors.ts';
import type { ProgramType } from './spec.ts';

/** What a program's section name (`SEC("…")`) says about it. */
export interface SectionMeaning {
  readonly type: ProgramType;
  /** `enum bpf_attach_type`, or null where loading wants none. */
  readonly attachType: number | null;
  /** What follows the first slash, or null. */
  readonly target: string | null;
  /** BPF_F_SLEEPABLE: the name before the slash ends in `.s`, or the type is always sleepable (`syscall`). */
  readonly sleepable: boolean;
  /** False if the name begins with `?`: the author wants the program loaded only on request. */
  readonly autoload: boolean;
}

/** The members of `enum bpf_attach_type` that section names select here. */
export const attachTypeIds = {
  traceRawTracepoint: 23,
  traceFentry: 24,
  traceFexit: 25,
  modifyReturn: 26,
  lsmMac: 27,
} as const;

interface Rule {
  readonly name: string;
  readonly type: ProgramType;
  /**
   * `none`: the name stands alone. `optional`: a target may follow a slash. `required`: it must.
   */
  readonly target: 'none' | 'optional' | 'required';
  readonly attachType?: number;
  /** `.s` may be appended (`suffix`), or the type is sleepable as such (`always`). */
  readonly sleepable?: 'suffix' | 'always';
}

const RULES: readonly Rule[] = [
  { name: 'socket', type: 'socket_filter', target: 'optional' },
  { name: 'socket_filter', type: 'socket_filter', target: 'optional' },
  { name: 'tc', type: 'sched_cls', target: 'none' },
  { name: 'classifier', type: 'sched_cls', target: 'optional' },
  { name: 'tc/ingress', type: 'sched_cls', target: 'none' },
  { name: 'tc/egress', type: 'sched_cls', target: 'none' },
  { name: 'tcx/ingress', type: 'sched_cls', target: 'none' },
  { name: 'tcx/egress', type: 'sched_cls', target: 'none' },
  { name: 'action', type: 'sched_act', target: 'optional' },
  { name: 'xdp', type: 'xdp', target: 'optional' },
  { name: 'tracepoint', type: 'tracepoint', target: 'optional' },
  { name: 'tp', type: 'tracepoint', target: 'optional' },
  { name: 'raw_tracepoint', type: 'raw_tracepoint', target: 'optional' },
  { name: 'raw_tp', type: 'raw_tracepoint', target: 'optional' },
  { name: 'kprobe', type: 'kprobe', target: 'optional' },
  { name: 'kretprobe', type: 'kprobe', target: 'optional' },
  { name: 'perf_event', type: 'perf_event', target: 'none' },
  { name: 'tp_btf', type: 'tracing', target: 'required', attachType: attachTypeIds.traceRawTracepoint },
  {
    name: 'fentry',
    type: 'tracing',
    target: 'required',
    attachType: attachTypeIds.traceFentry,
    sleepable: 'suffix',
  },
  { name: 'fexit', type: 'tracing', target: 'required', attachType: attachTypeIds.traceFexit, sleepable: 'suffix' },
  {
    name: 'fmod_ret',
    type: 'tracing',
    target: 'required',
    attachType: attachTypeIds.modifyReturn,
    sleepable: 'suffix',
  },
  { name: 'lsm', type: 'lsm', target: 'required', attachType: attachTypeIds.lsmMac, sleepable: 'suffix' },
  { name: 'syscall', type: 'syscall', target: 'none', sleepable: 'always' },
];

/** Names that libbpf knows and this loader does not, each with the reason. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['ksyscall', 'the name of a system call’s kernel function differs between kernels and is not looked up here'],
  ['kretsyscall', 'the name of a system call’s kernel function differs between kernels and is not looked up here'],
  ['freplace', 'it replaces a function of another loaded program, which this loader has no way to name'],
  ['struct_ops', 'struct_ops maps are not supported'],
  ['iter', 'BPF iterators are not supported'],
  ['uprobe', 'user-space probes are not supported'],
  ['uretprobe', 'user-space probes are not supported'],
  ['usdt', 'user-space probes are not supported'],
  ['kprobe.multi', 'multi-kprobe links are not supported'],
  ['kretprobe.multi', 'multi-kprobe links are not supported'],
  ['raw_tp.w', 'writable raw tracepoints are not supported'],
  ['raw_tracepoint.w', 'writable raw tracepoints are not supported'],
  ['xdp.frags', 'the flag for multi-buffer packets (BPF_F_XDP_HAS_FRAGS) is not supported'],
]);

/**
 * Reads a program's section name by the conventions of libbpf (its `section_defs` table in `src/libbpf.c` and
 * `Documentation/bpf/libbpf/program_types.rst`).
 * @throws ObjectError `unknown-program-section`, `unsupported-program-section` or `program-section-target`, without
 *   a file: the caller says which file and symbol it was.
 */
export function parseSectionName(section: string): SectionMeaning {
  const autoload = !section.startsWith('?');
  const name = autoload ? section : section.slice(1);
  const slash = name.indexOf('/');
  const head = slash === -1 ? name : name.slice(0, slash);
  const target = slash === -1 ? null : name.slice(slash + 1);

  const whole = RULES.find((rule) => rule.name === name && rule.target === 'none');
  if (whole !== undefined) return meaning(whole, { target: null, sleepable: whole.sleepable === 'always', autoload });

  const sleepable = head.endsWith('.s');
  const base = sleepable ? head.slice(0, -2) : head;
  const rule = RULES.find((one) => one.name === base && (!sleepable || one.sleepable === 'suffix'));
  if (rule === undefined || (rule.target === 'none' && target !== null)) throw unknownSection(section, head);
  if (rule.target === 'required' && (target === null || target === '')) {
    throw new ObjectError(
      'program-section-target',
      `section ${section} names no target`,
      { section },
      {
        why: `a program of this kind is verified against one kernel function or hook`,
        fix: `Name it after a slash: SEC("${head}/NAME").`,
      },
    );
  }
  return meaning(rule, { target: target === '' ? null : target, sleepable, autoload });
}

function meaning(rule: Rule, rest: Omit<SectionMeaning, 'type' | 'attachType'>): SectionMeaning {
  return { type: rule.type, attachType: rule.attachType ?? null, ...rest };
}

function unknownSection(section: string, head: string): ObjectError {
  const reason = REFUSED.get(head) ?? REFUSED.get(head.replace(/\.s$/, ''));
  if (reason !== undefined) {
    return new ObjectError(
      'unsupported-program-section',
      `programs of ${section} cannot be loaded`,
      { section },
      {
        why: reason,
        fix: `These can be: ${knownNames()}.`,
      },
    );
  }
  const near = RULES.map((rule) => rule.name)
    .filter((name) => editDistance(name, head) <= 2 || (head !== '' && name.startsWith(head)))
    .sort((a, b) => editDistance(a, head) - editDistance(b, head));
  return new ObjectError(
    'unknown-program-section',
    `section name ${section} selects no program type`,
    { section },
    {
      why: 'the part before the slash decides the program type',
      fix: near.length > 0 ? `Did you mean ${near.slice(0, 3).join(' or ')}?` : `These are known: ${knownNames()}.`,
    },
  );
}

function knownNames(): string {
  return RULES.map((rule) => (rule.target === 'required' ? `${rule.name}/…` : rule.name)).join(', ');
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
