/** Machine code (x86-64) that takes the place of a function of a running kernel; see kernel-patch.ts. */

/** An instruction that is none: ud2. */
export const INVALID: Uint8Array = Uint8Array.from([0x0f, 0x0b]);

/** Writes to address 0: xor eax, eax; mov [rax], al. */
export const NULL_WRITE: Uint8Array = Uint8Array.from([0x31, 0xc0, 0x88, 0x00]);

/** Never returns: a jump to itself. */
export const SPIN: Uint8Array = Uint8Array.from([0xeb, 0xfe]);

/** The address of a function of the kernel. */
export type AddressOf = (name: string) => Promise<bigint>;

/** Sleeps for ten minutes, whatever signals come: mov edi, 600000; jmp msleep. */
export async function sleepingCode(at: bigint, addressOf: AddressOf): Promise<Uint8Array> {
  const code = Buffer.from([0xbf, 0, 0, 0, 0]);
  code.writeUInt32LE(600_000, 1);
  return Buffer.concat([code, branch(JUMP, at + BigInt(code.length), await addressOf('msleep'))]);
}

/** Panics: lea rdi, [rip + 5]; jmp panic; the text. */
export async function panickingCode(at: bigint, addressOf: AddressOf, text: string): Promise<Uint8Array> {
  const code = Buffer.from([0x48, 0x8d, 0x3d, 5, 0, 0, 0]);
  const jump = branch(JUMP, at + BigInt(code.length), await addressOf('panic'));
  return Buffer.concat([code, jump, Buffer.from(`${text}\0`)]);
}

/**
 * Code of a function that warns and returns 0, as WARN() does: it calls
 * `__warn("ktest.c", 42, <here>, TAINT_WARN, NULL, NULL)` (kernel/panic.c).
 */
export async function warningCode(at: bigint, addressOf: AddressOf): Promise<Uint8Array> {
  const start = Buffer.from([
    ...[0x48, 0xb8, ...Buffer.from('ktest.c\0')], // movabs rax, "ktest.c"
    ...[0x50, 0x48, 0x89, 0xe7], // push rax; mov rdi, rsp
    ...[0xbe, 42, 0, 0, 0], // mov esi, 42
    ...[0x48, 0x8d, 0x15, 0, 0, 0, 0], // lea rdx, [rip]
    ...[0xb9, 9, 0, 0, 0], // mov ecx, TAINT_WARN
    ...[0x45, 0x31, 0xc0, 0x45, 0x31, 0xc9], // xor r8d, r8d; xor r9d, r9d
  ]);
  const call = branch(CALL, at + BigInt(start.length), await addressOf('__warn'));
  return Buffer.concat([start, call, Buffer.from([0x31, 0xc0, 0x59, 0xc3])]); // xor eax, eax; pop rcx; ret
}

const CALL = 0xe8;
const JUMP = 0xe9;

/** A call or jump with a distance of 32 bits, which counts from its own end. */
function branch(opcode: typeof CALL | typeof JUMP, at: bigint, to: bigint): Uint8Array {
  const code = Buffer.alloc(5, opcode);
  code.writeInt32LE(Number(to - (at + BigInt(code.length))), 1);
  return code;
}
