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
 * Finds what a tracing or LSM program attaches to, in the BTF of vmlinux and then of the modules; null for other programs.
 * Throws ObjectError `attach-target-not-found`, `attach-target-missing`, `attach-without-kernel-btf`.
 */
export function findAttachTarget(program: ProgramSpec, facts: KernelFacts): AttachTarget | null {
  const wanted = TARGETS.get(program.attachType ?? -1);
  if ((program.type !== 'tracing' && program.type !== 'lsm') || wanted === undefined) return null;
  const refuse = (code: string, what: string, why: string): ObjectError =>
    new ObjectError(code, what, { section: program.section, symbol: program.name }, { why });
  if (program.attachTarget === null) {
    throw refuse('attach-target-missing', 'the program attaches to nothing', 'its section name has no target after /');
  }
  if (facts.vmlinuxBtf === null) {
    throw refuse('attach-without-kernel-btf', 'the program cannot be attached', 'the kernel has no BTF');
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
  const why = `there is no ${wanted.kind} ${name} in the BTF of vmlinux or of ${facts.moduleBtfs.length} modules`;
  throw refuse('attach-target-not-found', `this kernel has no ${program.attachTarget} to attach to`, why);
}
