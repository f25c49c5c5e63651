import { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import type { Btf, TypeId } from './btf.ts';
import { type LineInfo, LineRecords, refuseOffset } from './line-records.ts';

export type { LineInfo } from './line-records.ts';

/** A function's start and its FUNC (`struct bpf_func_info`). */
export interface FunctionInfo {
  /** Instruction slot (8 bytes each) in its ELF section. */
  readonly slot: number;
  readonly typeId: TypeId;
}

/** A CO-RE relocation (`struct bpf_core_relo`). */
export interface CoreRelocation {
  /** Instruction slot (8 bytes each) in its ELF section. */
  readonly slot: number;
  /** The local type that the access starts from. */
  readonly typeId: TypeId;
  /** For example `0:1:2`: which member of which member. */
  readonly accessString: string;
  /** `enum bpf_core_relo_kind`. */
  readonly kind: number;
}

/** The content of `.BTF.ext`, by ELF section, in file order; lines ascend by slot. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly FunctionInfo[]>;
  /** Made when first asked for, from {@link BtfExt.lineRecords}. */
  readonly lines: ReadonlyMap<string, readonly LineInfo[]>;
  /** The same, read where they are needed: an object has more lines than anything else. */
  readonly lineRecords: ReadonlyMap<string, LineRecords>;
  readonly coreRelocations: ReadonlyMap<string, readonly CoreRelocation[]>;
}

/**
 * Parses `.BTF.ext` (layout in the kernel's Documentation/bpf/btf.rst and libbpf's src/libbpf_internal.h) against the BTF of
 * the same object. Instruction offsets there are bytes; here they are slots. Records longer than known are read as far as known.
 * Throws {@link FormatError}.
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const reader = new ByteReader(bytes, btf.byteOrder, '.BTF.ext');
  const magic = reader.u16();
  const version = reader.u8();
  const flags = reader.u8();
  if (magic !== 0xeb9f || version !== 1 || flags !== 0) {
    throw new FormatError('btf-ext-header', 'not BTF.ext of a known version', reader.at(0), {
      where: btf.name,
      why: `magic 0x${magic.toString(16)}, version ${version}, flags ${flags} in ${btf.byteOrder}-endian order`,
    });
  }
  const headerLength = reader.u32();
  if (headerLength < SMALLEST_HEADER || headerLength > bytes.length) {
    throw new FormatError('btf-ext-header', `a BTF.ext header of ${headerLength} bytes`, reader.at(4), {
      where: btf.name,
      why: `it takes ${SMALLEST_HEADER} bytes or more, of ${bytes.length}`,
    });
  }
  const part = (): ByteReader => {
    const offset = headerLength + reader.u32();
    return reader.sub(offset, reader.u32());
  };
  // `sub` moves the reader, so each pair of offset and length is read at its own place.
  const partAt = (position: number): ByteReader => {
    reader.seek(position);
    return part();
  };
  const functions = readRecords(partAt(8), 8, btf, (record) => ({
    slot: readSlot(record),
    typeId: readTypeId(record, btf),
  }));
  const lineRecords = readLineRecords(partAt(16), btf);
  const coreRelocations =
    headerLength < HEADER_WITH_CORE
      ? new Map<string, CoreRelocation[]>()
      : readRecords(partAt(24), 16, btf, (record) => ({
          slot: readSlot(record),
          typeId: readTypeId(record, btf),
          accessString: btf.string(record.u32()),
          kind: record.u32(),
        }));
  let lines: Map<string, LineInfo[]> | undefined;
  return {
    functions,
    lineRecords,
    get lines() {
      lines ??= new Map([...lineRecords].map(([section, records]) => [section, records.all()]));
      return lines;
    },
    coreRelocations,
  };
}

const SMALLEST_HEADER = 24;
const HEADER_WITH_CORE = 32;

function readRecords<T>(
  part: ByteReader,
  knownSize: number,
  btf: Btf,
  read: (record: ByteReader) => T,
): Map<string, T[]> {
  const sections = new Map<string, T[]>();
  eachSection(part, knownSize, btf, (section, start, count, size) => {
    const records = sections.get(section) ?? [];
    for (let index = 0; index < count; index += 1) {
      records.push(read(part.seek(start + index * size)));
    }
    sections.set(section, records);
  });
  return sections;
}

function readLineRecords(part: ByteReader, btf: Btf): Map<string, LineRecords> {
  const sections = new Map<string, LineRecords>();
  const bytes = part.bytes(part.length);
  eachSection(part.seek(0), 16, btf, (section, start, count, size) => {
    const records = LineRecords.read(bytes.subarray(start, start + count * size), size, btf, part.at(start));
    const before = sections.get(section);
    sections.set(section, before === undefined ? records : before.concat(records));
  });
  return sections;
}

/** A part is: the size of a record, then per ELF section its name, the number of records, and the records. */
function eachSection(
  part: ByteReader,
  knownSize: number,
  btf: Btf,
  take: (section: string, start: number, count: number, size: number) => void,
): void {
  if (part.length === 0) return;
  const size = part.u32();
  if (size < knownSize || size % 4 !== 0) {
    throw new FormatError('btf-ext-record', `records of ${size} bytes`, part.at(0), {
      where: btf.name,
      why: `they take ${knownSize} bytes or more, in multiples of 4`,
    });
  }
  while (part.remaining > 0) {
    const section = btf.string(part.u32());
    const count = part.u32();
    const start = part.position;
    if (count * size > part.remaining) {
      throw new FormatError('btf-ext-record', `${count} records for section ${section}`, part.at(start - 4), {
        where: btf.name,
        why: `they take ${count * size} bytes, ${part.remaining} are left`,
      });
    }
    take(section, start, count, size);
    part.seek(start + count * size);
  }
}

function readSlot(record: ByteReader): number {
  const offset = record.u32();
  return offset % 8 === 0 ? offset / 8 : refuseOffset(offset, record.at(record.position - 4));
}

function readTypeId(record: ByteReader, btf: Btf): TypeId {
  const id = record.u32();
  if (id >= btf.endId) {
    throw new FormatError('btf-type-id', `BTF.ext refers to type ${id}`, record.at(record.position - 4), {
      where: btf.name,
      why: `ids end at ${btf.endId}`,
    });
  }
  return id;
}
