import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** A BPF object as it lies in a package. */
export interface FoundObject {
  /** Its file's name; of an object within a program the program's name, numbered if it has several. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** In hexadecimal. */
  readonly sha256: string;
}

/**
 * Every BPF object below a folder: files of their own, and what programs carry within them (libbpf's skeletons put the whole ELF file into their
 * data). Copies of an object that was found before are left out. In the order of paths.
 */
export async function findObjects(folder: string): Promise<FoundObject[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found: FoundObject[] = [];
  const names = new Set<string>();
  const digests = new Set<string>();
  for (const file of files.sort()) {
    for (const bytes of objectsIn(await readFile(file))) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (digests.has(sha256)) continue;
      digests.add(sha256);
      const name = freeName(basename(file).replace(/\.(?:bpf\.)?(?:o|elf)$/, ''), names);
      names.add(name);
      found.push({ name, bytes, sha256 });
    }
  }
  return found;
}

/** The BPF objects in a file's bytes: the file itself, or what is embedded in it. */
export function objectsIn(file: Buffer): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = file.indexOf(ELF64); at !== -1; at = file.indexOf(ELF64, at + 1)) {
    const size = sizeOfBpfObject(file.subarray(at));
    if (size === null) continue;
    found.push(at === 0 ? file : file.subarray(at, at + size));
    if (at === 0) break;
    at += size - 1;
  }
  return found;
}

/** `\x7fELF`, then ELFCLASS64. */
const ELF64 = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2]);
/** Offsets in `Elf64_Ehdr` (<elf.h>). */
const EI_DATA = 5;
const E_MACHINE = 18;
const E_SHOFF = 40;
const E_SHENTSIZE = 58;
const HEADER_SIZE = 64;
const EM_BPF = 247;

/** clang and libbpf's linker put the section table last, so it ends the object; null if this is no BPF object. */
function sizeOfBpfObject(bytes: Buffer): number | null {
  if (bytes.length < HEADER_SIZE) return null;
  const little = bytes[EI_DATA] === 1;
  const u16 = (offset: number): number => (little ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset));
  const u64 = (offset: number): bigint => (little ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset));
  if (u16(E_MACHINE) !== EM_BPF) return null;
  const end = Number(u64(E_SHOFF)) + u16(E_SHENTSIZE) * u16(E_SHENTSIZE + 2);
  // A header alone is an object of nothing, such as a program's that writes BPF objects.
  return end >= HEADER_SIZE && end <= bytes.length ? end : null;
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
}
