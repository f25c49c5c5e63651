import { ObjectError } from '../errors.ts';
import { mapTypeNumber } from './map-types.ts';
import type { ObjectFile } from './object-file.ts';
import type { MapSpec } from './spec.ts';

/** BPF_F_LINK (include/uapi/linux/bpf.h): the map is attached by a link. */
const BPF_F_LINK = 1 << 13;

/**
 * The operations that an object implements: each variable of `.struct_ops` or `.struct_ops.link` is one map of type `struct_ops`
 * (init_struct_ops_maps in libbpf's `src/libbpf.c`). They can be looked at; loading them is refused by {@link refuseStructOps}.
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
function readMembers(
  file: ObjectFile,
  section: ElfSection,
  variable: ElfSymbol,
  typeId: TypeId | null,
): StructOpsSpec {
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

/** The refusal to load one: code `struct-ops-unsupported`. */
export function refuseStructOps(position: { file: string; section?: string; symbol: string }): ObjectError {
  return new ObjectError('struct-ops-unsupported', 'struct_ops cannot be loaded', position, {
    why: 'its programs replace functions of a kernel’s struct, which takes a conversion to that kernel’s layout that this loader does not make',
    fix: 'Load it with `bpftool struct_ops register`, or name the programs to load without it.',
  });
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
