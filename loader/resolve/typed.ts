import { type Btf, MAX_RESOLVE_DEPTH, type TypeId } from '../btf/btf.ts';
import { typesAreCompatible } from '../btf/compat.ts';
import { formatType } from '../btf/format.ts';
import { printWithDefinition } from '../btf/print-c.ts';
import type { ExternSpec, ObjectContent } from '../object/spec.ts';
import { findInKernel, objectBtf } from './kernel-types.ts';
import {
  hiddenInModule,
  missing,
  typelessAdvice,
  type Whereabouts,
  whereabouts,
  withoutKernelBtf,
  wrong,
} from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';

/** Looks a typed ksym up as VAR in the kernel's BTF, by its full name; kallsyms serves to explain, never to decide. */
export function resolveTyped(spec: ObjectContent, extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  const { name } = extern;
  if (facts.btfIdLoads === false) {
    return missing(
      extern,
      'KERNEL_TOO_OLD_FOR_BTF_ID',
      `This kernel refuses instructions that name a variable by its BTF id, which typed externs need: they came with Linux 5.10. ${typelessAdvice(name)}`,
    );
  }
  const { vmlinuxBtf } = facts;
  if (vmlinuxBtf === null) return withoutKernelBtf(extern);
  const found = findInKernel(name, 'var', vmlinuxBtf, facts);
  if (found === undefined) return explainAbsence(extern, vmlinuxBtf, facts);
  const localBtf = objectBtf(spec);
  const local = localBtf.resolve(extern.typeId);
  const target = found.btf.resolve(found.type.type);
  const type = formatType(found.btf, found.type.type);
  if (!typesAreCompatible(localBtf, local.id, found.btf, target.id)) {
    const forward = forwardDeclared(localBtf, local.id);
    const advice =
      forward === null
        ? "Declare it with the kernel's type"
        : `The object only announces ${forward} without defining it: give it a definition, if an empty one`;
    const excuse = extern.weak ? '; being __weak excuses a variable that is missing, not one of another type' : '';
    return wrong(
      'INCOMPATIBLE_TYPE',
      `${name} is declared as ${formatType(localBtf, extern.typeId)}, but in the BTF of ${found.module ?? 'vmlinux'} it is ${type}. ${advice}${excuse}.`,
    );
  }
  const declaration = printWithDefinition(found.btf, found.type.id);
  return { result: 'btf-id', id: found.type.id, module: found.module, type, declaration };
}

/** The struct or union at the end of pointers and arrays that the object never defines: libbpf does not take a forward declaration for the real thing. */
function forwardDeclared(btf: Btf, id: TypeId): string | null {
  let type = btf.resolve(id);
  for (let depth = 0; depth < MAX_RESOLVE_DEPTH && (type.kind === 'ptr' || type.kind === 'array'); depth++) {
    type = btf.resolve(type.type);
  }
  return type.kind === 'fwd' ? formatType(btf, type.id) : null;
}

function explainAbsence(extern: ExternSpec, vmlinux: Btf, facts: KernelFacts): ExternOutcome {
  const { name } = extern;
  const place = whereabouts(name, 'variable', facts);
  const hidden = hiddenInModule(extern, place, facts);
  if (hidden !== null) return hidden;
  const count = vmlinux.count('var');
  if (count === 0 && place.at !== 'module') {
    const advice = place.at === 'nowhere' ? '/proc/kallsyms does not have it either.' : typelessAdvice(name);
    return missing(
      extern,
      'NO_VARS_IN_KERNEL_BTF',
      `The BTF of this kernel lists no variable at all, so no typed extern can be found: it was built with a pahole that does not list per-CPU variables, or lists them wrongly (before 1.22). ${advice}`,
    );
  }
  return missing(
    extern,
    'VAR_NOT_IN_BTF',
    `${describeSearch(name, count, place, facts)} ${adviseVariable(extern, place)}`,
  );
}

function describeSearch(name: string, count: number, place: Whereabouts, facts: KernelFacts): string {
  const modules = facts.moduleBtfs.length;
  const also = modules === 0 ? '' : `, nor of ${modules} ${modules === 1 ? 'module' : 'modules'}`;
  const searched = `${name} is not among the ${count} variables in the BTF of vmlinux${also}`;
  if (place.at === 'kernel')
    return `${searched}, though /proc/kallsyms has it: kernels list only per-CPU variables there.`;
  if (place.at === 'module') return `${searched}, though /proc/kallsyms has it in module ${place.module}.`;
  if (place.at === 'nowhere') return `${searched}, and /proc/kallsyms does not have it either.`;
  if (place.at === 'unlisted') return `${searched}; /proc/kallsyms lists functions alone (no CONFIG_KALLSYMS_ALL).`;
  return `${searched}; /proc/kallsyms could not be asked.`;
}

function adviseVariable({ name, weak }: ExternSpec, place: Whereabouts): string {
  if (place.at === 'kernel' || place.at === 'module') return typelessAdvice(name);
  return `This kernel may not have it${weak ? '' : '; declare it __weak if the program can do without'}.`;
}
