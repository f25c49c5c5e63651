import { type Btf, MAX_RESOLVE_DEPTH, type TypeId } from './btf.ts';
import type { BtfType, CompositeType, Enum64Type, EnumType } from './types.ts';

/** How a declaration is written. */
export interface DeclarationStyle {
  /** Types that may still be written; beyond that there is `…`. Counts down. */
  left: number;
  /** Whether parameters of functions have their names. */
  readonly parameterNames?: boolean;
  /** How a type that has a name is spoken of, `struct rq`; as BTF has it, if absent. Null for a typedef to write what it stands for. */
  readonly name?: (type: BtfType) => string | null;
  /** What a struct, union or enum without a name is written as. */
  readonly anonymous: (type: CompositeType | EnumType | Enum64Type) => string;
}

/**
 * Writes a type around what is declared with it, as C does: from the inside out, since `*` binds less tightly than `[]` and `()`. Never throws for types that nest or
 * refer to each other without end.
 *
 * @param inner what is declared, such as a variable's name; empty for the type alone
 */
export function declare(btf: Btf, id: TypeId, inner: string, style: DeclarationStyle): string {
  style.left -= 1;
  if (style.left < 0) {
    return join('…', inner);
  }
  const type = btf.type(id);
  const go = (next: TypeId, wrapped: string): string => declare(btf, next, wrapped, style);
  switch (type.kind) {
    case 'void':
      return join('void', inner);
    case 'int':
    case 'float':
      return join(type.name, inner);
    case 'typedef': {
      const name = style.name === undefined ? type.name : style.name(type);
      return name === null ? go(type.type, inner) : join(name, inner);
    }
    case 'struct':
    case 'union':
    case 'enum':
    case 'enum64':
      if (type.name === '') return join(style.anonymous(type), inner);
      return join(style.name?.(type) ?? `${type.kind === 'enum64' ? 'enum' : type.kind} ${type.name}`, inner);
    case 'fwd': {
      const plain = `${type.union ? 'union' : 'struct'} ${type.name === '' ? '{…}' : type.name}`;
      return join(type.name === '' ? plain : (style.name?.(type) ?? plain), inner);
    }
    case 'ptr':
      return go(type.type, `*${inner}`);
    case 'const':
    case 'volatile':
    case 'restrict': {
      // A qualified pointer carries the word behind its star, everything else in front.
      if (qualifiesPointer(btf, type.type)) return go(type.type, join(type.kind, inner));
      const rest = go(type.type, inner);
      // BTF has an array of constants as a constant array of constants.
      return rest.startsWith(`${type.kind} `) ? rest : `${type.kind} ${rest}`;
    }
    case 'array':
      return go(type.type, `${grouped(inner)}[${type.length}]`);
    case 'func_proto': {
      const params: string[] = [];
      for (const [index, param] of type.params.entries()) {
        const rest = param.type === 0 && param.name === '' && index === type.params.length - 1;
        params.push(rest ? '...' : go(param.type, style.parameterNames === true ? param.name : ''));
        if (style.left < 0) {
          break;
        }
      }
      return go(type.returnType, `${grouped(inner)}(${params.length === 0 ? 'void' : params.join(', ')})`);
    }
    case 'func':
      return go(type.type, type.name);
    case 'type_tag':
    case 'var':
    case 'decl_tag':
      return go(type.type, inner);
    case 'datasec':
      return join(`section ${type.name}`, inner);
  }
}

/** Whether a pointer follows, after further qualifiers perhaps. */
function qualifiesPointer(btf: Btf, id: TypeId): boolean {
  let type = btf.type(id);
  for (let depth = 0; depth < MAX_RESOLVE_DEPTH; depth += 1) {
    if (type.kind !== 'const' && type.kind !== 'volatile' && type.kind !== 'restrict' && type.kind !== 'type_tag') {
      break;
    }
    type = btf.type(type.type);
  }
  return type.kind === 'ptr';
}

/** Arrays and functions bind more tightly than a pointer's star. */
function grouped(inner: string): string {
  return inner.startsWith('*') ? `(${inner})` : inner;
}

function join(left: string, right: string): string {
  return right === '' || right.startsWith('[') ? `${left}${right}` : `${left} ${right}`;
}
