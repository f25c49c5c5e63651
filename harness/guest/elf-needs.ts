import { ByteReader } from '../../loader/bytes.ts';
import { FormatError } from '../../loader/errors.ts';

/** What a program or library needs to be started by the dynamic loader (gABI chapter 5, ld.so(8)). */
export interface ElfNeeds {
  /** `e_machine`. */
  readonly machine: number;
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** The dynamic loader, from PT_INTERP; null for a static program or a library. */
  readonly interpreter: string | null;
  /** DT_NEEDED: names of libraries, or paths if they hold a slash. */
  readonly needed: readonly string[];
  /** DT_RUNPATH: folders for the libraries of this file alone. Null if there is none, which makes DT_RPATH count. */
  readonly runpath: readonly string[] | null;
  /** DT_RPATH: folders for the libraries of this file and of those it brings in. */
  readonly rpath: readonly string[];
}

/** `e_machine` of x86-64. */
export const EM_X86_64 = 62;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;
const HEADER_SIZE = 64;
const ENTRY_SIZE = 56;

/** Whether bytes begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * Reads from the program headers what a file needs; section headers, which a stripped file may lack, are not looked at. A 32-bit file is
 * recognised and not read further.
 * @throws FormatError `out-of-range` and others, for a file that is cut off or contradicts itself
 */
export function readElfNeeds(bytes: Uint8Array, name: string): ElfNeeds {
  const bits = bytes[4] === 1 ? 32 : 64;
  const order = bytes[5] === 2 ? 'big' : 'little';
  const file = new ByteReader(bytes, order, name);
  const machine = file.seek(18).u16();
  const nothing: ElfNeeds = { machine, bits, interpreter: null, needed: [], runpath: null, rpath: [] };
  if (bits === 32 || bytes.length < HEADER_SIZE) return nothing;
  const segments = readSegments(file);
  const interpreter = segments.find((segment) => segment.type === PT_INTERP);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  return {
    ...nothing,
    interpreter: interpreter === undefined ? null : file.seek(interpreter.offset).cstring(),
    ...(dynamic === undefined ? {} : readDynamic(file, dynamic, segments)),
  };
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
}

/** Elf64_Phdr, as many as e_phnum says. */
function readSegments(file: ByteReader): Segment[] {
  const offset = toNumber(file.seek(32).u64(), file);
  const size = file.seek(54).u16();
  const count = file.u16();
  if (count > 0 && size < ENTRY_SIZE) {
    throw new FormatError('elf-program-header-size', `program headers of ${size} bytes`, file.at(54));
  }
  return Array.from({ length: count }, (_, index) => {
    const type = file.seek(offset + index * size).u32();
    file.skip(4);
    const fileOffset = toNumber(file.u64(), file);
    const address = file.u64();
    file.skip(8);
    return { type, offset: fileOffset, address, fileSize: toNumber(file.u64(), file) };
  });
}

function readDynamic(
  file: ByteReader,
  dynamic: Segment,
  segments: readonly Segment[],
): Pick<ElfNeeds, 'needed' | 'runpath' | 'rpath'> {
  const entries: { readonly tag: bigint; readonly value: bigint }[] = [];
  file.seek(dynamic.offset);
  for (let read = 0; read + 16 <= dynamic.fileSize; read += 16) {
    const entry = { tag: file.u64(), value: file.u64() };
    if (entry.tag === DT_NULL) break;
    entries.push(entry);
  }
  const table = entries.find(({ tag }) => tag === DT_STRTAB)?.value;
  if (table === undefined) return { needed: [], runpath: null, rpath: [] };
  const strings = fileOffsetOf(table, segments, file);
  const textsOf = (wanted: bigint): string[] =>
    entries
      .filter(({ tag }) => tag === wanted)
      .map(({ value }) => file.seek(strings + toNumber(value, file)).cstring());
  const folders = (texts: readonly string[]): string[] => texts.flatMap((text) => text.split(':'));
  const runpath = textsOf(DT_RUNPATH);
  return {
    needed: textsOf(DT_NEEDED),
    runpath: runpath.length === 0 ? null : folders(runpath),
    rpath: folders(textsOf(DT_RPATH)),
  };
}

/** Where in the file lies what will be at an address in memory. */
function fileOffsetOf(address: bigint, segments: readonly Segment[], file: ByteReader): number {
  const holder = segments.find(
    (one) => one.type === PT_LOAD && address >= one.address && address < one.address + BigInt(one.fileSize),
  );
  if (holder !== undefined) return holder.offset + Number(address - holder.address);
  throw new FormatError('elf-address-unmapped', 'the dynamic section points outside of the file', file.at(0), {
    why: `no segment holds address 0x${address.toString(16)}`,
  });
}

function toNumber(value: bigint, file: ByteReader): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new FormatError('out-of-range', `an offset of 0x${value.toString(16)}`, file.at(0));
}
