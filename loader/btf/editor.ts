import { ByteWriter } from '../bytes.ts';
import { ExplainedError } from '../errors.ts';
import type { Btf, TypeId } from './btf.ts';
import { frameBtf } from './builder.ts';
import { readBtfHeader } from './header.ts';
import { BTF_KINDS, decodeInfo, encodeInfo, type TypeInfo } from './kinds.ts';
import { indexTypes } from './type-index.ts';
import type { BtfKind } from './types.ts';

/** `struct btf_type`: where its three words lie, and where what follows it begins. */
export const NAME = 0;
const INFO = 4;
export const SIZE_OR_TYPE = 8;
export const AFTER = 12;

/**
 * A copy of an object's BTF to be changed in place: types keep their ids, strings their offsets, and what is added goes
 * to the end. Fields are addressed by type id and byte offset within the type.
 */
export class BtfEditor {
  readonly #btf: Btf;
  readonly #types: ByteWriter;
  readonly #strings: ByteWriter;
  /** By id: offset of the type. */
  readonly #offsets: number[] = [0];
  readonly #added = new Map<string, number>();
  readonly #addedText = new Map<number, string>();

  /** Throws {@link ExplainedError} for split BTF and for kinds that this version does not know. */
  constructor(btf: Btf) {
    const header = readBtfHeader(btf.bytes, btf.name, btf.base !== null);
    const index = indexTypes(header, btf.name);
    const unknown = index.kinds.find((kind) => kind >= BTF_KINDS.length);
    if (btf.base !== null || unknown !== undefined) {
      throw new ExplainedError('btf-not-editable', 'this BTF cannot be rewritten for a kernel', {
        where: btf.name,
        why: unknown === undefined ? 'it is split BTF' : `it has types of the unknown kind ${unknown}`,
      });
    }
    this.#btf = btf;
    this.#offsets.push(...index.offsets);
    this.#types = new ByteWriter(btf.byteOrder).bytes(header.types);
    this.#strings = new ByteWriter(btf.byteOrder).bytes(header.strings);
  }

  /** One past the last id, added types included. */
  get endId(): TypeId {
    return this.#offsets.length;
  }

  /** Kind, vlen and kind flag as they stand now. */
  info(id: TypeId): TypeInfo {
    return decodeInfo(this.get(id, INFO));
  }

  kind(id: TypeId): BtfKind {
    return BTF_KINDS[this.info(id).kind] ?? 'void';
  }

  setInfo(id: TypeId, kind: BtfKind, vlen: number, kindFlag = false): void {
    this.set(id, INFO, encodeInfo(kind, vlen, kindFlag));
  }

  get(id: TypeId, offset: number): number {
    return this.#types.getU32((this.#offsets[id] ?? 0) + offset);
  }

  set(id: TypeId, offset: number, value: number): void {
    this.#types.setU32((this.#offsets[id] ?? 0) + offset, value);
  }

  name(id: TypeId): string {
    const offset = this.get(id, NAME);
    return this.#addedText.get(offset) ?? this.#btf.string(offset);
  }

  /** The offset of a string, which is added if it was not added before. */
  string(text: string): number {
    const known = this.#added.get(text);
    if (known !== undefined) {
      return known;
    }
    const offset = this.#strings.position;
    this.#strings.cstring(text);
    this.#added.set(text, offset);
    this.#addedText.set(offset, text);
    return offset;
  }

  /** Adds an INT that takes all bits of its bytes. */
  addInt(name: string, size: number, signed: boolean): TypeId {
    return this.#add(name, encodeInfo('int', 0), size, ((signed ? 1 : 0) << 24) | (size * 8));
  }

  /** Adds a VAR of global linkage. */
  addVar(name: string, type: TypeId): TypeId {
    return this.#add(name, encodeInfo('var', 0), type, 1);
  }

  /** The blob with the header of 24 bytes that every kernel knows. */
  finish(): Uint8Array {
    const types = this.#types.finish();
    const strings = this.#strings.finish();
    return frameBtf(this.#btf.byteOrder, types, strings);
  }

  #add(name: string, info: number, sizeOrType: number, word: number): TypeId {
    const id = this.endId;
    this.#offsets.push(this.#types.position);
    this.#types.u32(this.string(name)).u32(info).u32(sizeOrType).u32(word);
    return id;
  }
}
