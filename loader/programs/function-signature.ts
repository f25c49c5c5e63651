import type { Btf } from '../btf/btf.ts';
import type { FuncProtoType, TypeId } from '../btf/types.ts';

/**
 * A function's declaration as `bpftool prog dump` writes it above the function's instructions: `int prog(void * ctx)` (btf_dumper_type_only, tools/bpf/bpftool/btf_dumper.c).
 * Empty where bpftool writes nothing either. For C, there is `printDeclaration`.
 * @throws FormatError for damaged BTF.
 */
export function functionSignature(btf: Btf, typeId: TypeId): string {
  const text = typeText(btf, typeId, 0) ?? '';
  return text.length < LONGEST ? text : '';
}

/** bpftool has room for no more. */
const LONGEST = 1024;

/** Types that refer to one another without end are no types; C's own declarators end at 12. */
const DEEPEST = 32;

function typeText(btf: Btf, typeId: TypeId, depth: number): string | undefined {
  if (typeId === 0) return 'void ';
  if (depth > DEEPEST) return undefined;
  const type = btf.type(typeId);
  const inner = (id: TypeId): string | undefined => typeText(btf, id, depth + 1);
  const around = (before: string, id: TypeId, after: string): string | undefined => {
    const text = inner(id);
    return text === undefined ? undefined : before + text + after;
  };
  switch (type.kind) {
    case 'int':
    case 'typedef':
    case 'float':
      return `${type.name} `;
    case 'struct':
    case 'union':
      return `${type.kind} ${type.name} `;
    case 'fwd':
      return `${type.union ? 'union' : 'struct'} ${type.name} `;
    case 'enum':
    case 'enum64':
      return `enum ${type.name} `;
    case 'array':
      return around('', type.type, `[${type.length}]`);
    case 'ptr':
      return around('', type.type, '* ');
    case 'volatile':
    case 'const':
    case 'restrict':
      return around(`${type.kind} `, type.type, '');
    case 'func_proto':
      return protoText(btf, type, '', depth);
    case 'func': {
      const proto = btf.type(type.type);
      return proto.kind === 'func_proto' ? protoText(btf, proto, type.name, depth) : undefined;
    }
    default:
      return undefined;
  }
}

function protoText(btf: Btf, proto: FuncProtoType, name: string, depth: number): string | undefined {
  let text = typeText(btf, proto.returnType, depth + 1);
  if (text === undefined) return undefined;
  text += `${name}(`;
  for (const [index, parameter] of proto.params.entries()) {
    if (index > 0) text += ', ';
    if (parameter.type === 0) {
      text += '...';
      continue;
    }
    const type = typeText(btf, parameter.type, depth + 1);
    if (type === undefined) return undefined;
    text += type + parameter.name;
    if (parameter.name === '' && text.endsWith(' ')) text = text.slice(0, -1);
  }
  return `${text})`;
}
