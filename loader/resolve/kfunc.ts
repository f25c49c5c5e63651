import { typesAreCompatible } from '../btf/compat.ts';
import { formatType } from '../btf/format.ts';
import { printWithDefinition } from '../btf/print-c.ts';
import type { ExternSpec, ObjectContent } from '../object/spec.ts';
import { essentialName } from './essential-name.ts';
import { findInKernel, objectBtf } from './kernel-types.ts';
import { hiddenInModule, missing, whereabouts, withoutKernelBtf } from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';

/**
 * Looks a kfunc up as FUNC in the kernel's BTF, by its name without flavour, and compares the prototypes. A prototype that
 * differs makes a weak kfunc NULL, unlike a weak variable (bpf_object__resolve_ksym_func_btf_id in libbpf's `src/libbpf.c`).
 */
export function resolveKfunc(spec: ObjectContent, extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  const { vmlinuxBtf } = facts;
  if (vmlinuxBtf === null) return withoutKernelBtf(extern);
  const name = essentialName(extern.name);
  const found = findInKernel(name, 'func', vmlinuxBtf, facts);
  if (found === undefined) {
    const place = whereabouts(name, 'function', facts);
    const hidden = hiddenInModule(extern, place, facts);
    if (hidden !== null) return hidden;
    const listed = place.at === 'kernel' || place.at === 'module';
    return missing(
      extern,
      'KFUNC_NOT_FOUND',
      `No function ${name} is in the BTF of vmlinux (${vmlinuxBtf.count('func')} functions) or of ${facts.moduleBtfs.length} modules${listed ? ', though /proc/kallsyms has it' : ''}. ${listed ? 'A kfunc must be in BTF: this kernel has it for itself only.' : 'This kernel does not have it, or its module is not loaded.'}`,
    );
  }
  const localBtf = objectBtf(spec);
  const type = formatType(found.btf, found.type.type);
  if (!typesAreCompatible(localBtf, extern.typeId, found.btf, found.type.type)) {
    return missing(
      extern,
      'KFUNC_PROTO_MISMATCH',
      `${extern.name} is declared as ${formatType(localBtf, extern.typeId)}, but in the BTF of ${found.module ?? 'vmlinux'} ${name} is ${type}. Declare it as this kernel has it.`,
    );
  }
  const declaration = printWithDefinition(found.btf, found.type.id);
  return { result: 'btf-id', id: found.type.id, module: found.module, type, declaration };
}
