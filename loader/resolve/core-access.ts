import type { Btf } from '../btf/btf.ts';
import type { BtfType, Member, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import { essentialName } from './essential-name.ts';

/** A place within a type: what a CO-RE access leads to. */
export interface Field {
  /** Type of the place. */
  readonly typeId: TypeId;
  /** Bits from the start of the root type. */
  readonly bitOffset: number;
  /** Width of a bit field, else 0. */
  readonly bitSize: number;
}

/** One step from the root type to a field: a member by its name, or an element by its index. */
type Step =
  | { readonly by: 'name'; readonly name: string; readonly typeId: TypeId }
  | { readonly by: 'index'; readonly index: number };

/** An access in terms that can be looked up in another BTF, with the place it means in its own. */
export interface Access {
  readonly rootId: TypeId;
  readonly steps: readonly Step[];
  readonly field: Field;
  /** As in C, for messages: `rq.cfs.nr_running`. */
  readonly text: string;
}

/**
 * Reads an access string of a field relocation, such as `0:3:1`: an index into an array of the root type, then members and
 * elements (bpf_core_parse_spec in libbpf's `src/relo_core.c`). Anonymous members are no steps: what is in them is looked
 * for by name.
 * @throws ExplainedError `core-access` if it does not lead through the type.
 */
export function parseAccess(btf: Btf, rootId: TypeId, accessString: string): Access {
  const [first = 0, ...rest] = parseIndices(accessString);
  const steps: Step[] = [{ by: 'index', index: first }];
  let field: Field = { typeId: rootId, bitOffset: first === 0 ? 0 : first * btf.sizeOf(rootId) * 8, bitSize: 0 };
  let text = btf.type(rootId).name || '(anonymous)';
  for (const index of rest) {
    const type = btf.resolve(field.typeId);
    if (type.kind === 'array') {
      field = elementOf(btf, field, type.type, index);
      steps.push({ by: 'index', index });
      text += `[${index}]`;
      continue;
    }
    const member = type.kind === 'struct' || type.kind === 'union' ? type.members[index] : undefined;
    if (member === undefined) {
      throw new ExplainedError('core-access', `the access ${accessString} does not fit type ${text}`, {
        where: btf.name,
        why: `a ${type.kind} has no member ${index}`,
      });
    }
    field = memberOf(field, member);
    if (member.name !== '') {
      steps.push({ by: 'name', name: member.name, typeId: member.type });
      text += `.${member.name}`;
    }
  }
  return { rootId, steps, field, text };
}

/** The indices of an access string. @throws ExplainedError `core-access` if it is none. */
export function parseIndices(accessString: string): number[] {
  if (!/^\d+(:\d+)*$/.test(accessString)) {
    throw new ExplainedError('core-access', `“${accessString}” is no access string`, {
      why: 'expected numbers joined with colons',
    });
  }
  return accessString.split(':').map(Number);
}

/**
 * Follows an access through a type of another BTF: members by name and compatible type, also those in anonymous structs and
 * unions, elements by index (bpf_core_spec_match in libbpf's `src/relo_core.c`). Undefined where the type has no such field.
 */
export function matchAccess(local: Btf, access: Access, target: Btf, targetRoot: TypeId): Field | undefined {
  let field: Field = { typeId: targetRoot, bitOffset: 0, bitSize: 0 };
  for (const [position, step] of access.steps.entries()) {
    if (step.by === 'name') {
      const found = findMember(local, step, target, field);
      if (found === undefined) return undefined;
      field = found;
    } else if (position === 0) {
      if (step.index !== 0) field = elementOf(target, field, targetRoot, step.index);
    } else {
      const type = target.resolve(field.typeId);
      if (type.kind !== 'array' || (type.length !== 0 && step.index >= type.length)) return undefined;
      field = elementOf(target, field, type.type, step.index);
    }
  }
  return field;
}

function findMember(local: Btf, step: Step & { by: 'name' }, target: Btf, within: Field, depth = 0): Field | undefined {
  const type = target.resolve(within.typeId);
  if ((type.kind !== 'struct' && type.kind !== 'union') || depth > 32) return undefined;
  for (const member of type.members) {
    const field = memberOf(within, member);
    if (member.name === '') {
      const found = findMember(local, step, target, field, depth + 1);
      if (found !== undefined) return found;
    } else if (member.name === step.name) {
      return fieldsAreCompatible(local, step.typeId, target, member.type) ? field : undefined;
    }
  }
  return undefined;
}

/**
 * Whether a field may be read as another: structs and unions count as one and any two are alike, so are any two pointers and
 * any two integers; enums and forward declarations must have the same name, arrays alike elements
 * (bpf_core_fields_are_compat in libbpf's `src/relo_core.c`).
 */
function fieldsAreCompatible(local: Btf, localId: TypeId, target: Btf, targetId: TypeId): boolean {
  const a = local.resolve(localId);
  const b = target.resolve(targetId);
  if (isComposite(a) && isComposite(b)) return true;
  if (isEnum(a) && isEnum(b)) return sameName(a.name, b.name);
  if (a.kind === 'fwd' && b.kind === 'fwd') return sameName(a.name, b.name);
  if (a.kind === 'int' && b.kind === 'int') return a.bitOffset === 0 && b.bitOffset === 0;
  if (a.kind === 'array' && b.kind === 'array') return fieldsAreCompatible(local, a.type, target, b.type);
  return a.kind === b.kind && (a.kind === 'ptr' || a.kind === 'float');
}

function sameName(a: string, b: string): boolean {
  return a === '' || b === '' || essentialName(a) === essentialName(b);
}

function isComposite(type: BtfType): boolean {
  return type.kind === 'struct' || type.kind === 'union';
}

function isEnum(type: BtfType): boolean {
  return type.kind === 'enum' || type.kind === 'enum64';
}

function memberOf(within: Field, member: Member): Field {
  return { typeId: member.type, bitOffset: within.bitOffset + member.bitOffset, bitSize: member.bitSize };
}

function elementOf(btf: Btf, within: Field, elementType: TypeId, index: number): Field {
  return { typeId: elementType, bitOffset: within.bitOffset + index * btf.sizeOf(elementType) * 8, bitSize: 0 };
}
