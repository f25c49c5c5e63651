import type { Btf } from '../btf/btf.ts';
import type { TypeId } from '../btf/types.ts';
import type { KconfigSpec, MapSpec } from './spec.ts';

/** The section that `__kconfig` puts externs into; no ELF section bears the name, only a DATASEC of the BTF. */
export const KCONFIG_SECTION = '.kconfig';

/** What a `__kconfig` extern may hold (find_kcfg_type in libbpf's `src/libbpf.c`). */
export type KconfigType =
  /** `_Bool` of one byte. */
  | { readonly kind: 'bool' }
  /** `enum libbpf_tristate`. */
  | { readonly kind: 'tristate'; readonly size: number }
  /** An integer of one byte: a character, or a number. */
  | { readonly kind: 'char'; readonly signed: boolean }
  /** Size in bytes: 2, 4 or 8. */
  | { readonly kind: 'int'; readonly size: number; readonly signed: boolean }
  /** `char[length]`. */
  | { readonly kind: 'string'; readonly length: number };

/** What a type can hold of a configuration; null for types that no value is written to. */
export function kconfigType(btf: Btf, typeId: TypeId): KconfigType | null {
  const type = btf.resolve(typeId);
  switch (type.kind) {
    case 'int':
      if (type.bool) return type.size === 1 ? { kind: 'bool' } : null;
      if (type.size === 1) return { kind: 'char', signed: type.signed };
      return [2, 4, 8].includes(type.size) ? { kind: 'int', size: type.size, signed: type.signed } : null;
    case 'enum':
    case 'enum64': {
      const tristate = type.name === 'libbpf_tristate' && (type.size === 4 || type.size === 8);
      return tristate ? { kind: 'tristate', size: type.size } : null;
    }
    case 'array':
      // Damaged BTF may have arrays of each other without end.
      if (type.length === 0 || btf.resolve(type.type).kind !== 'int') return null;
      if (kconfigType(btf, type.type)?.kind !== 'char') return null;
      return { kind: 'string', length: type.length };
    default:
      return null;
  }
}

/** Bytes that a value of the type takes. */
export function kconfigSize(type: KconfigType): number {
  switch (type.kind) {
    case 'bool':
    case 'char':
      return 1;
    case 'string':
      return type.length;
    default:
      return type.size;
  }
}

/** Names and types of externs, not yet laid out. */
export type KconfigExtern = Omit<KconfigSpec, 'offset' | 'size'> & { readonly type: KconfigType };

/**
 * Gives each extern its place in the map: by falling alignment, then by rising size, then by name, each at the next multiple of its
 * alignment (cmp_externs and bpf_object__collect_externs in libbpf's `src/libbpf.c`).
 */
export function layOutKconfig(externs: readonly KconfigExtern[]): KconfigSpec[] {
  const measured = externs.map(({ type, ...rest }) => {
    const size = kconfigSize(type);
    return { ...rest, size, align: type.kind === 'string' ? 1 : size };
  });
  measured.sort((a, b) => b.align - a.align || a.size - b.size || (a.name < b.name ? -1 : 1));
  let end = 0;
  return measured.map(({ align, ...rest }) => {
    const offset = Math.ceil(end / align) * align;
    end = offset + rest.size;
    return { ...rest, offset };
  });
}

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_F_RDONLY_PROG = 1 << 7;

/** The map that holds the externs' values: read-only and frozen, so that the verifier prunes what a configuration rules out. None without externs. */
export function kconfigMaps(kconfig: readonly KconfigSpec[], btf: Btf | null): MapSpec[] {
  const last = kconfig.at(-1);
  if (last === undefined) return [];
  const valueSize = last.offset + last.size;
  return [
    {
      name: KCONFIG_SECTION,
      type: BPF_MAP_TYPE_ARRAY,
      keySize: 4,
      valueSize,
      maxEntries: 1,
      flags: BPF_F_RDONLY_PROG,
      keyTypeId: null,
      valueTypeId: btf?.find(KCONFIG_SECTION, 'datasec')?.id ?? null,
      data: new Uint8Array(valueSize),
      frozen: true,
    },
  ];
}
