import type { CellResult } from './results.ts';

type OutcomeClass = CellResult['outcome']['class'];

/** What loaders are compared by: failures that one loader tells apart and another does not are one answer. */
export type AnswerKind =
  | 'works'
  | 'not in the kernel’s BTF'
  | 'not in kallsyms'
  | 'another type in the kernel'
  | 'refused by the kernel'
  | 'refused by the loader'
  | Exclude<OutcomeClass, 'ok'>;

const ALIKE: Readonly<Partial<Record<OutcomeClass, AnswerKind>>> = {
  ok: 'works',
  // One search, through the BTF of vmlinux and of modules. libbpf says of all of these that it is "not found in kernel BTF" (or, of a function,
  // "in kernel or module BTFs"); cilium/ebpf wraps them in ErrNotFound, also what it may not read (EPERM) of modules.
  'btf-missing': 'not in the kernel’s BTF',
  'btf-has-no-vars': 'not in the kernel’s BTF',
  'ksym-not-in-btf': 'not in the kernel’s BTF',
  'module-btf-unavailable': 'not in the kernel’s BTF',
  'kfunc-not-found': 'not in the kernel’s BTF',
  // A file that cannot be opened has no line for the symbol. Hidden addresses (kallsyms-hidden) are another thing: loaders treat them differently.
  'ksym-not-in-kallsyms': 'not in kallsyms',
  'kallsyms-unreadable': 'not in kallsyms',
  // Whether a declaration is of a variable or of a function shows in the extern that is named.
  'ksym-type-mismatch': 'another type in the kernel',
  'kfunc-signature-mismatch': 'another type in the kernel',
  // Ours probes what others leave to BPF_PROG_LOAD; and whether there is a verifier's log depends on the loader's having asked for one.
  'verifier-rejected': 'refused by the kernel',
  'load-refused': 'refused by the kernel',
  'ksym-address-unavailable': 'refused by the kernel',
  'kernel-lacks-btf-id-loads': 'refused by the kernel',
  // What a loader cannot do at all (loader-lacks-feature) stays apart: that is a difference by itself.
  'object-refused': 'refused by the loader',
  'loader-refused': 'refused by the loader',
};

/** The kind of a class: itself, for classes that every loader tells apart. */
export function answerKind(kind: OutcomeClass): AnswerKind {
  return ALIKE[kind] ?? (kind === 'ok' ? 'works' : kind);
}
