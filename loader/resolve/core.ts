import type { BtfType, TypeId } from '../btf/types.ts';
import type { ObjectContent, ProgramSpec } from '../object/spec.ts';
import { type Candidate, CoreCandidates } from './core-candidates.ts';
import { CoreKind } from './core-kinds.ts';
import { CoreSite } from './core-patch.ts';
import { type CoreAnswer, calculateCoreValue } from './core-value.ts';
import { objectBtf } from './kernel-types.ts';
import type { KernelFacts } from './outcome.ts';

export { CORE_POISON } from './core-patch.ts';

/** A program's code after CO-RE. */
export interface CoreResult {
  /** A copy of the program's code, patched. */
  readonly code: Uint8Array;
  /**
   * Instructions that ask for something the kernel lacks. They were replaced by a call of helper {@link CORE_POISON}, which
   * the verifier refuses unless the program never reaches it.
   */
  readonly poisoned: readonly Poisoned[];
}

/** An instruction that must not run on this kernel. */
export interface Poisoned {
  /** Its place in {@link CoreResult.code}. */
  readonly slot: number;
  /** What it asks for, as in C: `struct task_struct.mm`. */
  readonly text: string;
  /** Why the kernel has no answer. */
  readonly why: string;
}

/**
 * Fits a program to the layout of the kernel's types: offsets, sizes, signs and shifts of fields, the existence of fields, types and
 * enumerators, and their values. Pure. Follows bpf_core_resolve_relo in libbpf's `src/libbpf.c` and `src/relo_core.c`, but for two things: what
 * one program's relocations rule out is ruled out for that program alone, and a value that does not fit its instruction is an error.
 *
 * @param candidates for the same facts, to be shared by the programs of a load; made anew if absent
 * @throws ObjectError, naming the instruction: `core-without-kernel-btf`, `core-relocation-unknown`, `core-anonymous-type`, `core-ambiguous`,
 *   `core-access`, `core-bit-field`, `core-too-deep`, `core-instruction` or `core-out-of-range`.
 */
export function applyCoreRelocations(
  spec: ObjectContent,
  program: ProgramSpec,
  facts: KernelFacts,
  candidates = CoreCandidates.of(facts),
): CoreResult {
  const code = new Uint8Array(program.code);
  const poisoned: Poisoned[] = [];
  // Two types of one name may each have half of the fields: what was read of one is not to be mixed with what was read of the other.
  const fitting = new Map<TypeId, readonly Candidate[]>();
  const known = new Map<string, CoreAnswer>();
  for (const relocation of program.coreRelocations) {
    const { slot, typeId, kind, accessString } = relocation;
    const site = new CoreSite(spec, program, code, slot);
    if (candidates === null && kind !== CoreKind.TYPE_ID_LOCAL) {
      throw site.refuse('core-without-kernel-btf', 'the layout of a kernel type is unknown', 'the kernel has no BTF', {
        fix: 'load into a kernel with CONFIG_DEBUG_INFO_BTF=y, or give the types of this one (coreBtf), made with pahole or from BTFHub',
      });
    }
    const key = `${typeId} ${kind} ${accessString}`;
    let answer = known.get(key);
    if (answer === undefined) {
      const find = (root: BtfType) => fitting.get(typeId) ?? candidates?.find(root) ?? [];
      answer = site.explained(() => calculateCoreValue(objectBtf(spec), relocation, find));
      if (answer.fitting.length > 0) fitting.set(typeId, answer.fitting);
      // Loops that clang has unrolled ask the same over and over; what is ruled out later does not change an answer.
      known.set(key, answer);
    }
    const { value } = answer;
    const poison = value.target === null ? value.why : site.patch(value, value.target);
    if (value.target === null) site.poison();
    if (poison !== null) poisoned.push({ slot, text: value.text, why: poison });
  }
  return { code, poisoned };
}
