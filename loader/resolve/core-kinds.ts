/** What a CO-RE relocation asks for: `enum bpf_core_relo_kind` of `include/uapi/linux/bpf.h`. */
export const CoreKind = {
  FIELD_BYTE_OFFSET: 0,
  FIELD_BYTE_SIZE: 1,
  FIELD_EXISTS: 2,
  FIELD_SIGNED: 3,
  FIELD_LSHIFT_U64: 4,
  FIELD_RSHIFT_U64: 5,
  TYPE_ID_LOCAL: 6,
  TYPE_ID_TARGET: 7,
  TYPE_EXISTS: 8,
  TYPE_SIZE: 9,
  ENUM_VALUE_EXISTS: 10,
  ENUM_VALUE: 11,
  TYPE_MATCHES: 12,
} as const;

/** What the access string of a relocation leads to: a field, nothing beyond the type, or an enumerator. */
export type CoreSubject = 'field' | 'type' | 'enumerator';

/** What a kind is about; undefined for a number without a meaning. */
export function subjectOf(kind: number): CoreSubject | undefined {
  return KINDS[kind]?.subject;
}

/** What a kind asks for, in words: `the offset of`. */
export function questionOf(kind: number): string {
  return KINDS[kind]?.words ?? `something unknown (${kind}) of`;
}

/** By number. */
const KINDS: readonly { readonly subject: CoreSubject; readonly words: string }[] = [
  { subject: 'field', words: 'the offset of' },
  { subject: 'field', words: 'the size of' },
  { subject: 'field', words: 'the existence of' },
  { subject: 'field', words: 'the signedness of' },
  { subject: 'field', words: 'the left shift to read' },
  { subject: 'field', words: 'the right shift to read' },
  { subject: 'type', words: 'the local id of' },
  { subject: 'type', words: 'the kernel’s id of' },
  { subject: 'type', words: 'the existence of' },
  { subject: 'type', words: 'the size of' },
  { subject: 'enumerator', words: 'the existence of' },
  { subject: 'enumerator', words: 'the value of' },
  { subject: 'type', words: 'a match of' },
];
