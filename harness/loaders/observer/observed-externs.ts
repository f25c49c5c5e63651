import { isCall, isLoadImm64, readImm64, readInstruction, slotCount } from '../../../loader/insn/instruction.ts';
import { CallSource, LoadSource } from '../../../loader/insn/opcodes.ts';
import type { ExternSpec, ObjectContent, Reference } from '../../../loader/object/spec.ts';
import type { ExternResult } from '../../results/results.ts';
import type { Observation, ObservedLoad } from '../observation.ts';
import { lastLoadOf, matchSlots } from './code-match.ts';

/** What an instruction says of the extern that it refers to. */
type Resolution = Pick<ExternResult, 'result' | 'address' | 'btfId' | 'module'>;

/**
 * What each extern of an object was resolved to, read from the instructions that the kernel got, whatever loader handed them over. A 64-bit 0 is `null`,
 * also where a symbol lies at address 0. Externs that no instruction tells of are left out: those of programs that never came to the kernel, of code
 * that is not where it can be found again, and of modules whose BTF the loader did not open by its id. References that disagree give an `error`.
 * @param moduleNameOf the kernel's name of a BTF object by the object's id: a module's, or `vmlinux`; null if it is not known
 */
export function observedExterns(
  content: ObjectContent,
  observation: Observation,
  moduleNameOf: (btfId: number) => string | null,
): ExternResult[] {
  if (content.byteOrder !== 'little') return [];
  const found = new Map<string, Map<string, Resolution>>();
  for (const program of content.programs) {
    const load = lastLoadOf(program, content, observation);
    if (load === null) continue;
    const slots = matchSlots(program, load);
    for (const reference of program.references) {
      if (reference.kind !== 'extern' && reference.kind !== 'extern-call') continue;
      const slot = slots.get(reference.slot);
      const resolution = slot === undefined ? null : readResolution(reference.kind, load, slot, moduleNameOf);
      if (resolution === null) continue;
      const answers = found.get(reference.extern) ?? new Map<string, Resolution>();
      found.set(reference.extern, answers.set(JSON.stringify(resolution), resolution));
    }
  }
  return content.externs.flatMap((extern) => {
    const all = [...(found.get(extern.name)?.values() ?? [])];
    // cilium/ebpf (0.14 to 0.22, linker.go's fixupKfuncs) loads a kfunc's id as a plain number where libbpf loads its address: calls tell more.
    const called = extern.kind === 'kfunc' && all.some(({ result }) => result === 'btf-id');
    const answers = called ? all.filter(({ result }) => result !== 'address') : all;
    return answers.length === 0 ? [] : [describe(extern, answers)];
  });
}

function readResolution(
  kind: Reference['kind'],
  load: ObservedLoad,
  slot: number,
  moduleNameOf: (btfId: number) => string | null,
): Resolution | null {
  const { instructions } = load;
  const instruction = readInstruction(instructions, slot);
  const { src, imm, offset } = instruction;
  if (kind === 'extern') {
    if (!isLoadImm64(instruction) || slot + 1 >= slotCount(instructions)) return null;
    const value = readImm64(instructions, slot);
    if (src === LoadSource.BTF_ID) return btfId(imm, Number(value >> 32n), load, moduleNameOf);
    if (src !== LoadSource.IMMEDIATE) return null;
    return value === 0n ? { result: 'null' } : { result: 'address', address: `0x${value.toString(16)}` };
  }
  if (!isCall(instruction)) return null;
  // A call of a helper that does not exist, which may stand in code that is never reached: libbpf's 2002000000 and up, cilium/ebpf's 0xdedc0de.
  if (src === CallSource.HELPER) return { result: 'null' };
  if (src !== CallSource.KFUNC) return null;
  // What libbpf before 1.3 made of a weak one that is missing.
  if (imm === 0) return { result: 'null' };
  const descriptor = offset === 0 ? 0 : load.descriptors[offset];
  return descriptor === undefined ? null : btfId(imm, descriptor, load, moduleNameOf);
}

/** `descriptor` is of the BTF object that has the id; 0 for vmlinux. */
function btfId(
  id: number,
  descriptor: number,
  { btfIds }: ObservedLoad,
  moduleNameOf: (btfId: number) => string | null,
): Resolution | null {
  // -1 stands in a call of a kfunc that was not resolved at all.
  if (id <= 0) return null;
  if (descriptor === 0) return { result: 'btf-id', btfId: id };
  const object = btfIds.get(descriptor);
  if (object === undefined) return null;
  const module = moduleNameOf(object);
  // A loader may open vmlinux by its id as well.
  return { result: 'btf-id', btfId: id, ...(module === null || module === 'vmlinux' ? {} : { module }) };
}

function describe({ name, kind, weak }: ExternSpec, answers: readonly Resolution[]): ExternResult {
  const [answer] = answers;
  if (answer !== undefined && answers.length === 1) return { name, kind, weak, ...answer };
  return {
    name,
    kind,
    weak,
    result: 'error',
    reason: 'references-disagree',
    explanation: `The instructions that refer to it were resolved differently: ${answers.map(inWords).join(', ')}.`,
  };
}

function inWords({ result, address, btfId, module }: Resolution): string {
  if (result === 'address') return `${address}`;
  return result === 'btf-id' ? `BTF id ${btfId} of ${module ?? 'vmlinux'}` : result;
}
