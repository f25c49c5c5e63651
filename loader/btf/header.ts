import type { ByteOrder } from '../bytes.ts';
import { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import type { KindLayout } from './kinds.ts';

/** What `struct btf_header` says, as views into the blob. */
export interface BtfHeader {
  readonly byteOrder: ByteOrder;
  /** The type section. */
  readonly types: Uint8Array;
  /** Where the type section lies in the blob, for messages. */
  readonly typesOffset: number;
  readonly strings: Uint8Array;
  /** Sizes of kinds by number, from the layout section (Linux 7.2 and later); null if the blob has none. */
  readonly layout: readonly KindLayout[] | null;
}

/**
 * Reads and checks the header of a BTF blob: `struct btf_header` of `include/uapi/linux/btf.h`, 24 bytes, or 32 with the
 * layout section, or more in some future. All its offsets count from the header's end, so its length is honoured.
 * `split`: split BTF may have no strings of its own. Throws {@link FormatError}.
 */
export function readBtfHeader(bytes: Uint8Array, where: string, split: boolean): BtfHeader {
  const refuse = (code: string, what: string, offset: number, why: string): never => {
    throw new FormatError(code, what, { section: '.BTF', offset }, { where, why });
  };
  if (bytes.length < SMALLEST_HEADER) {
    return refuse(
      'btf-truncated',
      'the BTF header is cut off',
      bytes.length,
      `it takes at least ${SMALLEST_HEADER} bytes, there are ${bytes.length}`,
    );
  }
  const byteOrder = readMagic(bytes);
  if (byteOrder === undefined) {
    return refuse('btf-magic', 'not BTF', 0, 'it does not start with the magic number 0xeb9f');
  }
  const reader = new ByteReader(bytes, byteOrder, '.BTF').seek(2);
  const version = reader.u8();
  const flags = reader.u8();
  if (version !== 1 || flags !== 0) {
    return refuse(
      'btf-version',
      `BTF version ${version} with flags ${flags}`,
      2,
      'only version 1 without flags is known',
    );
  }
  const headerLength = reader.u32();
  if (headerLength < SMALLEST_HEADER || headerLength > bytes.length) {
    return refuse(
      'btf-header-length',
      `a BTF header of ${headerLength} bytes`,
      4,
      `it takes ${SMALLEST_HEADER} bytes or more, of ${bytes.length}`,
    );
  }
  const part = (what: string): { data: Uint8Array; offset: number } => {
    const offset = headerLength + reader.u32();
    const length = reader.u32();
    if (offset + length > bytes.length) {
      return refuse(
        'btf-truncated',
        `the ${what} section lies outside of the BTF`,
        reader.position - 8,
        `${length} bytes at offset ${offset}, there are ${bytes.length}`,
      );
    }
    return { data: bytes.subarray(offset, offset + length), offset };
  };
  const types = part('type');
  const strings = part('string');
  const layout = headerLength >= HEADER_WITH_LAYOUT ? part('layout') : { data: new Uint8Array(0), offset: 0 };
  if ((types.offset - headerLength) % 4 !== 0) {
    return refuse('btf-unaligned', 'the type section is not aligned', 8, 'its offset is no multiple of 4');
  }
  const bare = strings.data.length === 0 && split;
  if (!bare && (strings.data.at(-1) !== 0 || (!split && strings.data[0] !== 0))) {
    return refuse(
      'btf-strings',
      'the string section is damaged',
      strings.offset,
      'it must start with an empty string and end with a NUL byte',
    );
  }
  return {
    byteOrder,
    types: types.data,
    typesOffset: types.offset,
    strings: strings.data,
    layout: layout.data.length === 0 ? null : readLayout(layout.data),
  };
}

const SMALLEST_HEADER = 24;
const HEADER_WITH_LAYOUT = 32;
const LAYOUT_ENTRY = 4;

function readMagic(bytes: Uint8Array): ByteOrder | undefined {
  if (bytes[0] === 0x9f && bytes[1] === 0xeb) {
    return 'little';
  }
  return bytes[0] === 0xeb && bytes[1] === 0x9f ? 'big' : undefined;
}

/** `struct btf_layout`: a byte each for `info_sz` and `elem_sz`, then 16 bits of flags without a meaning so far. */
function readLayout(bytes: Uint8Array): KindLayout[] {
  return Array.from({ length: Math.floor(bytes.length / LAYOUT_ENTRY) }, (_, kind) => ({
    once: bytes[kind * LAYOUT_ENTRY] ?? 0,
    each: bytes[kind * LAYOUT_ENTRY + 1] ?? 0,
  }));
}
