import type { TypeId } from '../btf/types.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import { mapTypeNumber } from './map-types.ts';
import type { ObjectFile } from './object-file.ts';
import type { MapSpec, ObjectContent, StructOpsSpec } from './spec.ts';

/** BPF_F_LINK (include/uapi/linux/bpf.h): the map is attached by a link. */
const BPF_F_LINK = 1 << 13;

/**
 * The operations that an object implements: each variable of `.struct_ops` or `.struct_ops.link` is one map of type `struct_ops`
 * (init_struct_ops_maps in libbpf's `src/libbpf.c`).
 */
export function readStructOps(file: ObjectFile): MapSpec[] {
  return file.elf.sections
    .filter(({ name }) => isStructOpsSection(name))
    .flatMap((section) =>
      file.elf.symbols
        .filter((symbol) => symbol.sectionIndex === section.index && symbol.type === 'object')
        .sort((a, b) => Number(a.value - b.value))
        .map((symbol) => {
          const valueTypeId = typeOf(file, section.name, symbol.name);
          return {
            name: symbol.name,
            type: mapTypeNumber('struct_ops'),
            keySize: 4,
            valueSize: symbol.size,
            maxEntries: 1,
            flags: section.name.endsWith('.link') ? BPF_F_LINK : 0,
            keyTypeId: null,
            valueTypeId,
            data: null,
            frozen: false,
            structOps: readMembers(file, section, symbol, valueTypeId),
            ...(section.name.startsWith('?') ? { autocreate: false } : {}),
          };
        }),
    );
}

/** Which members the object assigns programs to: relocations in the variable against functions (bpf_object__collect_st_ops_relos in libbpf's src/libbpf.c). */
function readMembers(file: ObjectFile, section: ElfSection, variable: ElfSymbol, typeId: TypeId | null): StructOpsSpec {
  const type = typeId === null ? undefined : file.btf?.resolve(typeId);
  if (type?.kind !== 'struct') return { type: '', members: [] };
  const start = Number(variable.value);
  const members = (file.relocations.get(section.index) ?? []).flatMap(({ offset, symbol }) => {
    const bits = (offset - start) * 8;
    const member = type.members.find((one) => one.bitOffset === bits);
    return member === undefined || symbol.type !== 'func' ? [] : [{ name: member.name, program: symbol.name }];
  });
  return { type: type.name, members };
}

/** The maps that name a program, each with the member that it is to implement. */
export function usersOf(program: string, spec: ObjectContent): (readonly [MapSpec, StructOpsSpec, string])[] {
  return spec.maps.flatMap((map) =>
    (map.structOps?.members ?? [])
      .filter((member) => member.program === program)
      .flatMap(({ name }) => (map.structOps === undefined ? [] : [[map, map.structOps, name] as const])),
  );
}

function isStructOpsSection(name: string): boolean {
  return /^\??\.struct_ops(\.link)?$/.test(name);
}

function typeOf(file: ObjectFile, section: string, variable: string): number | null {
  for (const entry of file.btf?.find(section, 'datasec')?.entries ?? []) {
    const type = file.btf?.type(entry.type);
    if (type?.kind === 'var' && type.name === variable) return type.type;
  }
  return null;
}
