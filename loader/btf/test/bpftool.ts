import { existsSync, readdirSync } from 'node:fs';
import { run } from '../../elf/test/compile.ts';
import type { Btf } from '../btf.ts';
import type { BtfType } from '../types.ts';

/** What `bpftool btf dump file … -j` says of each type, in our words where it uses others. */
export function bpftoolTypes(path: string): unknown[] {
  const dump: { types: Record<string, unknown>[] } = JSON.parse(run(bpftool(), ['btf', 'dump', 'file', path, '-j']));
  return dump.types.map((type) => JSON.parse(JSON.stringify(type).replaceAll('"(anon)"', '""')));
}

/** Structs, unions and enums with a name, and typedefs, as `bpftool btf dump file … format c` defines them, by `struct NAME` or `NAME`. */
export function bpftoolDefinitions(path: string): Map<string, string> {
  const text = run(bpftool(), ['btf', 'dump', 'file', path, 'format', 'c']);
  const tagged = [...text.matchAll(/^((?:struct|union|enum) \w+) \{(?:\}|[\s\S]*?^\})[^\n]*;/gm)];
  const typedefs = [...text.matchAll(/^typedef .*?(\w+)(?:\)\(.*\))?;$/gm)];
  return new Map([...tagged, ...typedefs].map(([definition, name = '']) => [name, definition]));
}

/** All types of a BTF, in the form of {@link bpftoolTypes}. */
export function ourTypes(btf: Btf): unknown[] {
  return [...btf.types()].map((type) => ({
    id: type.id,
    kind: type.kind.toUpperCase(),
    name: type.name,
    ...fields(type, btf),
  }));
}

function fields(type: BtfType, btf: Btf): Record<string, unknown> {
  switch (type.kind) {
    case 'int': {
      const encoding = type.signed ? 'SIGNED' : type.char ? 'CHAR' : type.bool ? 'BOOL' : '(none)';
      return { size: type.size, bits_offset: type.bitOffset, nr_bits: type.bits, encoding };
    }
    case 'ptr':
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'type_tag':
      return { type_id: type.type };
    case 'array':
      return { type_id: type.type, index_type_id: type.indexType, nr_elems: type.length };
    case 'struct':
    case 'union':
      return {
        size: type.size,
        vlen: type.members.length,
        members: type.members.map(({ name, type: id, bitOffset, bitSize }) => ({
          name,
          type_id: id,
          bits_offset: bitOffset,
          ...(bitSize === 0 ? {} : { bitfield_size: bitSize }),
        })),
      };
    case 'enum':
    case 'enum64': {
      const values = type.values.map(({ name, value }) => ({ name, val: Number(value) }));
      return { size: type.size, encoding: type.signed ? 'SIGNED' : 'UNSIGNED', vlen: values.length, values };
    }
    case 'fwd':
      return { fwd_kind: type.union ? 'union' : 'struct' };
    case 'func':
    case 'var':
      return { type_id: type.type, linkage: type.linkage };
    case 'func_proto':
      return {
        ret_type_id: type.returnType,
        vlen: type.params.length,
        params: type.params.map(({ name, type: id }) => ({ name, type_id: id })),
      };
    case 'datasec':
      return {
        size: type.size,
        vlen: type.entries.length,
        vars: type.entries.map(({ type: id, offset, size }) => ({ type_id: id, offset, size })),
      };
    case 'float':
      return { size: type.size };
    case 'decl_tag':
      return { type_id: type.type, component_idx: type.componentIndex };
    case 'void':
      throw new Error(`void is no type of ${btf.name}`);
  }
}

/**
 * Ubuntu's /usr/sbin/bpftool only looks for the one that was built for the running kernel, and on a cloud's kernel there is none;
 * the real ones lie in folders of their own, and any of them will do for reading files.
 */
function bpftool(): string {
  const folders = existsSync('/usr/lib/linux-tools') ? readdirSync('/usr/lib/linux-tools') : [];
  const real = folders.map((folder) => `/usr/lib/linux-tools/${folder}/bpftool`).find((path) => existsSync(path));
  return real ?? 'bpftool';
}
