import type { CoreRelocation } from '../btf/ext.ts';
import { ExplainedError, ObjectError } from '../errors.ts';
import { formatInstruction } from '../insn/format.ts';
import {
  isLoadImm64,
  patchInstruction,
  readImm64,
  readInstruction,
  setImm64,
  writeInstruction,
} from '../insn/instruction.ts';
import { CALL, Class, Mode, Operand, Size } from '../insn/opcodes.ts';
import type { ObjectContent, ProgramSpec } from '../object/spec.ts';
import { type CoreValue, calculateCoreValue } from './core-value.ts';
import { objectBtf } from './kernel-types.ts';
import type { KernelFacts } from './outcome.ts';

/** A program's code after CO-RE. */
export interface CoreResult {
  /** A copy of the program's code, patched. */
  readonly code: Uint8Array;
  /**
   * Instructions that ask for something the kernel lacks. They were replaced by a call of helper {@link CORE_POISON}, which
   * the verifier refuses unless the program never reaches it.
   */
  readonly poisoned: readonly { readonly slot: number; readonly text: string }[];
}

/** The helper number that stands for a field or value the kernel lacks, the same as in libbpf (0xbad2310). */
export const CORE_POISON = 0xbad2310;

/**
 * Fits a program to the layout of the kernel's types: offsets, sizes and the existence of fields, types and enumerators.
 * Pure. Follows bpf_core_patch_insn in libbpf's `src/relo_core.c`.
 * @throws ObjectError, naming the instruction: `core-without-kernel-btf`, `core-relocation-unsupported`, `core-ambiguous`,
 *   `core-access`, `core-instruction` or `core-out-of-range`.
 */
export function applyCoreRelocations(spec: ObjectContent, program: ProgramSpec, facts: KernelFacts): CoreResult {
  const code = new Uint8Array(program.code);
  const poisoned: { slot: number; text: string }[] = [];
  for (const relocation of program.coreRelocations) {
    const site = new CoreSite(spec, program, code, relocation);
    if (facts.vmlinuxBtf === null) {
      throw site.refuse('core-without-kernel-btf', 'the layout of a kernel type is unknown', 'the kernel has no BTF');
    }
    const targets = [facts.vmlinuxBtf, ...facts.moduleBtfs.map(({ btf }) => btf)];
    const value = site.explained(() => calculateCoreValue(objectBtf(spec), relocation, targets));
    if (value.target === null) {
      site.poison();
      poisoned.push({ slot: relocation.slot, text: value.text });
    } else {
      site.patch(value, value.target);
    }
  }
  return { code, poisoned };
}

const WIDTHS: ReadonlyMap<number, number> = new Map([
  [1, Size.B],
  [2, Size.H],
  [4, Size.W],
  [8, Size.DW],
]);

/** An instruction with a CO-RE relocation. */
class CoreSite {
  readonly #spec: ObjectContent;
  readonly #program: ProgramSpec;
  readonly #code: Uint8Array;
  readonly #slot: number;

  constructor(spec: ObjectContent, program: ProgramSpec, code: Uint8Array, relocation: CoreRelocation) {
    this.#spec = spec;
    this.#program = program;
    this.#code = code;
    this.#slot = relocation.slot;
  }

  patch(value: CoreValue, target: bigint): void {
    const { byteOrder } = this.#spec;
    const instruction = readInstruction(this.#code, this.#slot, byteOrder);
    const { opcode } = instruction;
    const kind = opcode & 0x07;
    if (isLoadImm64(instruction) && instruction.src === 0) {
      this.#expect(BigInt.asIntN(64, readImm64(this.#code, this.#slot, byteOrder)), value);
      setImm64(this.#code, this.#slot, target, byteOrder);
    } else if ((kind === Class.ALU || kind === Class.ALU64) && (opcode & Operand.X) === Operand.K) {
      this.#expect(BigInt(instruction.imm), value);
      this.#limit(target, 31, value);
      patchInstruction(this.#code, this.#slot, { imm: Number(target) | 0 }, byteOrder);
    } else if (kind === Class.LDX || kind === Class.ST || kind === Class.STX) {
      this.#expect(BigInt(instruction.offset), value);
      this.#limit(target, 15, value);
      const fields = { opcode: this.#resize(opcode, value), offset: Number(target) };
      patchInstruction(this.#code, this.#slot, fields, byteOrder);
    } else {
      throw this.refuse('core-instruction', 'an instruction that CO-RE cannot patch', `it asks for ${value.text}`);
    }
  }

  poison(): void {
    const { byteOrder } = this.#spec;
    const wide = isLoadImm64(readInstruction(this.#code, this.#slot, byteOrder));
    const call = { opcode: CALL, dst: 0, src: 0, offset: 0, imm: CORE_POISON };
    writeInstruction(this.#code, this.#slot, call, byteOrder);
    if (wide) writeInstruction(this.#code, this.#slot + 1, call, byteOrder);
  }

  /** Runs `work`, and gives its errors this instruction's position. */
  explained<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ExplainedError) || error instanceof ObjectError) throw error;
      throw this.refuse(error.code, error.message, error.why ?? '', error);
    }
  }

  refuse(code: string, what: string, why: string, cause?: unknown): ObjectError {
    const holder = this.#program.functions.findLast((one) => one.slot <= this.#slot);
    const text = formatInstruction(this.#program.code, this.#slot, this.#spec.byteOrder);
    return new ObjectError(
      code,
      what,
      {
        file: this.#spec.name,
        section: holder?.origin.section ?? this.#program.section,
        symbol: holder?.name ?? this.#program.name,
        instruction: holder === undefined ? this.#slot : holder.origin.slot + this.#slot - holder.slot,
      },
      { why: `in \`${text}\`, ${why}`, ...(cause === undefined ? {} : { cause }) },
    );
  }

  #expect(found: bigint, value: CoreValue): void {
    const wanted = value.local;
    if (found !== wanted && BigInt.asUintN(32, found) !== wanted) {
      throw this.refuse(
        'core-instruction',
        'an instruction and its CO-RE relocation contradict each other',
        `the object’s BTF gives ${wanted} for ${value.text}, the instruction has ${found}`,
      );
    }
  }

  #limit(target: bigint, bits: number, value: CoreValue): void {
    if (target >= 1n << BigInt(bits)) {
      throw this.refuse(
        'core-out-of-range',
        'a kernel type is too large for an instruction',
        `${value.text} comes to ${target}, and there is room for ${bits} bits`,
      );
    }
  }

  /** The opcode with the width of the kernel's field, where it differs. */
  #resize(opcode: number, value: CoreValue): number {
    const { width } = value;
    if (width === undefined || width.local === width.target) return opcode;
    const size = WIDTHS.get(width.target);
    if (
      !width.adjustable ||
      size === undefined ||
      WIDTHS.get(width.local) !== (opcode & 0x18) ||
      (opcode & 0xe0) !== Mode.MEM
    ) {
      throw this.refuse(
        'core-instruction',
        'a kernel’s field has another size',
        `${value.text} takes ${width.target} bytes in the kernel, ${width.local} in the object, and only unsigned integers and pointers can be read in another width`,
      );
    }
    return (opcode & ~0x18) | size;
  }
}
