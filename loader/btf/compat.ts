import type { Btf, TypeId } from './btf.ts';
import type { BtfType } from './types.ts';

/**
 * Whether a program's idea of a type and a kernel's are compatible, by exactly the rules of libbpf's
 * `__bpf_core_types_are_compat` (src/relo_core.c): kinds must match (enum and enum64 count as one), and nothing else of
 * structs, unions, enums, forward declarations and integers does, neither name nor size nor signedness; pointers and arrays
 * follow their element; function prototypes compare the number of parameters, each parameter and the result.
 *
 * The two root types are compared **as they are, modifiers and typedefs included**, since CO-RE looks up roots by name.
 * For the type of a ksym variable libbpf skips modifiers first: pass `btf.resolve(id).id` on both sides. Below the root,
 * modifiers are skipped. Types nested deeper than 32 levels, where libbpf gives up with -EINVAL, count as not compatible.
 */
export function typesAreCompatible(localBtf: Btf, localId: TypeId, targetBtf: Btf, targetId: TypeId): boolean {
  return new Comparison(localBtf, targetBtf).compatible(localId, targetId, MAX_LEVEL);
}

/** libbpf's limit, for prototypes within prototypes and for chains of pointers and arrays alike. */
const MAX_LEVEL = 32;

class Comparison {
  readonly #local: Btf;
  readonly #target: Btf;
  /** Without it, prototypes that take prototypes would be compared again and again: exponentially often in damaged BTF. */
  readonly #known = new Map<string, boolean>();

  constructor(local: Btf, target: Btf) {
    this.#local = local;
    this.#target = target;
  }

  compatible(localId: TypeId, targetId: TypeId, level: number): boolean {
    const key = `${localId} ${targetId} ${level}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      return known;
    }
    const result = level >= 0 && this.#compare(localId, targetId, level);
    this.#known.set(key, result);
    return result;
  }

  #compare(localRoot: TypeId, targetRoot: TypeId, level: number): boolean {
    if (!kindsMatch(this.#local.type(localRoot), this.#target.type(targetRoot))) {
      return false;
    }
    let localId = localRoot;
    let targetId = targetRoot;
    for (let depth = 0; depth < MAX_LEVEL; depth += 1) {
      const local = this.#local.resolve(localId);
      const target = this.#target.resolve(targetId);
      if (!kindsMatch(local, target)) {
        return false;
      }
      if (local.kind === 'int' && target.kind === 'int') {
        // Integers that sit at a bit offset are bit fields of old compilers.
        return local.bitOffset === 0 && target.bitOffset === 0;
      }
      if ((local.kind === 'ptr' && target.kind === 'ptr') || (local.kind === 'array' && target.kind === 'array')) {
        localId = local.type;
        targetId = target.type;
      } else if (local.kind === 'func_proto' && target.kind === 'func_proto') {
        if (!this.#sameParams(local.params, target.params, level)) {
          return false;
        }
        localId = local.returnType;
        targetId = target.returnType;
      } else {
        return isOpaque(local);
      }
    }
    return false;
  }

  #sameParams(local: readonly { type: TypeId }[], target: readonly { type: TypeId }[], level: number): boolean {
    return (
      local.length === target.length &&
      local.every((param, index) => {
        const localId = this.#local.resolve(param.type).id;
        const targetId = this.#target.resolve(target[index]?.type ?? 0).id;
        return this.compatible(localId, targetId, level - 1);
      })
    );
  }
}

function kindsMatch(local: BtfType, target: BtfType): boolean {
  return local.kind === target.kind || (isEnum(local) && isEnum(target));
}

function isEnum(type: BtfType): boolean {
  return type.kind === 'enum' || type.kind === 'enum64';
}

/** Kinds that are compatible with their own kind without a further look. */
function isOpaque(type: BtfType): boolean {
  switch (type.kind) {
    case 'void':
    case 'struct':
    case 'union':
    case 'enum':
    case 'enum64':
    case 'fwd':
      return true;
    default:
      return false;
  }
}
