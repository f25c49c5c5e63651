import type { Btf } from '../btf/btf.ts';
import { typesAreCompatible } from '../btf/compat.ts';
import type { BtfKind, BtfType, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import { type Access, type Field, matchAccess, parseAccess, parseIndices } from './core-access.ts';
import { essentialName } from './essential-name.ts';

/** The members of `enum bpf_core_relo_kind` that are supported. */
export const CoreKind = {
  FIELD_BYTE_OFFSET: 0,
  FIELD_BYTE_SIZE: 1,
  FIELD_EXISTS: 2,
  TYPE_EXISTS: 8,
  TYPE_SIZE: 9,
  ENUM_VALUE_EXISTS: 10,
  ENUM_VALUE: 11,
} as const;

const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [3, 'whether a field is signed'],
  [4, 'the left shift of a bit field'],
  [5, 'the right shift of a bit field'],
  [6, 'a type’s id in the object'],
  [7, 'a type’s id in the kernel'],
  [12, 'whether a type matches'],
]);

/** What a relocation comes to on a kernel. */
export interface CoreValue {
  /** What the compiler has written into the instruction. */
  readonly local: bigint;
  /** What is to stand there; null if the kernel has nothing to answer with, so that the instruction must never run. */
  readonly target: bigint | null;
  /** For a field's offset: how many bytes a load or store of it takes, here and in the kernel. */
  readonly width?: { readonly local: number; readonly target: number; readonly adjustable: boolean };
  /** What was asked for, as in C. */
  readonly text: string;
}

/**
 * Answers one CO-RE relocation by the kernel's types: candidates have the root type's name (without flavour) and kind, and all
 * that fit must agree (bpf_core_calc_relo_insn in libbpf's `src/relo_core.c`).
 * @throws ExplainedError `core-relocation-unsupported`, `core-ambiguous` or `core-access`.
 */
export function calculateCoreValue(
  local: Btf,
  relocation: { readonly typeId: TypeId; readonly accessString: string; readonly kind: number },
  targets: readonly Btf[],
): CoreValue {
  const root = local.type(relocation.typeId);
  switch (relocation.kind) {
    case CoreKind.FIELD_BYTE_OFFSET:
    case CoreKind.FIELD_BYTE_SIZE:
    case CoreKind.FIELD_EXISTS:
      return fieldValue(local, root, relocation, targets);
    case CoreKind.TYPE_EXISTS:
    case CoreKind.TYPE_SIZE:
      return typeValue(local, root, relocation, targets);
    case CoreKind.ENUM_VALUE_EXISTS:
    case CoreKind.ENUM_VALUE:
      return enumValue(root, relocation, targets);
    default: {
      const { kind, accessString } = relocation;
      throw new ExplainedError(
        'core-relocation-unsupported',
        `a CO-RE relocation of kind ${kind} (${UNSUPPORTED.get(kind) ?? 'unknown'}) cannot be answered`,
        { why: `it asks for ${accessString} of ${root.kind} ${root.name}` },
      );
    }
  }
}

interface Question {
  readonly accessString: string;
  readonly kind: number;
}

function fieldValue(local: Btf, root: BtfType, { accessString, kind }: Question, targets: readonly Btf[]): CoreValue {
  const access = parseAccess(local, root.id, accessString);
  const { text } = access;
  const matches = candidates(root, targets).flatMap(({ btf, type }) => {
    const field = matchAccess(local, access, btf, type.id);
    return field === undefined ? [] : [{ btf, field }];
  });
  const [match] = matches;
  if (kind === CoreKind.FIELD_EXISTS) return { local: 1n, target: match === undefined ? 0n : 1n, text };
  const measure = kind === CoreKind.FIELD_BYTE_SIZE ? sizeOfField : offsetOfField;
  const target = agree(
    matches.map(({ btf, field }) => measure(btf, field, text)),
    text,
  );
  const value = { local: measure(local, access.field, text), target, text };
  if (kind === CoreKind.FIELD_BYTE_SIZE || match === undefined) return value;
  return { ...value, width: accessWidth(local, access, match.btf, match.field) };
}

