import type { Btf } from '../btf/btf.ts';
import { formatType } from '../btf/format.ts';
import type { BtfType, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import { type Access, type Field, isComposite, isLast, MOST_STEPS, type Step } from './core-access.ts';
import { essentialName } from './essential-name.ts';

/** Where an access leads in another BTF, or why it leads nowhere. */
export type FieldMatch = { readonly field: Field } | { readonly mismatch: string };

/**
 * Follows an access through a type of another BTF: members by name and compatible type, also those in anonymous structs and
 * unions, elements by index (bpf_core_spec_match in libbpf's `src/relo_core.c`).
 * @throws ExplainedError `core-too-deep` where structs are nested more deeply than libbpf follows.
 */
export function matchAccess(local: Btf, access: Access, target: Btf, targetRoot: TypeId): FieldMatch {
  let place: Place = {
    field: { typeId: targetRoot, bitOffset: 0, bitSize: 0, element: true },
    depth: 0,
    flexible: false,
  };
  let text = formatType(target, targetRoot);
  for (const [position, step] of access.steps.entries()) {
    if (step.by === 'name') {
      const found = new MemberSearch(local, step, target).find(place, text);
      if ('mismatch' in found) return found;
      place = found;
      text += `.${step.name}`;
      continue;
    }
    let elementType = targetRoot;
    if (position > 0) {
      const type = target.resolve(place.field.typeId);
      if (type.kind !== 'array') return { mismatch: `${text} is ${describe(target, type)} there, and no array` };
      if (step.index >= type.length && !(place.flexible && type.length === 0)) {
        return { mismatch: `${text} has ${type.length} elements there, and none with index ${step.index}` };
      }
      elementType = type.type;
      text += `[${step.index}]`;
    }
    const bitOffset = place.field.bitOffset + step.index * target.sizeOf(elementType) * 8;
    place = {
      field: { typeId: elementType, bitOffset, bitSize: 0, element: true },
      depth: deeper(place.depth, text),
      flexible: false,
    };
  }
  return { field: place.field };
}

/** How far an access has been followed. */
interface Place {
  readonly field: Field;
  /** How many members, elements and anonymous structs led here. */
  readonly depth: number;
  /** Whether it is the last member of its struct: as an array of no elements, it has as many as one likes. */
  readonly flexible: boolean;
}

/** Looks for one member by name, through anonymous structs and unions (bpf_core_match_member in libbpf's `src/relo_core.c`). */
class MemberSearch {
  readonly #local: Btf;
  readonly #step: Step & { by: 'name' };
  readonly #target: Btf;
  /** Damaged BTF may embed the same struct in itself or many times over: looking into it once is enough. */
  readonly #without = new Set<TypeId>();

  constructor(local: Btf, step: Step & { by: 'name' }, target: Btf) {
    this.#local = local;
    this.#step = step;
    this.#target = target;
  }

  find(within: Place, text: string): Place | { readonly mismatch: string } {
    const type = this.#target.resolve(within.field.typeId);
    const { name } = this.#step;
    if (!isComposite(type)) return { mismatch: `${text} is ${describe(this.#target, type)} there, without members` };
    return this.#findIn(within, text) ?? { mismatch: `${text} has no member ${name} there` };
  }

  #findIn(within: Place, text: string): Place | { readonly mismatch: string } | undefined {
    const type = this.#target.resolve(within.field.typeId);
    if (!isComposite(type) || this.#without.has(type.id)) return undefined;
    for (const member of type.members) {
      const field = {
        typeId: member.type,
        bitOffset: within.field.bitOffset + member.bitOffset,
        bitSize: member.bitSize,
        element: false,
      };
      const place = { field, depth: deeper(within.depth, text), flexible: isLast(type, member) };
      if (member.name === '') {
        const found = this.#findIn(place, text);
        if (found !== undefined) return found;
      } else if (member.name === this.#step.name) {
        return this.#compatible(place, `${text}.${member.name}`);
      }
    }
    this.#without.add(type.id);
    return undefined;
  }

  #compatible(place: Place, text: string): Place | { readonly mismatch: string } {
    const { typeId } = place.field;
    if (fieldsAreCompatible(this.#local, this.#step.typeId, this.#target, typeId)) return place;
    const [here, there] = [formatType(this.#local, this.#step.typeId), formatType(this.#target, typeId)];
    return { mismatch: `${text} is \`${there}\` there, which the program’s \`${here}\` is not compatible with` };
  }
}

/** One step further down. */
function deeper(depth: number, text: string): number {
  if (depth < MOST_STEPS) return depth + 1;
  throw new ExplainedError('core-too-deep', `the members of ${text} are nested too deeply`, {
    why: `more than ${MOST_STEPS} structs, unions and arrays lie within each other`,
  });
}

/**
 * Whether a field may be read as another: structs and unions count as one and any two are alike, so are any two pointers and
 * any two integers; enums and forward declarations must have the same name, arrays alike elements
 * (bpf_core_fields_are_compat in libbpf's `src/relo_core.c`).
 */
function fieldsAreCompatible(local: Btf, localId: TypeId, target: Btf, targetId: TypeId): boolean {
  let a = local.resolve(localId);
  let b = target.resolve(targetId);
  for (let depth = 0; a.kind === 'array' && b.kind === 'array'; depth += 1) {
    // Arrays in damaged BTF may be their own elements.
    if (depth === MOST_STEPS) return false;
    a = local.resolve(a.type);
    b = target.resolve(b.type);
  }
  if (isComposite(a) && isComposite(b)) return true;
  if (isEnum(a) && isEnum(b)) return sameName(a.name, b.name);
  if (a.kind === 'fwd' && b.kind === 'fwd') return sameName(a.name, b.name);
  // Integers that sit at a bit offset are bit fields of old compilers.
  if (a.kind === 'int' && b.kind === 'int') return a.bitOffset === 0 && b.bitOffset === 0;
  return a.kind === b.kind && (a.kind === 'ptr' || a.kind === 'float');
}

function sameName(a: string, b: string): boolean {
  return a === '' || b === '' || essentialName(a) === essentialName(b);
}

function isEnum(type: BtfType): boolean {
  return type.kind === 'enum' || type.kind === 'enum64';
}

function describe(btf: Btf, type: BtfType): string {
  return `\`${formatType(btf, type.id)}\``;
}
