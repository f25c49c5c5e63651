import { type Btf, MAX_RESOLVE_DEPTH, type TypeId } from './btf.ts';

/**
 * A type's name on one line, as C would declare it without a variable: `struct rq *[4]`, `int (*)(int, void *)`. For
 * messages, so it never throws for types that nest or refer to each other without end: it writes `…` instead.
 * Anonymous structs, unions and enums are `struct {…}`; a VAR is its type, a FUNC its prototype with its name.
 */
export function formatType(btf: Btf, id: TypeId): string {
  return declare(btf, id, '', { left: MOST_TYPES });
}

/** More than a person could read: damaged BTF may hold prototypes that take themselves, many times over. */
const MOST_TYPES = 64;

/** C writes a type around the thing declared: `inner` is what has been built so far, from the inside out. */
function declare(btf: Btf, id: TypeId, inner: string, budget: { left: number }): string {
  budget.left -= 1;
  if (budget.left < 0) {
    return join('…', inner);
  }
  const type = btf.type(id);
  const go = (next: TypeId, wrapped: string): string => declare(btf, next, wrapped, budget);
  switch (type.kind) {
    case 'void':
      return join('void', inner);
    case 'int':
    case 'float':
    case 'typedef':
      return join(type.name, inner);
    case 'struct':
    case 'union':
    case 'enum':
    case 'enum64':
      return join(tagged(type.kind === 'enum64' ? 'enum' : type.kind, type.name), inner);
    case 'fwd':
      return join(tagged(type.union ? 'union' : 'struct', type.name), inner);
    case 'ptr':
      return go(type.type, `*${inner}`);
    case 'const':
    case 'volatile':
    case 'restrict':
      // A qualified pointer carries the word behind its star, everything else in front.
      return qualifiesPointer(btf, type.type)
        ? go(type.type, join(type.kind, inner))
        : `${type.kind} ${go(type.type, inner)}`;
    case 'array':
      return go(type.type, `${grouped(inner)}[${type.length}]`);
    case 'func_proto': {
      const params: string[] = [];
      for (const [index, param] of type.params.entries()) {
        const rest = param.type === 0 && param.name === '' && index === type.params.length - 1;
        params.push(rest ? '...' : go(param.type, ''));
        if (budget.left < 0) {
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

function tagged(tag: string, name: string): string {
  return name === '' ? `${tag} {…}` : `${tag} ${name}`;
}

/** Arrays and functions bind more tightly than a pointer's star. */
function grouped(inner: string): string {
  return inner.startsWith('*') ? `(${inner})` : inner;
}

function join(left: string, right: string): string {
  return right === '' || right.startsWith('[') ? `${left}${right}` : `${left} ${right}`;
}
