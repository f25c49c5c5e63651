import type { Btf } from '../btf/btf.ts';
import { ObjectError } from '../errors.ts';
import type { ProgramSpec } from '../object/spec.ts';
import type { KernelFacts } from '../resolve/outcome.ts';

/** `enum bpf_attach_type` values that attach by BTF id, with the prefix and kind of the type (find_attach_btf_id in libbpf's src/libbpf.c). */
const TARGETS: ReadonlyMap<number, { readonly prefix: string; readonly kind: 'func' | 'typedef' }> = new Map([
  [23, { prefix: 'btf_trace_', kind: 'typedef' }], // BPF_TRACE_RAW_TP
  [24, { prefix: '', kind: 'func' }], // BPF_TRACE_FENTRY
  [25, { prefix: '', kind: 'func' }], // BPF_TRACE_FEXIT
  [26, { prefix: '', kind: 'func' }], // BPF_MODIFY_RETURN
  [27, { prefix: 'bpf_lsm_', kind: 'func' }], // BPF_LSM_MAC
  [28, { prefix: 'bpf_iter_', kind: 'func' }], // BPF_TRACE_ITER
  [43, { prefix: 'bpf_lsm_', kind: 'func' }], // BPF_LSM_CGROUP
]);

/** The BTF id that a program attaches to, and the module whose BTF it is in (null: vmlinux). */
export interface AttachTarget {
  readonly id: number;
  readonly module: string | null;
}

/**
 * Finds what a tracing or LSM program attaches to, in the BTF of vmlinux and then of the modules; null for other programs. `file` is the object, for errors.
 * Throws ObjectError `attach-target-not-found`, `attach-target-missing`, `attach-without-kernel-btf`.
 */
export function findAttachTarget(program: ProgramSpec, facts: KernelFacts, file?: string): AttachTarget | null {
  const wanted = TARGETS.get(program.attachType ?? -1);
  if ((program.type !== 'tracing' && program.type !== 'lsm') || wanted === undefined) return null;
  const position = { ...(file === undefined ? {} : { file }), section: program.section, symbol: program.name };
  const refuse = (code: string, what: string, why: string, fix: string): ObjectError =>
    new ObjectError(code, what, position, { why, fix });
  if (program.attachTarget === null) {
    const fix = `write SEC("${program.section}/TARGET"), or set \`attachTarget\` of the program before the load`;
    throw refuse(
      'attach-target-missing',
      'the program attaches to nothing',
      'its section name has no target after /',
      fix,
    );
  }
  if (facts.vmlinuxBtf === null) {
    throw refuse(
      'attach-without-kernel-btf',
      'the program cannot be attached',
      'the kernel has no BTF, by which it names the targets of such programs',
      'use a kernel that was built with CONFIG_DEBUG_INFO_BTF=y, or a kprobe or tracepoint program',
    );
  }
  const name = `${wanted.prefix}${program.attachTarget}`;
  const places: readonly { readonly module: string | null; readonly btf: Btf }[] = [
    { module: null, btf: facts.vmlinuxBtf },
    ...facts.moduleBtfs.map(({ name: module, btf }) => ({ module, btf })),
  ];
  for (const { module, btf } of places) {
    const type = btf.find(name, wanted.kind, { own: true });
    if (type !== undefined) return { id: type.id, module };
  }
  const modules = facts.moduleBtfs.length;
  const also = modules === 0 ? '' : ` or of ${modules} ${modules === 1 ? 'module' : 'modules'}`;
  const unread = facts.moduleBtfsUnavailable === 'permission' ? ' (that of modules takes CAP_SYS_ADMIN to read)' : '';
  throw refuse(
    'attach-target-not-found',
    `this kernel has no ${program.attachTarget} to attach to`,
    `there is no ${wanted.kind} ${name} in the BTF of vmlinux${also}${unread}`,
    `${ABSENCE[wanted.prefix] ?? FUNCTION_ABSENCE}, or leave the program out: \`autoload = false\``,
  );
}

const FUNCTION_ABSENCE =
  'look for it in /proc/kallsyms: the compiler may have inlined it or changed its parameters, which takes it out of BTF, or its module is not loaded; use another function or kernel';

const ABSENCE: Readonly<Record<string, string>> = {
  btf_trace_:
    'the name is that of a tracepoint without its group, as in SEC("tp_btf/sched_switch"); use another tracepoint or kernel',
  bpf_lsm_:
    'the name is that of a hook without security_, as in SEC("lsm/file_open"); use another hook, or a kernel with CONFIG_BPF_LSM=y that has it',
  bpf_iter_: 'use a kernel that has this iterator, or a name such as task, map or ksym',
};
