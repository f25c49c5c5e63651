/**
 * Numbers of the BPF instruction set, named as in `include/uapi/linux/bpf.h` and `bpf_common.h`
 * and explained in the kernel's `Documentation/bpf/standardization/instruction-set.rst`.
 */

/** Bytes of one instruction slot (`struct bpf_insn`); `ld_imm64` takes two. */
export const SLOT_SIZE = 8;

/** Instruction class: the low three bits of an opcode. */
export const Class = {
  LD: 0x00,
  LDX: 0x01,
  ST: 0x02,
  STX: 0x03,
  ALU: 0x04,
  JMP: 0x05,
  JMP32: 0x06,
  ALU64: 0x07,
} as const;

/** Width of a load or store: bits 3 and 4 of its opcode. */
export const Size = { W: 0x00, H: 0x08, B: 0x10, DW: 0x18 } as const;

/** Mode of a load or store: the high three bits of its opcode. */
export const Mode = {
  IMM: 0x00,
  ABS: 0x20,
  IND: 0x40,
  MEM: 0x60,
  MEMSX: 0x80,
  ATOMIC: 0xc0,
} as const;

/** Bit 3 of an ALU or jump opcode: the second operand is the immediate (K) or the source register (X). */
export const Operand = { K: 0x00, X: 0x08 } as const;

/** Arithmetic operation: the high four bits of an ALU opcode. */
export const Alu = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  XOR: 0xa0,
  MOV: 0xb0,
  ARSH: 0xc0,
  END: 0xd0,
} as const;

/** Jump operation: the high four bits of a jump opcode. */
export const Jump = {
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
  JNE: 0x50,
  JSGT: 0x60,
  JSGE: 0x70,
  CALL: 0x80,
  EXIT: 0x90,
  JLT: 0xa0,
  JLE: 0xb0,
  JSLT: 0xc0,
  JSLE: 0xd0,
  JCOND: 0xe0,
} as const;

/** Operation of an atomic store, in its immediate. */
export const Atomic = {
  ADD: 0x00,
  OR: 0x40,
  AND: 0x50,
  XOR: 0xa0,
  FETCH: 0x01,
  XCHG: 0xe1,
  CMPXCHG: 0xf1,
  LOAD_ACQUIRE: 0x100,
  STORE_RELEASE: 0x110,
} as const;

/** `BPF_LD | BPF_DW | BPF_IMM`: a 64-bit immediate over two slots. */
export const LD_IMM64 = Class.LD | Size.DW | Mode.IMM;

/** `BPF_JMP | BPF_CALL`: a helper, a subprogram or a kernel function, by source register. */
export const CALL = Class.JMP | Jump.CALL;

/** What the source register of `ld_imm64` says about its immediate. */
export const LoadSource = {
  IMMEDIATE: 0,
  MAP_FD: 1,
  MAP_VALUE: 2,
  BTF_ID: 3,
  FUNC: 4,
  MAP_IDX: 5,
  MAP_IDX_VALUE: 6,
} as const;

/** What the source register of `call` says about its immediate. */
export const CallSource = { HELPER: 0, SUBPROGRAM: 1, KFUNC: 2 } as const;
