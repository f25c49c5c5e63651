import type { ExternSpec, ObjectContent } from '../object/spec.ts';
import { resolveKfunc } from './kfunc.ts';
import type { ExternOutcome, ExternResolution, KernelFacts } from './outcome.ts';
import { resolveTyped } from './typed.ts';
import { resolveTypeless } from './typeless.ts';

/**
 * Says for each extern of an object what it is on a kernel. Pure: facts in, data out, and nothing is thrown for an extern that
 * cannot be had. Follows bpf_object__resolve_externs in libbpf's `src/libbpf.c`, except on purpose in these places:
 *
 * - Addresses hidden by `kptr_restrict` are an error for strong typeless externs (libbpf loads the program with NULL).
 * - Address 0 is valid where other symbols have addresses: per-CPU symbols of kernels before 6.15 start there.
 * - What a typed extern is never depends on kallsyms (in libbpf a typeless extern in the same object makes it so).
 * - A weak typed extern is NULL on kernels without BTF, or that know no BTF ids in instructions (libbpf refuses the object, the verifier the program).
 * - A variable whose address the kernel will not find is an error, or NULL if weak, before the verifier refuses the program (CONFIG_KALLSYMS_ALL=n).
 * - So is a kernel function whose address the program takes, where the kernel only lets functions be called (before 6.4).
 * - Where kallsyms has the exact name, symbols with clang's suffix `.llvm.HASH` do not make it ambiguous; where it has not, theirs may have any type letter.
 */
export function resolveExterns(spec: ObjectContent, facts: KernelFacts): ExternResolution[] {
  return spec.externs.map((extern) => ({
    name: extern.name,
    kind: extern.kind,
    weak: extern.weak,
    outcome: resolveExtern(spec, extern, facts),
  }));
}

function resolveExtern(spec: ObjectContent, extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  if (extern.kind === 'typeless') return resolveTypeless(extern, facts);
  return extern.kind === 'typed' ? resolveTyped(spec, extern, facts) : resolveKfunc(spec, extern, facts);
}
