/** Whether an operation works on whole registers (`r1`) or on their low half, the upper one becoming zero (`w1`). */
export type Width = 32 | 64;

/** Second operand: a register by number, or the signed 32-bit immediate, sign-extended for 64-bit operations. */
export type Operand = { readonly register: number } | { readonly immediate: number };

/** Arithmetic with two operands; `sdiv` and `smod` are signed (instruction set version 4). */
export type AluOperation =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'sdiv'
  | 'or'
  | 'and'
  | 'lsh'
  | 'rsh'
  | 'mod'
  | 'smod'
  | 'xor'
  | 'mov'
  | 'arsh';

/** What a conditional jump compares; `&` asks whether any bit is set in both, those with `s` are signed. */
export type Comparison = '==' | '!=' | '>' | '>=' | '<' | '<=' | '&' | 's>' | 's>=' | 's<' | 's<=';

/** What an atomic instruction does. */
export type AtomicOperation = 'add' | 'or' | 'and' | 'xor' | 'xchg' | 'cmpxchg' | 'load-acquire' | 'store-release';

/** Bytes of a load or store. */
export type Bytes = 1 | 2 | 4 | 8;

/** What a 64-bit immediate load puts into its register. */
export type Immediate64 =
  | { readonly source: 'value'; readonly value: bigint }
  /** BPF_PSEUDO_MAP_FD; in code that was read back from a kernel, the map's id. */
  | { readonly source: 'map-fd'; readonly fd: number }
  /** BPF_PSEUDO_MAP_VALUE: the address of the first element's value plus `offset`. */
  | { readonly source: 'map-value'; readonly fd: number; readonly offset: number }
  /** BPF_PSEUDO_BTF_ID: the address of a variable or function of the kernel; `fd` 0 is vmlinux, else a module's BTF. */
  | { readonly source: 'btf-id'; readonly id: number; readonly fd: number }
  /** BPF_PSEUDO_FUNC: a callback; `distance` in slots from the next slot. */
  | { readonly source: 'function'; readonly distance: number }
  /** BPF_PSEUDO_MAP_IDX: the map at that index of `fd_array`. */
  | { readonly source: 'map-index'; readonly index: number }
  | { readonly source: 'map-index-value'; readonly index: number; readonly offset: number };

/** What `call` calls. */
export type CallTarget =
  | { readonly target: 'helper'; readonly number: number }
  /** BPF_PSEUDO_CALL; `distance` in slots from the next slot. */
  | { readonly target: 'function'; readonly distance: number }
  /** BPF_PSEUDO_KFUNC_CALL: a FUNC of the BTF at `btfIndex` of `fd_array`; 0 is vmlinux. */
  | { readonly target: 'kfunc'; readonly btfId: number; readonly btfIndex: number };

/**
 * An instruction by its meaning: every one of RFC 9669 (versions 1 to 4) and of Linux up to 7.3. Distances count slots of eight bytes from the slot after the
 * instruction. Made by `decodeInstruction` or by the functions of `build.ts`; `encodeInstruction` turns it into bytes.
 */
export type DecodedInstruction =
  | {
      readonly kind: 'alu';
      readonly operation: AluOperation;
      readonly width: Width;
      readonly dst: number;
      readonly operand: Operand;
    }
  | { readonly kind: 'negate'; readonly width: Width; readonly dst: number }
  /** A move that sign-extends the low `bits` of `src`. */
  | {
      readonly kind: 'move-signed';
      readonly width: Width;
      readonly bits: 8 | 16 | 32;
      readonly dst: number;
      readonly src: number;
    }
  /** `le16`, `be32`, `bswap64` …: the low `bits` to little or big endian, or turned around on any machine. */
  | {
      readonly kind: 'byte-order';
      readonly to: 'little' | 'big' | 'swapped';
      readonly bits: 16 | 32 | 64;
      readonly dst: number;
    }
  /** Between address spaces, for arenas. */
  | {
      readonly kind: 'address-space-cast';
      readonly dst: number;
      readonly src: number;
      readonly to: number;
      readonly from: number;
    }
  /** `ld_imm64`: takes two slots. */
  | { readonly kind: 'load-immediate'; readonly dst: number; readonly immediate: Immediate64 }
  | {
      readonly kind: 'load';
      readonly bytes: Bytes;
      readonly signed: boolean;
      readonly dst: number;
      readonly base: number;
      readonly offset: number;
    }
  | {
      readonly kind: 'store';
      readonly bytes: Bytes;
      readonly base: number;
      readonly offset: number;
      readonly operand: Operand;
    }
  /** `register` is the other operand; fetching ones, `xchg` and `load-acquire` write to it, `cmpxchg` to r0. */
  | {
      readonly kind: 'atomic';
      readonly operation: AtomicOperation;
      readonly fetch: boolean;
      readonly bytes: Bytes;
      readonly base: number;
      readonly offset: number;
      readonly register: number;
    }
  /** From the packet into r0 (`ld_abs`, `ld_ind`): at `offset`, plus what `index` holds. */
  | {
      readonly kind: 'load-packet';
      readonly bytes: 1 | 2 | 4;
      readonly offset: number;
      readonly index: number | null;
    }
  /** `long`: `gotol`, whose distance has 32 bits instead of 16. */
  | { readonly kind: 'jump'; readonly long: boolean; readonly distance: number }
  | {
      readonly kind: 'jump-if';
      readonly comparison: Comparison;
      readonly width: Width;
      readonly dst: number;
      readonly operand: Operand;
      readonly distance: number;
    }
  /** A jump that the kernel takes after some number of iterations. */
  | { readonly kind: 'may-goto'; readonly distance: number }
  /** `gotox`: to the address in a register, from an instruction array. */
  | { readonly kind: 'jump-register'; readonly register: number }
  | ({ readonly kind: 'call' } & CallTarget)
  /** `callx`: to the address in a register; no kernel takes it. */
  | { readonly kind: 'call-register'; readonly register: number }
  | { readonly kind: 'exit' }
  /** No instruction, and why. `slots`: how far to go on. */
  | { readonly kind: 'invalid'; readonly reason: string; readonly slots: 1 | 2 };

/** An instruction that can be encoded. */
export type ValidInstruction = Exclude<DecodedInstruction, { readonly kind: 'invalid' }>;

/** How many slots of eight bytes an instruction takes. */
export function slotsOf(instruction: DecodedInstruction): 1 | 2 {
  if (instruction.kind === 'invalid') return instruction.slots;
  return instruction.kind === 'load-immediate' ? 2 : 1;
}
