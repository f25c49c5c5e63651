import { type DatasecLayout, datasecLayout } from '../btf/datasec-layout.ts';
import { decodeUtf8 } from '../bytes.ts';
import { ObjectError } from '../errors.ts';
import { readDataMaps, readVariables, withArenaData } from './data.ts';
import { readExterns } from './externs.ts';
import { readFunctions } from './functions.ts';
import { KCONFIG_SECTION, kconfigMaps } from './kconfig.ts';
import { readMaps } from './maps.ts';
import { type ObjectFile, readObjectFile } from './object-file.ts';
import { readPrograms } from './programs.ts';
import type { KconfigSpec, ObjectContent } from './spec.ts';
import { readStructOps } from './struct-ops.ts';

/**
 * Reads what a compiled BPF object says: programs with their subprograms, maps, variables and externs. Pure: needs no kernel.
 * Objects of either byte order are read; whether a machine can load one is for the load step to say.
 * @param bytes One ELF64 file as `clang -target bpf -O2 -g -c` writes it.
 * @param name Name for messages, usually the file's path.
 * @throws FormatError for damaged bytes; ObjectError, with section, symbol and instruction, for what cannot be loaded.
 */
export function parseObject(bytes: Uint8Array, name: string): ObjectContent {
  const file = readObjectFile(bytes, name);
  const functions = readFunctions(file);
  const { maps, names } = readMaps(file, functions);
  const { externs, kconfig } = readExterns(file);
  return {
    name,
    byteOrder: file.elf.byteOrder,
    license: readLicense(file),
    btf: file.btf,
    datasecLayout: layoutOf(file, kconfig),
    programs: readPrograms(file, { functions, externs, kconfig, mapNames: names }),
    maps: [
      ...withArenaData(maps, file),
      ...readStructOps(file),
      ...readDataMaps(file),
      ...kconfigMaps(kconfig, file.btf),
    ],
    variables: readVariables(file),
    externs,
    kconfig,
  };
}

/** Beside what ELF lays out, the places of `.kconfig`, which is no ELF section. */
function layoutOf(file: ObjectFile, kconfig: readonly KconfigSpec[]): DatasecLayout {
  const last = kconfig.at(-1);
  const layout = datasecLayout(file.elf);
  if (last === undefined) return layout;
  const offsets = new Map(kconfig.map(({ name, offset }) => [name, offset]));
  return new Map([...layout, [KCONFIG_SECTION, { size: last.offset + last.size, offsets }]]);
}

function readLicense(file: ObjectFile): string {
  const section = file.elf.sections.find((one) => one.name === 'license');
  if (section === undefined) return '';
  const end = section.data.indexOf(0);
  if (end === -1) {
    throw new ObjectError(
      'license-unterminated',
      'the licence has no end',
      { file: file.name, section: 'license' },
      {
        why: 'the kernel takes it as a string that ends in a zero byte',
        fix: 'Write char LICENSE[] SEC("license") = "GPL";',
      },
    );
  }
  return decodeUtf8(section.data.subarray(0, end));
}
