import { isCall, isLoadImm64, readInstruction, slotCount } from '../../../loader/insn/instruction.ts';
import { CallSource, LoadSource, SLOT_SIZE } from '../../../loader/insn/opcodes.ts';
import type { ObjectContent, ProgramSpec } from '../../../loader/object/spec.ts';
import type { Observation, ObservedLoad } from '../observation.ts';

/** BPF_OBJ_NAME_LEN without its zero byte. */
const NAME_LENGTH = 15;

/**
 * The load of a program that the loader made last: loaders try again, for a log or without a feature. What a loader loads to find out what the kernel can
 * do has other names and other code. Null if there is none, or if it could as well be another program of the object.
 */
export function lastLoadOf(
  program: ProgramSpec,
  { programs }: ObjectContent,
  { loads }: Observation,
): ObservedLoad | null {
  const alike = loads.filter((load) => isLoadOf(program, load));
  const named = alike.filter(({ name }) => name === shortName(program));
  // Kernels before 4.15 take no names, and a loader may give names of its own.
  const candidates =
    named.length > 0 ? named : alike.filter(({ name }) => !programs.some((one) => shortName(one) === name));
  const last = candidates.at(-1);
  if (last === undefined) return null;
  const others = programs.filter((one) => one !== program && isLoadOf(one, last));
  const rivals = named.length > 0 ? others.filter((one) => shortName(one) === shortName(program)) : others;
  return rivals.length === 0 ? last : null;
}

/**
 * Where each slot of a program's functions went in the code that the kernel got. The program itself comes first with every loader; the functions that it
 * calls follow in an order of the loader's own, so calls are followed to find them.
 * @returns slots of the load by slots of the program; without those of functions that could not be found
 */
export function matchSlots(program: ProgramSpec, { instructions }: ObservedLoad): ReadonlyMap<number, number> {
  const slots = new Map<number, number>();
  const entries = new Map<number, number>([[0, 0]]);
  for (const [entry, place] of entries) {
    const end = endOf(program, entry);
    for (let slot = entry; slot < end; slot++) {
      const moved = place + slot - entry;
      if (moved >= slotCount(instructions)) break;
      slots.set(slot, moved);
      const target = functionTarget(program.code, slot);
      const found = functionTarget(instructions, moved);
      if (target !== null && found !== null && !entries.has(target)) entries.set(target, found);
      if (isLoadImm64(readInstruction(program.code, slot))) slot++;
    }
  }
  return slots;
}

/** The number of instructions is the same, and so is every opcode of the program's own function that no relocation for a kernel's types may change. */
function isLoadOf(program: ProgramSpec, { slots, instructions }: ObservedLoad): boolean {
  if (slots !== slotCount(program.code) || instructions.length !== program.code.length) return false;
  const changed = new Set(program.coreRelocations.map(({ slot }) => slot));
  const end = endOf(program, 0);
  for (let slot = 0; slot < end; slot++) {
    const opcode = program.code[slot * SLOT_SIZE];
    if (changed.has(slot)) {
      if (isLoadImm64(readInstruction(program.code, slot))) slot++;
      continue;
    }
    if (opcode !== instructions[slot * SLOT_SIZE] && !isMapLoad(program, slot)) return false;
  }
  return true;
}

/** The load of a map that was not created becomes a call that the verifier refuses, both slots of it (libbpf, poison_map_ldimm64). */
function isMapLoad({ references }: ProgramSpec, slot: number): boolean {
  return references.some(
    (one) => (one.kind === 'map' || one.kind === 'data') && (one.slot === slot || one.slot + 1 === slot),
  );
}

/** The slot of the function that an instruction calls or takes the address of; null for any other instruction. */
function functionTarget(code: Uint8Array, slot: number): number | null {
  const instruction = readInstruction(code, slot);
  const { src, imm } = instruction;
  const refers =
    (isCall(instruction) && src === CallSource.SUBPROGRAM) || (isLoadImm64(instruction) && src === LoadSource.FUNC);
  return refers ? slot + 1 + imm : null;
}

function endOf({ functions, code }: ProgramSpec, entry: number): number {
  return functions.find(({ slot }) => slot > entry)?.slot ?? slotCount(code);
}

function shortName({ name }: ProgramSpec): string {
  return name.slice(0, NAME_LENGTH);
}
