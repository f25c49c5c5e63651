import type { Btf } from '../btf/btf.ts';
import { formatType } from '../btf/format.ts';
import type { BtfType, CompositeType, Member, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';

/** A place within a type: what a CO-RE access leads to. */
export interface Field {
  /** Type of the place. */
  readonly typeId: TypeId;
  /** Bits from the start of the root type. */
  readonly bitOffset: number;
  /** Width of a bit field, else 0. */
  readonly bitSize: number;
  /** Whether an index leads to it last, into an array or from the pointer that the access starts at. */
  readonly element: boolean;
}

/** One step from the root type to a field: a member by its name, or an element by its index. */
export type Step =
  | { readonly by: 'name'; readonly name: string; readonly typeId: TypeId }
  | { readonly by: 'index'; readonly index: number };

/** An access in terms that can be looked up in another BTF, with the place it means in its own. */
export interface Access {
  /** The first is the index by which the pointer to the root type is moved, mostly 0. */
  readonly steps: readonly Step[];
  readonly field: Field;
  /** As in C, for messages: `struct rq.cfs.nr_running`. */
  readonly text: string;
}

/** How many members, elements and anonymous structs may lie on the way to a field: BPF_CORE_SPEC_MAX_LEN of libbpf. */
export const MOST_STEPS = 64;

/**
 * Reads an access string of a field relocation, such as `0:3:1`: an index into an array of the root type, then members and
 * elements (bpf_core_parse_spec in libbpf's `src/relo_core.c`). Anonymous members are no steps: what is in them is looked
 * for by name.
 * @throws ExplainedError `core-access` if it does not lead through the type.
 */
export function parseAccess(btf: Btf, rootId: TypeId, accessString: string): Access {
  const [first = 0, ...rest] = parseIndices(accessString);
  const steps: Step[] = [{ by: 'index', index: first }];
  let text = formatType(btf, rootId) + (first === 0 ? '' : `[${first}]`);
  const refuse = (why: string): never => {
    throw new ExplainedError('core-access', `the access ${accessString} does not fit ${text}`, {
      where: btf.name,
      why,
    });
  };
  let bitOffset = first * btf.sizeOf(rootId) * 8;
  let typeId = rootId;
  let field: Field = { typeId, bitOffset, bitSize: 0, element: true };
  let flexible = false;
  for (const index of rest) {
    const type = btf.resolve(typeId);
    if (type.kind === 'array') {
      if (index >= type.length && !(flexible && type.length === 0)) {
        refuse(`it is an array of ${type.length}, and index ${index} is beyond it`);
      }
      typeId = type.type;
      bitOffset += index * btf.sizeOf(typeId) * 8;
      field = { typeId, bitOffset, bitSize: 0, element: true };
      steps.push({ by: 'index', index });
      text += `[${index}]`;
      flexible = false;
      continue;
    }
    const member = isComposite(type) ? type.members[index] : undefined;
    if (member === undefined || !isComposite(type)) return refuse(`a ${type.kind} has no member ${index}`);
    bitOffset += member.bitOffset;
    typeId = member.type;
    if (member.name === '') continue;
    field = { typeId, bitOffset, bitSize: member.bitSize, element: false };
    steps.push({ by: 'name', name: member.name, typeId });
    text += `.${member.name}`;
    flexible = isLast(type, member);
  }
  return { steps, field: { ...field, bitOffset }, text };
}

/** The indices of an access string. @throws ExplainedError `core-access` if it is none, or longer than libbpf takes. */
export function parseIndices(accessString: string): number[] {
  const indices = /^\d+(:\d+)*$/.test(accessString) ? accessString.split(':').map(Number) : [];
  if (indices.length > 0 && indices.length <= MOST_STEPS && indices.every((index) => index <= LARGEST_INDEX)) {
    return indices;
  }
  throw new ExplainedError('core-access', `“${accessString.slice(0, 100)}” is no access string`, {
    why: `expected 1 to ${MOST_STEPS} numbers joined with colons`,
  });
}

/** libbpf reads indices as `int`. */
const LARGEST_INDEX = 0x7fff_ffff;

/** Whether a member ends its struct, as the array of unknown length does that C calls flexible. */
export function isLast(type: CompositeType, member: Member): boolean {
  return type.members.at(-1) === member;
}

/** Whether this is a struct or a union. */
export function isComposite(type: BtfType): type is CompositeType {
  return type.kind === 'struct' || type.kind === 'union';
}
