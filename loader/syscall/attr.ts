import type { SyscallBuffer } from '../agent/connection.ts';

/** What a pointer in an attribute points to; null for a NULL pointer. */
export type Pointer = SyscallBuffer | null;

/** Bytes that a pointer in an attribute points to, for reading by the kernel. */
export function input(bytes: Uint8Array): SyscallBuffer {
  return { bytes, direction: 'in' };
}

/** Room of `length` bytes for the kernel to write to. */
export function output(length: number): SyscallBuffer {
  return { bytes: new Uint8Array(length), direction: 'out' };
}

/** A string with its final zero byte. */
export function cstring(text: string): SyscallBuffer {
  return input(new TextEncoder().encode(`${text}\0`));
}

/** A name as the kernel takes it for maps and programs: 15 bytes of letters, digits, `_` and `.` (BPF_OBJ_NAME_LEN, bpf_obj_name_cpy). */
export function objectName(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(name.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 15)));
  return bytes;
}

/**
 * Writes one variant of `union bpf_attr` (include/uapi/linux/bpf.h) field after field, little-endian. What was written is cut
 * after the last field that says something: a kernel refuses bytes beyond those it knows unless they are zero (E2BIG, bpf_check_uarg_tail_zero).
 */
export class AttrWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #said = 0;
  readonly #pointers: { offset: number; to: SyscallBuffer }[] = [];

  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    return this.#advance(4, value !== 0);
  }

  u64(value: bigint): this {
    this.#view.setBigUint64(this.#at, value, true);
    return this.#advance(8, value !== 0n);
  }

  bytes(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#at);
    return this.#advance(
      bytes.length,
      bytes.some((byte) => byte !== 0),
    );
  }

  /** A 64-bit pointer (`__aligned_u64`). */
  pointer(to: Pointer): this {
    if (to !== null) this.#pointers.push({ offset: this.#at, to });
    return this.#advance(8, to !== null);
  }

  /** The attribute for a call; `whole` keeps trailing zeroes, where the kernel writes answers into them. */
  finish(options: { readonly whole?: boolean } = {}): SyscallBuffer {
    const length = options.whole === true ? this.#at : Math.ceil(this.#said / 4) * 4;
    return { bytes: this.#bytes.slice(0, length), direction: 'inout', pointers: this.#pointers };
  }

  #advance(length: number, says: boolean): this {
    this.#at += length;
    if (says) this.#said = this.#at;
    return this;
  }
}