/** Unsigned integers and pointers of another size are read with that size; a signed one would be extended wrongly. */
function accessWidth(local: Btf, access: Access, target: Btf, field: Field): NonNullable<CoreValue['width']> {
  const a = local.resolve(access.field.typeId);
  const b = target.resolve(field.typeId);
  const unsigned = a.kind === 'int' && b.kind === 'int' && !a.signed && !b.signed;
  return {
    local: local.sizeOf(a.id),
    target: target.sizeOf(b.id),
    adjustable: unsigned || (a.kind === 'ptr' && b.kind === 'ptr'),
  };
}

function typeValue(local: Btf, root: BtfType, { kind }: Question, targets: readonly Btf[]): CoreValue {
  const matches = candidates(root, targets).filter(({ btf, type }) => typesAreCompatible(local, root.id, btf, type.id));
  const text = `${root.kind} ${root.name}`;
  if (kind === CoreKind.TYPE_EXISTS) return { local: 1n, target: matches.length > 0 ? 1n : 0n, text };
  const sizes = matches.map(({ btf, type }) => BigInt(btf.sizeOf(type.id)));
  return { local: BigInt(local.sizeOf(root.id)), target: agree(sizes, text) ?? 0n, text };
}

function enumValue(root: BtfType, { accessString, kind }: Question, targets: readonly Btf[]): CoreValue {
  const wanted = valuesOf(root)[parseIndices(accessString)[0] ?? 0];
  if (wanted === undefined) {
    throw new ExplainedError('core-access', `${root.kind} ${root.name} has no value ${accessString}`);
  }
  const name = essentialName(wanted.name);
  const text = `${root.kind} ${root.name}, ${wanted.name}`;
  const found = candidates(root, targets).flatMap(({ type }) =>
    valuesOf(type)
      .filter((one) => essentialName(one.name) === name)
      .slice(0, 1)
      .map((one) => BigInt(one.value)),
  );
  if (kind === CoreKind.ENUM_VALUE_EXISTS) return { local: 1n, target: found.length > 0 ? 1n : 0n, text };
  return { local: BigInt(wanted.value), target: agree(found, text), text };
}

interface Candidate {
  readonly btf: Btf;
  readonly type: BtfType;
}

/** Types of the root's name and kind: those of vmlinux, which goes first in `targets`, else those of modules. */
function candidates(root: BtfType, targets: readonly Btf[]): Candidate[] {
  const name = essentialName(root.name);
  const kinds: readonly BtfKind[] = root.kind === 'enum' || root.kind === 'enum64' ? ['enum', 'enum64'] : [root.kind];
  if (name === '') return [];
  const [vmlinux, ...modules] = targets.map((btf) =>
    kinds.flatMap((kind) => btf.findAll(name, kind, { own: true }).map((type) => ({ btf, type }))),
  );
  return vmlinux !== undefined && vmlinux.length > 0 ? vmlinux : modules.flat();
}

function agree(values: readonly bigint[], text: string): bigint | null {
  const distinct = [...new Set(values)];
  if (distinct.length > 1) {
    throw new ExplainedError('core-ambiguous', `the kernel has several answers for ${text}`, {
      why: `its types of that name give ${distinct.join(' and ')}`,
    });
  }
  return distinct[0] ?? null;
}

function offsetOfField(_btf: Btf, field: Field, text: string): bigint {
  if (field.bitSize !== 0 || field.bitOffset % 8 !== 0) {
    throw new ExplainedError('core-relocation-unsupported', `${text} is a bit field`, {
      why: 'bit fields are read with shifts that this loader does not adjust',
    });
  }
  return BigInt(field.bitOffset / 8);
}

function sizeOfField(btf: Btf, field: Field): bigint {
  return BigInt(btf.sizeOf(field.typeId));
}

function valuesOf(type: BtfType): readonly { readonly name: string; readonly value: number | bigint }[] {
  return type.kind === 'enum' || type.kind === 'enum64' ? type.values : [];
}
