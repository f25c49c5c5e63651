import type { TypeId } from './btf.ts';
import { AFTER, type BtfEditor, NAME, SIZE_OR_TYPE } from './editor.ts';

/** What a kernel knows of BTF beyond its beginnings in Linux 4.18. What is absent here counts as known. */
export interface BtfKernelFeatures {
  /** FUNC and FUNC_PROTO (5.0). */
  readonly func?: boolean;
  /** VAR and DATASEC (5.2). */
  readonly datasec?: boolean;
  /** The linkage of a FUNC (5.6). */
  readonly funcGlobal?: boolean;
  /** FLOAT (5.13). */
  readonly float?: boolean;
  /** DECL_TAG (5.16). */
  readonly declTag?: boolean;
  /** TYPE_TAG (5.17). */
  readonly typeTag?: boolean;
  /** ENUM64, and the sign of an ENUM (6.0). */
  readonly enum64?: boolean;
  /** A `?` at the start of a DATASEC's name, which clang takes over from sections that libbpf may leave out (6.9). */
  readonly questionMarkDatasec?: boolean;
  /** The kind flag of tags, which makes them attributes (6.15). */
  readonly attributeTags?: boolean;
}

/**
 * Replaces every type of a kind that the kernel does not know by one of a known kind that takes as many bytes in the blob,
 * so that ids stay: the choices of libbpf's bpf_object__sanitize_btf (src/libbpf.c).
 *
 * | unknown | becomes |
 * |---|---|
 * | VAR, DECL_TAG | INT of one byte (a larger one could exceed the variable) |
 * | DATASEC | STRUCT with the variables as members |
 * | FUNC | TYPEDEF; without `funcGlobal` a static FUNC |
 * | FUNC_PROTO | ENUM with the parameters as values |
 * | FLOAT | STRUCT without members, of the same size |
 * | TYPE_TAG | CONST |
 * | ENUM64 | UNION with the values as members |
 * | `?` before the name of a DATASEC | `_` |
 * | a tag that is an attribute | a tag with the attribute's name as its text |
 *
 * What else libbpf rewrites, the header's layout section, {@link BtfEditor.finish} never writes.
 */
export function replaceUnknownKinds(editor: BtfEditor, features: BtfKernelFeatures): void {
  const end = editor.endId;
  // A tag on a parameter or variable would point at what is none any more; no kernel knows tags and lacks the others.
  const knowsTags = features.declTag !== false && features.func !== false && features.datasec !== false;
  for (let id = 1; id < end; id += 1) {
    const { vlen } = editor.info(id);
    switch (editor.kind(id)) {
      case 'var':
        replaceIf(features.datasec === false, () => becomeInt(editor, id));
        break;
      case 'decl_tag':
        if (!knowsTags) becomeInt(editor, id);
        else if (features.attributeTags === false) editor.setInfo(id, 'decl_tag', 0);
        break;
      case 'datasec':
        if (features.datasec === false) datasecToStruct(editor, id, vlen);
        else if (features.questionMarkDatasec === false) replaceQuestionMark(editor, id);
        break;
      case 'func':
        if (features.func === false) {
          editor.setInfo(id, 'typedef', 0);
        } else if (features.funcGlobal === false) {
          editor.setInfo(id, 'func', 0);
        }
        break;
      case 'func_proto':
        replaceIf(features.func === false, () => protoToEnum(editor, id, vlen));
        break;
      case 'float':
        replaceIf(features.float === false, () => {
          // Anonymous: `float` is a keyword, no name for a struct.
          editor.set(id, NAME, 0);
          editor.setInfo(id, 'struct', 0);
        });
        break;
      case 'type_tag':
        if (features.typeTag === false) {
          editor.set(id, NAME, 0);
          editor.setInfo(id, 'const', 0);
        } else if (features.attributeTags === false) {
          editor.setInfo(id, 'type_tag', 0);
        }
        break;
      case 'enum':
        replaceIf(features.enum64 === false, () => editor.setInfo(id, 'enum', vlen));
        break;
      case 'enum64':
        replaceIf(features.enum64 === false, () => enum64ToUnion(editor, id, vlen));
        break;
      default:
        break;
    }
  }
}

function replaceIf(unknown: boolean, replace: () => void): void {
  if (unknown) {
    replace();
  }
}

function becomeInt(editor: BtfEditor, id: TypeId): void {
  editor.setInfo(id, 'int', 0);
  editor.set(id, SIZE_OR_TYPE, 1);
  editor.set(id, AFTER, 8);
}

/** An entry (type, offset, size) becomes a member (name, type, offset in bits). */
function datasecToStruct(editor: BtfEditor, id: TypeId, vlen: number): void {
  editor.setInfo(id, 'struct', vlen);
  editor.set(id, NAME, identifier(editor, id));
  for (let index = 0; index < vlen; index += 1) {
    const at = AFTER + index * 12;
    const type = editor.get(id, at);
    const offset = editor.get(id, at + 4);
    editor.set(id, at, identifier(editor, type));
    editor.set(id, at + 4, type);
    editor.set(id, at + 8, offset * 8);
  }
}

function replaceQuestionMark(editor: BtfEditor, id: TypeId): void {
  const name = editor.name(id);
  if (name.startsWith('?')) editor.set(id, NAME, editor.string(`_${name.slice(1)}`));
}

/** A parameter (name, type) becomes a value (name, value); values need a name. */
function protoToEnum(editor: BtfEditor, id: TypeId, vlen: number): void {
  editor.setInfo(id, 'enum', vlen);
  editor.set(id, SIZE_OR_TYPE, 4);
  for (let index = 0; index < vlen; index += 1) {
    const at = AFTER + index * 8 + NAME;
    if (editor.get(id, at) === 0) {
      editor.set(id, at, editor.string('unnamed'));
    }
  }
}

/** A value (name, low and high half) becomes a member (name, type, offset). */
function enum64ToUnion(editor: BtfEditor, id: TypeId, vlen: number): void {
  editor.setInfo(id, 'union', vlen);
  const type = vlen === 0 ? 0 : placeholder(editor);
  for (let index = 0; index < vlen; index += 1) {
    const at = AFTER + index * 12;
    editor.set(id, at + 4, type);
    editor.set(id, at + 8, 0);
  }
}

/** The last type, if it is the placeholder of an enum64 before, else a new one. */
function placeholder(editor: BtfEditor): TypeId {
  const last = editor.endId - 1;
  return editor.kind(last) === 'int' && editor.get(last, NAME) === editor.string(PLACEHOLDER)
    ? last
    : editor.addInt(PLACEHOLDER, 1, false);
}

const PLACEHOLDER = 'enum64_placeholder';

/** The kernel wants C identifiers as names of structs and members; sections and function-local variables have dots in theirs. */
function identifier(editor: BtfEditor, id: TypeId): number {
  const name = editor.name(id);
  const fixed = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=[0-9]|$)/, '_');
  return fixed === name ? editor.get(id, NAME) : editor.string(fixed);
}
