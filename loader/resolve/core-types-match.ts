import type { Btf } from '../btf/btf.ts';
import type { BtfType, CompositeType, Enum64Type, EnumType, FuncProtoType, FwdType, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import { essentialName } from './essential-name.ts';

/**
 * Whether a program's type matches a kernel's, for `bpf_core_type_matches` (bpf_core_types_match in libbpf's `src/relo_core.c`, 1.0). It is
 * stricter than {@link typesAreCompatible}: modifiers and typedefs are skipped, names are compared without their flavours, and
 *
 * - integers have the same size and sign, arrays the same length and matching elements;
 * - every member of a struct or union is in the kernel's by name and matches; behind a pointer, name and kind are enough, and
 *   a forward declaration will do;
 * - enums have the same size, and every enumerator is in the kernel's by name, whatever its value; enum and enum64 count as one;
 * - functions have the same number of parameters, and each of them and the result match.
 *
 * The names of the two root types are for the caller to compare.
 * @throws ExplainedError `core-too-deep` where types are nested more deeply than libbpf follows.
 */
export function typesMatch(local: Btf, localId: TypeId, target: Btf, targetId: TypeId): boolean {
  return new Comparison(local, target).match(localId, targetId, false, MAX_LEVEL);
}

/** libbpf's limit, for structs within structs and for chains of pointers and arrays alike. */
const MAX_LEVEL = 32;

class Comparison {
  readonly #local: Btf;
  readonly #target: Btf;
  /** Without it, structs that hold structs would be compared again and again: exponentially often in damaged BTF. */
  readonly #known = new Map<string, boolean>();

  constructor(local: Btf, target: Btf) {
    this.#local = local;
    this.#target = target;
  }

  match(localId: TypeId, targetId: TypeId, behindPointer: boolean, level: number): boolean {
    if (level <= 0) tooDeep(this.#local, localId);
    const key = `${localId} ${targetId} ${behindPointer} ${level}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const result = this.#compare(localId, targetId, behindPointer, level);
    this.#known.set(key, result);
    return result;
  }

  #compare(localRoot: TypeId, targetRoot: TypeId, behind: boolean, level: number): boolean {
    let localId = localRoot;
    let targetId = targetRoot;
    let behindPointer = behind;
    for (let depth = 0; depth < MAX_LEVEL; depth += 1) {
      const local = this.#local.resolve(localId);
      const target = this.#target.resolve(targetId);
      if (!sameName(local.name, target.name)) return false;
      if (local.kind === 'ptr' && target.kind === 'ptr') {
        behindPointer = true;
        localId = local.type;
        targetId = target.type;
      } else if (local.kind === 'array' && target.kind === 'array') {
        if (local.length !== target.length) return false;
        localId = local.type;
        targetId = target.type;
      } else if (local.kind === 'func_proto' && target.kind === 'func_proto') {
        if (!this.#parametersMatch(local, target, behindPointer, level)) return false;
        localId = local.returnType;
        targetId = target.returnType;
      } else {
        return this.#compareEnds(local, target, behindPointer, level);
      }
    }
    return tooDeep(this.#local, localRoot);
  }

  /** Compares two types that do not only lead to another one. */
  #compareEnds(local: BtfType, target: BtfType, behindPointer: boolean, level: number): boolean {
    switch (local.kind) {
      case 'void':
        return target.kind === 'void';
      case 'int':
        return target.kind === 'int' && local.size === target.size && local.signed === target.signed;
      case 'enum':
      case 'enum64':
        return isEnum(target) && enumsMatch(local, target);
      case 'fwd':
        return target.kind === 'fwd'
          ? local.union === target.union
          : behindPointer && target.kind === declaredBy(local);
      case 'struct':
      case 'union':
        if (behindPointer) {
          return target.kind === local.kind || (target.kind === 'fwd' && declaredBy(target) === local.kind);
        }
        return target.kind === local.kind && this.#membersMatch(local, target, level);
      default:
        // Nothing else is compared by libbpf, floating-point numbers neither.
        return false;
    }
  }

  #parametersMatch(local: FuncProtoType, target: FuncProtoType, behindPointer: boolean, level: number): boolean {
    if (local.params.length !== target.params.length) return false;
    return local.params.every(({ type }, index) =>
      this.match(type, target.params[index]?.type ?? 0, behindPointer, level - 1),
    );
  }

  #membersMatch(local: CompositeType, target: CompositeType, level: number): boolean {
    if (local.members.length > target.members.length) return false;
    return local.members.every((member) =>
      target.members.some(
        (other) => sameName(member.name, other.name) && this.match(member.type, other.type, false, level - 1),
      ),
    );
  }
}

function enumsMatch(local: EnumType | Enum64Type, target: EnumType | Enum64Type): boolean {
  if (local.size !== target.size || local.values.length > target.values.length) return false;
  const names = new Set(target.values.map(({ name }) => essentialName(name)));
  return local.values.every(({ name }) => names.has(essentialName(name)));
}

function isEnum(type: BtfType): type is EnumType | Enum64Type {
  return type.kind === 'enum' || type.kind === 'enum64';
}

/** What a forward declaration declares. */
function declaredBy(type: FwdType): 'struct' | 'union' {
  return type.union ? 'union' : 'struct';
}

function sameName(local: string, target: string): boolean {
  return essentialName(local) === essentialName(target);
}

function tooDeep(btf: Btf, id: TypeId): never {
  throw new ExplainedError('core-too-deep', `type ${id} is nested too deeply to be compared`, {
    where: btf.name,
    why: `more than ${MAX_LEVEL} types lie within each other`,
  });
}
