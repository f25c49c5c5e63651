import { ExplainedError } from '../errors.ts';
import type { Btf, TypeId } from './btf.ts';
import type { DatasecLayout } from './datasec-layout.ts';
import { AFTER, BtfEditor, NAME, SIZE_OR_TYPE } from './editor.ts';
import { type BtfKernelFeatures, replaceUnknownKinds } from './older-kernels.ts';
import type { DatasecType, VarType } from './types.ts';

export type { DatasecLayout } from './datasec-layout.ts';
export type { BtfKernelFeatures } from './older-kernels.ts';

/**
 * A copy of an object's BTF that a kernel accepts. Every type id and every string offset stays; types and strings that are
 * needed in addition go to the end. What changes, as libbpf does it (btf_fixup_datasec, bpf_object__collect_externs and
 * bpf_object__sanitize_btf in src/libbpf.c):
 * - Data sections get their size and their variables' offsets from `layout` (clang leaves them 0), in ascending order.
 * - `.ksyms`: every variable becomes an `int` of global linkage at 0, 4, 8 …; functions give way to a stand-in variable.
 * - `.kconfig`, if `layout` has it not: variables of global linkage, each at the next multiple of its size up to 8.
 * - Extern functions become global, and parameters without a name get one.
 * - Functions in `staticFunctions` become static: global ones of hidden visibility, which the verifier is to check within
 *   their callers.
 * - What the kernel does not know, by `features`, becomes something it knows; see {@link replaceUnknownKinds}.
 *
 * Throws {@link ExplainedError}: `datasec-without-layout`, `datasec-member`, `btf-not-editable`; and FormatError for damaged BTF.
 */
export function btfForKernel(
  btf: Btf,
  layout: DatasecLayout,
  features: BtfKernelFeatures = {},
  staticFunctions: ReadonlySet<TypeId> = new Set(),
): Uint8Array {
  const editor = new BtfEditor(btf);
  for (const type of btf.types()) {
    if (type.kind === 'datasec') {
      fixSection(editor, btf, type, layout);
    } else if (type.kind === 'var' && type.linkage === 'extern') {
      editor.set(type.id, AFTER, GLOBAL);
    } else if (type.kind === 'func') {
      if (type.linkage === 'extern' || staticFunctions.has(type.id)) {
        editor.setInfo(type.id, 'func', staticFunctions.has(type.id) ? STATIC : GLOBAL);
      }
      nameParameters(editor, btf, type.type);
    }
  }
  replaceUnknownKinds(editor, features);
  return editor.finish();
}

/** BTF_FUNC_STATIC; BTF_FUNC_GLOBAL and BTF_VAR_GLOBAL_ALLOCATED. */
const STATIC = 0;
const GLOBAL = 1;

interface Entry {
  readonly type: TypeId;
  readonly offset: number;
  readonly size: number;
}

function fixSection(editor: BtfEditor, btf: Btf, section: DatasecType, layout: DatasecLayout): void {
  if (section.name === '.ksyms') {
    fixKsyms(editor, btf, section);
  } else if (section.name === '.kconfig' && !layout.has(section.name)) {
    fixKconfig(editor, btf, section);
  } else {
    fixData(editor, btf, section, layout);
  }
}

function fixData(editor: BtfEditor, btf: Btf, section: DatasecType, layout: DatasecLayout): void {
  const known = layout.get(section.name);
  const size = section.size === 0 || section.name === '.kconfig' ? (known?.size ?? 0) : section.size;
  if (size === 0) {
    refuseLayout(btf, section, 'neither the BTF nor the given layout has its size');
  }
  const entries = section.entries.map((entry) => {
    const variable = variableOf(btf, section, entry.type);
    // Static variables have their offset in the BTF already, and their names need not be unique.
    // Of `.kconfig` only the layout knows the places: a linker has others in mind.
    if ((section.size !== 0 && section.name !== '.kconfig') || variable.linkage === 'static') {
      return entry;
    }
    const offset = known?.offsets.get(variable.name);
    return { ...entry, offset: offset ?? refuseLayout(btf, section, `variable ${variable.name} has no offset`) };
  });
  writeSection(editor, section.id, size, entries);
}

function refuseLayout(btf: Btf, section: DatasecType, why: string): never {
  throw new ExplainedError('datasec-without-layout', `BTF section ${section.name} has no layout`, {
    where: btf.name,
    why,
    fix: 'Pass the sizes and symbols of all data sections, `license` and `.maps` included.',
  });
}

function fixKconfig(editor: BtfEditor, btf: Btf, section: DatasecType): void {
  let end = 0;
  const entries = section.entries.map(({ type }) => {
    const size = btf.sizeOf(variableOf(btf, section, type).type);
    const alignment = Math.min(8, size & -size) || 1;
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + size;
    return { type, offset, size };
  });
  writeSection(editor, section.id, end, entries);
}

function fixKsyms(editor: BtfEditor, btf: Btf, section: DatasecType): void {
  const int = findInt(btf) ?? editor.addInt('int', INT_SIZE, true);
  let standIn: TypeId | undefined;
  const entries = section.entries.map((entry, index) => {
    const place = { offset: index * INT_SIZE, size: INT_SIZE };
    if (btf.type(entry.type).kind === 'func') {
      standIn ??= editor.addVar('ksym_function', int);
      return { type: standIn, ...place };
    }
    const variable = variableOf(btf, section, entry.type);
    editor.set(variable.id, SIZE_OR_TYPE, int);
    return { type: variable.id, ...place };
  });
  writeSection(editor, section.id, entries.length * INT_SIZE, entries);
}

const INT_SIZE = 4;

function findInt(btf: Btf): TypeId | undefined {
  for (const type of btf.types()) {
    if (type.kind === 'int' && type.size === INT_SIZE && type.bits === 8 * INT_SIZE && type.bitOffset === 0) {
      return type.id;
    }
  }
  return undefined;
}

function variableOf(btf: Btf, section: DatasecType, id: TypeId): VarType {
  const type = btf.type(id);
  if (type.kind !== 'var') {
    throw new ExplainedError('datasec-member', `BTF section ${section.name} has a member that is no variable`, {
      where: btf.name,
      why: `type ${id} is a ${type.kind} "${type.name}"`,
      fix:
        type.kind === 'func'
          ? 'Declare kernel functions with `__ksym`.'
          : 'Compile the object again: its BTF is damaged.',
    });
  }
  return type;
}

/** Entries go in ascending order of their offset, as the kernel demands (btf_datasec_check_meta, kernel/bpf/btf.c). */
function writeSection(editor: BtfEditor, id: TypeId, size: number, entries: readonly Entry[]): void {
  editor.set(id, SIZE_OR_TYPE, size);
  for (const [index, entry] of entries.toSorted((a, b) => a.offset - b.offset).entries()) {
    const at = AFTER + index * 12;
    editor.set(id, at, entry.type);
    editor.set(id, at + 4, entry.offset);
    editor.set(id, at + 8, entry.size);
  }
}

/** The kernel refuses functions whose parameters have no name (btf_func_check, kernel/bpf/btf.c); `...` has no type either. */
function nameParameters(editor: BtfEditor, btf: Btf, protoId: TypeId): void {
  const proto = btf.type(protoId);
  if (proto.kind === 'func_proto') {
    proto.params.forEach((param, index) => {
      if (param.type !== 0 && param.name === '') {
        editor.set(protoId, AFTER + index * 8 + NAME, editor.string('unnamed'));
      }
    });
  }
}
