import { ByteWriter } from '../../bytes.ts';

/** A type as `struct btf_type` has it: `name` is text; `words` is what follows. */
export interface RawType {
  readonly name?: string;
  readonly kind: number;
  readonly vlen?: number;
  readonly kindFlag?: boolean;
  readonly sizeOrType?: number;
  /** Numbers as they are; a string becomes the offset of that string. */
  readonly words?: readonly (number | string)[];
}

/** Numbers of `include/uapi/linux/btf.h`, written down here a second time so that a mistake in the parser's table shows. */
export const KIND = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  fwd: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  var: 14,
  datasec: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** An `int` of four bytes. */
export const INT: RawType = { name: 'int', kind: KIND.int, sizeOrType: 4, words: [(1 << 24) | 32] };

/** Writes a BTF blob by hand, with the header length, the byte order and the layout section of choice. */
export function btfBlob(
  types: readonly RawType[],
  options: {
    readonly byteOrder?: 'little' | 'big';
    readonly headerLength?: number;
    /** Per kind: bytes that follow once, bytes that follow vlen times. */
    readonly layout?: readonly (readonly [number, number])[];
    /** Size of the strings of the base, for split BTF. */
    readonly baseStrings?: number;
  } = {},
): Uint8Array {
  const { byteOrder = 'little', headerLength = 24, layout = [], baseStrings } = options;
  const strings = new ByteWriter('little');
  const known = new Map<string, number>();
  const stringOffset = (text: string): number => {
    const offset = known.get(text) ?? strings.position + (baseStrings ?? 0);
    if (!known.has(text)) {
      known.set(text, offset);
      strings.cstring(text);
    }
    return offset;
  };
  if (baseStrings === undefined) {
    stringOffset('');
  }
  const body = new ByteWriter(byteOrder);
  for (const { name, kind, vlen = 0, kindFlag = false, sizeOrType = 0, words = [] } of types) {
    body.u32(name === undefined ? 0 : stringOffset(name));
    body.u32(((kindFlag ? 1 : 0) * 2 ** 31 + kind * 2 ** 24 + vlen) >>> 0).u32(sizeOrType);
    for (const word of words) {
      body.u32(typeof word === 'string' ? stringOffset(word) : word >>> 0);
    }
  }
  const layoutOffset = body.position;
  for (const [once, each] of layout) {
    body.u8(once).u8(each).u16(0);
  }
  const header = new ByteWriter(byteOrder).u16(0xeb9f).u8(1).u8(0).u32(headerLength);
  header.u32(0).u32(layoutOffset).u32(body.position).u32(strings.position);
  if (headerLength >= 32) {
    header.u32(layout.length === 0 ? 0 : layoutOffset).u32(layout.length * 4);
  }
  header.bytes(new Uint8Array(headerLength - header.position).fill(0xee));
  return header.bytes(body.finish()).bytes(strings.finish()).finish();
}
