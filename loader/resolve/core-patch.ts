import { type ErrorDetails, ExplainedError, ObjectError } from '../errors.ts';
import { describeInstruction, formatDescription } from '../insn/describe.ts';
import {
  type Instruction,
  isLoadImm64,
  patchInstruction,
  readImm64,
  readInstruction,
  setImm64,
  writeInstruction,
} from '../insn/instruction.ts';
import { CALL, Class, Operand, Size } from '../insn/opcodes.ts';
import type { ObjectContent, ProgramSpec } from '../object/spec.ts';
import type { MemoryAccess } from './core-field.ts';
import type { CoreValue } from './core-value.ts';

/** The helper number that stands for a field or value the kernel lacks, the same as in libbpf (0xbad2310). */
export const CORE_POISON = 0xbad2310;

/** Bits of an opcode that say how wide a load or store is. */
const SIZE_MASK = 0x18;
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [1, Size.B],
  [2, Size.H],
  [4, Size.W],
  [8, Size.DW],
]);

/**
 * An instruction with a CO-RE relocation: a constant (`rX = 8`, `rX += 8`, `rX = 8 ll`), or a load or store at an offset
 * (bpf_core_patch_insn in libbpf's `src/relo_core.c`).
 */
export class CoreSite {
  readonly #spec: ObjectContent;
  readonly #program: ProgramSpec;
  readonly #code: Uint8Array;
  readonly #slot: number;

  /** `code`: the copy of the program's code that is patched. */
  constructor(spec: ObjectContent, program: ProgramSpec, code: Uint8Array, slot: number) {
    this.#spec = spec;
    this.#program = program;
    this.#code = code;
    this.#slot = slot;
  }

  /**
   * Writes a value into the instruction; if that would make it read the wrong bytes, poisons it instead and returns why, else null.
   * @throws ObjectError `core-instruction`, `core-out-of-range`
   */
  patch(value: CoreValue, target: bigint): string | null {
    const { byteOrder } = this.#spec;
    const instruction = readInstruction(this.#code, this.#slot, byteOrder);
    switch (this.#formOf(instruction)) {
      case 'wide': {
        const found = readImm64(this.#code, this.#slot, byteOrder);
        this.#expect(found, value);
        setImm64(this.#code, this.#slot, this.#extended(found, value, target), byteOrder);
        return null;
      }
      case 'constant':
        this.#expect(BigInt(instruction.imm), value);
        this.#limit(target, 32, value);
        patchInstruction(this.#code, this.#slot, { imm: Number(target) }, byteOrder);
        return null;
      case 'memory':
        this.#expect(BigInt(instruction.offset), value);
        this.#limit(target, 16, value);
        return this.#patchMemory(instruction, value, Number(target));
    }
  }

  /** Replaces the instruction by a call that no verifier lets through. @throws ObjectError `core-instruction` */
  poison(): void {
    const { byteOrder } = this.#spec;
    const form = this.#formOf(readInstruction(this.#code, this.#slot, byteOrder));
    const call = { opcode: CALL, dst: 0, src: 0, offset: 0, imm: CORE_POISON };
    writeInstruction(this.#code, this.#slot, call, byteOrder);
    if (form === 'wide') writeInstruction(this.#code, this.#slot + 1, call, byteOrder);
  }

  /** Runs `work`, and gives its errors this instruction's position. */
  explained<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ExplainedError) || error instanceof ObjectError) throw error;
      const fix = error.fix === undefined ? {} : { fix: error.fix };
      throw this.refuse(error.code, error.message, error.why ?? '', { ...fix, cause: error });
    }
  }

  /** An error with this instruction's position and text. */
  refuse(code: string, what: string, why: string, more: Pick<ErrorDetails, 'fix' | 'cause'> = {}): ObjectError {
    const holder = this.#program.functions.findLast((one) => one.slot <= this.#slot);
    const { lines } = this.#program;
    const described = describeInstruction(this.#program.code, this.#slot, { byteOrder: this.#spec.byteOrder, lines });
    const text = described === null ? `slot ${this.#slot}` : formatDescription(described);
    return new ObjectError(
      code,
      what,
      {
        file: this.#spec.name,
        section: holder?.origin.section ?? this.#program.section,
        symbol: holder?.name ?? this.#program.name,
        instruction: holder === undefined ? this.#slot : holder.origin.slot + this.#slot - holder.slot,
      },
      { why: `in ${text}, ${why}`, ...more },
    );
  }

  #formOf(instruction: Instruction): 'wide' | 'constant' | 'memory' {
    const { opcode } = instruction;
    switch (opcode & 0x07) {
      case Class.ALU:
      case Class.ALU64:
        if ((opcode & Operand.X) === Operand.K) return 'constant';
        break;
      case Class.LDX:
      case Class.ST:
      case Class.STX:
        return 'memory';
      case Class.LD:
        if (isLoadImm64(instruction) && instruction.src === 0 && instruction.offset === 0) return 'wide';
        break;
    }
    throw this.refuse(
      'core-instruction',
      'an instruction that CO-RE cannot patch',
      'a constant, a load or a store was expected',
    );
  }

  /** Like the compiler: enumerators above 2³¹ stand in the object as unsigned numbers, or as negative ones. */
  #extended(found: bigint, value: CoreValue, target: bigint): bigint {
    const unsigned = value.local < 0n && found === BigInt.asUintN(32, value.local);
    return unsigned && target < 0n && target >= -(1n << 31n) ? BigInt.asUintN(32, target) : target;
  }

  #expect(found: bigint, value: CoreValue): void {
    const { local, certain, text } = value;
    if (!certain || found === local || found === BigInt.asUintN(64, local) || found === BigInt.asUintN(32, local))
      return;
    throw this.refuse(
      'core-instruction',
      'an instruction and its CO-RE relocation contradict each other',
      `the object’s BTF gives ${local} for ${text}, the instruction has ${found}`,
    );
  }

  #limit(target: bigint, bits: number, value: CoreValue): void {
    if (target === BigInt.asIntN(bits, target)) return;
    throw this.refuse(
      'core-out-of-range',
      'a kernel type is too large for an instruction',
      `${value.text} comes to ${target}, and there is room for ${bits} bits`,
    );
  }

  #patchMemory({ opcode }: Instruction, value: CoreValue, offset: number): string | null {
    const { byteOrder } = this.#spec;
    const local = value.access?.local?.size ?? 0;
    const target = value.access?.target?.size ?? 0;
    if (local === target) {
      patchInstruction(this.#code, this.#slot, { offset }, byteOrder);
      return null;
    }
    const sizes = `${describe(value.access?.target)} in the kernel, ${describe(value.access?.local)} in the object`;
    if (!isAdjustable(value)) {
      this.poison();
      return `it takes ${sizes}, and only pointers and unsigned integers can be read in another width`;
    }
    const size = WIDTHS.get(target);
    if (size === undefined || WIDTHS.get(local) !== (opcode & SIZE_MASK)) {
      throw this.refuse('core-instruction', 'a kernel’s field has another size', `${value.text} takes ${sizes}`);
    }
    patchInstruction(this.#code, this.#slot, { offset, opcode: (opcode & ~SIZE_MASK) | size }, byteOrder);
    return null;
  }
}

/** Pointers and unsigned integers of another size are read with that size; anything else would be extended wrongly. */
function isAdjustable({ access }: CoreValue): boolean {
  const kind = access?.local?.extends;
  return kind !== undefined && kind !== 'otherwise' && kind === access?.target?.extends;
}

function describe(access: MemoryAccess | null | undefined): string {
  return access === null || access === undefined ? 'some bits' : `${access.size} bytes`;
}
