import { ObjectError } from '../errors.ts';
import { formatDescription } from '../insn/describe.ts';
import { patchInstruction, setImm64, setImmPair, setSource } from '../insn/instruction.ts';
import { CALL, CallSource, LoadSource } from '../insn/opcodes.ts';
import type { ObjectContent, ProgramSpec, Reference } from '../object/spec.ts';
import type { ExternOutcome, ExternResolution } from '../resolve/outcome.ts';
import { describeProgramInstruction } from './describe-program.ts';
import { MISSING_KFUNC_BASE, MISSING_MAP_BASE } from './poison.ts';

/** What references become: descriptors of the agent, and outcomes. */
export interface RelocationTargets {
  /** Map fds by name. */
  readonly maps: ReadonlyMap<string, number>;
  /** In the object's order, which numbers poisoned calls. */
  readonly resolutions: readonly ExternResolution[];
  /** The object's maps in its order, which numbers poisoned references to those that were not to be created. Absent: all were. */
  readonly object?: Pick<ObjectContent, 'maps'>;
  /** BTF fds of the modules that resolutions name. */
  readonly moduleBtfs: ReadonlyMap<string, number>;
}

/** Code ready for BPF_PROG_LOAD. */
export interface RelocatedCode {
  readonly code: Uint8Array;
  /** BTF fds that module kfunc calls refer to by index (attr.fd_array); index 0 is not used. Empty if there are none. */
  readonly fdArray: readonly number[];
}

/** Writes map fds, addresses and BTF ids into a copy of a program's code. Throws ObjectError `unresolved-reference` for what is not in `targets`. */
export function relocateProgram(program: ProgramSpec, targets: RelocationTargets): RelocatedCode {
  const code = program.code.slice();
  const fdArray: number[] = [];
  for (const reference of program.references) {
    const refuse = (what: string): ObjectError => {
      const { section, name: symbol } = program;
      const described = describeProgramInstruction(program, reference.slot);
      const details = described === null ? {} : { why: `it is used by ${formatDescription(described)}` };
      return new ObjectError('unresolved-reference', what, { section, symbol, instruction: reference.slot }, details);
    };
    relocate(code, reference, targets, fdArray, refuse);
  }
  return { code, fdArray };
}

function relocate(
  code: Uint8Array,
  reference: Reference,
  targets: RelocationTargets,
  fdArray: number[],
  refuse: (what: string) => ObjectError,
): void {
  const { slot } = reference;
  if (reference.kind === 'function') return;
  if (reference.kind === 'map' || reference.kind === 'data') {
    const fd = targets.maps.get(reference.map);
    if (fd === undefined) {
      const index = targets.object?.maps.findIndex((one) => one.name === reference.map && one.autocreate === false);
      if (index === undefined || index === -1) throw refuse(`map ${reference.map} was not created`);
      poisonMapLoad(code, slot, index);
      return;
    }
    setSource(code, slot, reference.kind === 'map' ? LoadSource.MAP_FD : LoadSource.MAP_VALUE);
    setImmPair(code, slot, fd, reference.kind === 'map' ? 0 : reference.offset);
    return;
  }
  const index = targets.resolutions.findIndex(({ name }) => name === reference.extern);
  const outcome = targets.resolutions[index]?.outcome;
  if (outcome === undefined || outcome.result === 'error') throw refuse(`extern ${reference.extern} was not resolved`);
  const moduleFd = outcome.result === 'btf-id' && outcome.module !== null ? targets.moduleBtfs.get(outcome.module) : 0;
  if (moduleFd === undefined) throw refuse(`the BTF of the module that has ${reference.extern} is not open`);
  if (reference.kind === 'extern') relocateLoad(code, slot, outcome, moduleFd);
  else relocateCall(code, slot, outcome, index, moduleFd, fdArray);
}

/** Both slots of the load, as in libbpf (poison_map_ldimm64). */
function poisonMapLoad(code: Uint8Array, slot: number, index: number): void {
  const call = { opcode: CALL, dst: 0, src: CallSource.HELPER, offset: 0, imm: MISSING_MAP_BASE + index };
  patchInstruction(code, slot, call);
  patchInstruction(code, slot + 1, call);
}

function relocateLoad(code: Uint8Array, slot: number, outcome: ExternOutcome, moduleFd: number): void {
  if (outcome.result === 'btf-id') {
    setSource(code, slot, LoadSource.BTF_ID);
    setImmPair(code, slot, outcome.id, moduleFd);
  } else {
    setSource(code, slot, LoadSource.IMMEDIATE);
    setImm64(code, slot, outcome.result === 'address' ? outcome.address : 0n);
  }
}

function relocateCall(
  code: Uint8Array,
  slot: number,
  outcome: ExternOutcome,
  index: number,
  moduleFd: number,
  fdArray: number[],
): void {
  if (outcome.result !== 'btf-id') {
    patchInstruction(code, slot, { src: CallSource.HELPER, dst: 0, offset: 0, imm: MISSING_KFUNC_BASE + index });
    return;
  }
  if (moduleFd !== 0 && fdArray.length === 0) fdArray.push(0);
  if (moduleFd !== 0 && !fdArray.includes(moduleFd)) fdArray.push(moduleFd);
  const offset = moduleFd === 0 ? 0 : fdArray.indexOf(moduleFd);
  patchInstruction(code, slot, { src: CallSource.KFUNC, offset, imm: outcome.id });
}
