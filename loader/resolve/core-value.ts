import type { Btf } from '../btf/btf.ts';
import { typesAreCompatible } from '../btf/compat.ts';
import type { CoreRelocation } from '../btf/ext.ts';
import { formatType } from '../btf/format.ts';
import type { BtfType, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import { parseAccess, parseIndices } from './core-access.ts';
import type { Candidate } from './core-candidates.ts';
import { type MemoryAccess, measureField } from './core-field.ts';
import { CoreKind, subjectOf } from './core-kinds.ts';
import { matchAccess } from './core-match.ts';
import { typesMatch } from './core-types-match.ts';
import { essentialName } from './essential-name.ts';

/** What a relocation comes to on a kernel. */
export interface CoreValue {
  /** What the compiler has written into the instruction. */
  readonly local: bigint;
  /** Whether that must be so; if not, compilers and linkers may have written something else. */
  readonly certain: boolean;
  /** What is to stand there; null if the kernel has nothing to answer with, so that the instruction must never run. */
  readonly target: bigint | null;
  /** For a field's offset: what a load or store of it takes, here and in the kernel; null for a bit field. */
  readonly access?: { readonly local: MemoryAccess | null; readonly target: MemoryAccess | null };
  /** What was asked for, as in C: `struct task_struct.mm`. */
  readonly text: string;
  /** Why the kernel has nothing to answer with; empty if it has. */
  readonly why: string;
}

/** A value, and the candidates that it is true of. */
export interface CoreAnswer {
  readonly value: CoreValue;
  /** Empty if none fits. */
  readonly fitting: readonly Candidate[];
}

/**
 * Answers one CO-RE relocation by a kernel's types: all candidates that fit must agree (bpf_core_calc_relo_insn in libbpf's
 * `src/relo_core.c`).
 * @param find gives the kernel's types that the object's type may stand for
 * @throws ExplainedError `core-relocation-unknown`, `core-anonymous-type`, `core-ambiguous`, `core-access`, `core-bit-field` or `core-too-deep`
 */
export function calculateCoreValue(
  local: Btf,
  relocation: CoreRelocation,
  find: (root: BtfType) => readonly Candidate[],
): CoreAnswer {
  const { kind, typeId } = relocation;
  const root = local.type(typeId);
  const question = ask(local, root, relocation);
  if (kind === CoreKind.TYPE_ID_LOCAL) {
    // Linkers renumber types without looking at instructions.
    const id = BigInt(typeId);
    return { value: { local: id, certain: false, target: id, text: question.text, why: '' }, fitting: [] };
  }
  if (root.name === '') {
    throw new ExplainedError('core-anonymous-type', `a relocation asks a kernel about ${question.text}`, {
      where: local.name,
      why: 'a type without a name cannot be looked up in a kernel',
      fix: 'give the type a name',
    });
  }
  const candidates = find(root);
  const answers = candidates.map((candidate) => ({ candidate, answer: question.answerBy(candidate) }));
  const fitting = answers.flatMap(({ candidate, answer }) => ('mismatch' in answer ? [] : [{ candidate, answer }]));
  requireAgreement(fitting, question.text);
  const [first] = fitting;
  const { text, certain } = question;
  const base = { local: question.local, certain, text };
  if (first === undefined) {
    const mismatches = answers.flatMap(({ answer }) => ('mismatch' in answer ? [answer.mismatch] : []));
    const why =
      mismatches.length === 0 ? `there is no ${formatType(local, typeId)}` : [...new Set(mismatches)].join('; ');
    return { value: { ...base, target: question.missing, why }, fitting: [] };
  }
  const access =
    question.access === undefined ? {} : { access: { local: question.access, target: first.answer.access ?? null } };
  const value = { ...base, target: first.answer.value, why: '', ...access };
  return { value, fitting: fitting.map(({ candidate }) => candidate) };
}

/** What a candidate says. */
interface Answer {
  readonly value: bigint;
  /** Of a field. */
  readonly bitOffset?: number;
  readonly access?: MemoryAccess | null;
}

/** A relocation as a question to be put to candidates. */
interface Question {
  readonly local: bigint;
  readonly certain: boolean;
  readonly access?: MemoryAccess | null;
  /** The answer if no candidate fits; null if there is none. */
  readonly missing: bigint | null;
  readonly text: string;
  answerBy(candidate: Candidate): Answer | { readonly mismatch: string };
}

function ask(local: Btf, root: BtfType, relocation: CoreRelocation): Question {
  switch (subjectOf(relocation.kind)) {
    case 'field':
      return askForField(local, root, relocation);
    case 'type':
      return askForType(local, root, relocation);
    case 'enumerator':
      return askForEnumerator(local, root, relocation);
    default:
      throw new ExplainedError('core-relocation-unknown', `a CO-RE relocation of unknown kind ${relocation.kind}`, {
        where: local.name,
        why: `it is about ${formatType(local, root.id)}`,
        fix: 'the object’s compiler is newer than this version of ksym-matrix',
      });
  }
}

function askForField(local: Btf, root: BtfType, { kind, accessString }: CoreRelocation): Question {
  const access = parseAccess(local, root.id, accessString);
  const { text } = access;
  const existence = kind === CoreKind.FIELD_EXISTS;
  const own = existence ? { value: 1n, certain: true } : measureField(local, access.field, kind, text);
  return {
    local: own.value,
    certain: own.certain,
    ...(own.access === undefined ? {} : { access: own.access }),
    missing: existence ? 0n : null,
    text,
    answerBy({ btf, type }) {
      const match = matchAccess(local, access, btf, type.id);
      if ('mismatch' in match) return match;
      const { field } = match;
      const { bitOffset } = field;
      return existence ? { value: 1n, bitOffset } : { ...measureField(btf, field, kind, text), bitOffset };
    },
  };
}

function askForType(local: Btf, root: BtfType, { kind, accessString }: CoreRelocation): Question {
  const text = formatType(local, root.id);
  if (accessString !== '0') {
    throw new ExplainedError('core-access', `the access ${accessString} does not fit ${text}`, {
      where: local.name,
      why: 'a relocation about a type itself has the access 0',
    });
  }
  const matches = kind === CoreKind.TYPE_MATCHES ? typesMatch : typesAreCompatible;
  const size = kind === CoreKind.TYPE_SIZE;
  const id = kind === CoreKind.TYPE_ID_TARGET;
  const valueIn = (btf: Btf, type: TypeId): bigint => (size ? BigInt(btf.sizeOf(type)) : id ? BigInt(type) : 1n);
  return {
    local: valueIn(local, root.id),
    certain: !id,
    missing: 0n,
    text,
    answerBy: ({ btf, type }) =>
      matches(local, root.id, btf, type.id)
        ? { value: valueIn(btf, type.id) }
        : { mismatch: `${formatType(btf, type.id)} there is another type` },
  };
}

function askForEnumerator(local: Btf, root: BtfType, { kind, accessString }: CoreRelocation): Question {
  const typeText = formatType(local, root.id);
  const [index = 0, ...rest] = parseIndices(accessString);
  const wanted = rest.length === 0 ? enumeratorsOf(local, root.id)[index] : undefined;
  if (wanted === undefined) {
    throw new ExplainedError('core-access', `the access ${accessString} does not fit ${typeText}`, {
      where: local.name,
      why: `it has ${enumeratorsOf(local, root.id).length} enumerators`,
    });
  }
  const existence = kind === CoreKind.ENUM_VALUE_EXISTS;
  const name = essentialName(wanted.name);
  return {
    local: existence ? 1n : wanted.value,
    certain: true,
    missing: existence ? 0n : null,
    text: `${typeText}, ${wanted.name}`,
    answerBy({ btf, type }) {
      const found = enumeratorsOf(btf, type.id).find((one) => essentialName(one.name) === name);
      if (found === undefined) return { mismatch: `${formatType(btf, type.id)} has no ${name} there` };
      return { value: existence ? 1n : found.value };
    },
  };
}

/**
 * Enumerators, with values of 32 bits extended by their sign: BTF from before Linux 6.0 does not say which enums are signed, and
 * libbpf takes them all to be.
 */
function enumeratorsOf(btf: Btf, id: TypeId): readonly { readonly name: string; readonly value: bigint }[] {
  const type = btf.resolve(id);
  if (type.kind === 'enum64') return type.values;
  if (type.kind !== 'enum') return [];
  return type.values.map(({ name, value }) => ({ name, value: BigInt.asIntN(32, BigInt(value)) }));
}

function requireAgreement(
  fitting: readonly { readonly candidate: Candidate; readonly answer: Answer }[],
  text: string,
): void {
  const [first] = fitting;
  const other = fitting.find(
    ({ answer }) => answer.value !== first?.answer.value || answer.bitOffset !== first.answer.bitOffset,
  );
  if (first === undefined || other === undefined) return;
  const describe = ({ candidate: { btf, type }, answer }: typeof first): string => {
    const bits = answer.bitOffset === undefined ? '' : ` at bit ${answer.bitOffset}`;
    return `${formatType(btf, type.id)} (type ${type.id} of ${btf.name}) gives ${answer.value}${bits}`;
  };
  throw new ExplainedError('core-ambiguous', `the kernel has several answers for ${text}`, {
    why: `${describe(first)}, ${describe(other)}`,
    fix: 'ask for a field that only one of these types has, before this one',
  });
}
