import type { ExternSpec, ObjectContent } from '../object/spec.ts';
import { resolveKfunc } from './kfunc.ts';
import type { ExternOutcome, ExternResolution, KernelFacts } from './outcome.ts';
import { resolveTyped } from './typed.ts';
import { resolveTypeless } from './typeless.ts';

/**
 * Says for each extern of an object what it is on a kernel. Pure: facts in, data out, and nothing is thrown for an extern that
 * cannot be had. Follows bpf_object__resolve_externs in libbpf's `src/libbpf.c`, except on purpose in three places:
 *
 * - Addresses hidden by `kptr_restrict` are an error for strong typeless externs (libbpf loads the program with NULL).
 * - Address 0 is valid where other symbols have addresses: per-CPU symbols of kernels before 6.15 start there.
 * - Typed externs never depend on kallsyms (in libbpf a typeless extern in the same object makes them do so).
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
