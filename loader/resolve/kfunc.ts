import type { Btf, BtfOfKind, TypeId } from '../btf/btf.ts';
import { typesAreCompatible } from '../btf/compat.ts';
import { formatType } from '../btf/format.ts';
import { printWithDefinition } from '../btf/print-c.ts';
import type { ExternSpec, ObjectContent } from '../object/spec.ts';
import { essentialName } from './essential-name.ts';
import { findInKernel, type KernelType, objectBtf } from './kernel-types.ts';
import { hiddenInModule, missing, orDoWithout, withoutKernelBtf } from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';
import { whereabouts } from './whereabouts.ts';

/**
 * Looks a kfunc up as FUNC in the kernel's BTF, by its name without flavour, and compares the prototypes. A prototype that
 * differs makes a weak kfunc NULL, unlike a weak variable (bpf_object__resolve_ksym_func_btf_id in libbpf's `src/libbpf.c`).
 */
export function resolveKfunc(spec: ObjectContent, extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  const { vmlinuxBtf } = facts;
  if (vmlinuxBtf === null) return withoutKernelBtf(extern);
  const name = essentialName(extern.name);
  const found = findInKernel(name, 'func', vmlinuxBtf, facts);
  if (found === undefined) return notFound(extern, name, vmlinuxBtf, facts);
  const localBtf = objectBtf(spec);
  const type = formatType(found.btf, found.type.type);
  if (!typesAreCompatible(localBtf, extern.typeId, found.btf, found.type.type)) {
    const place = found.module ?? 'vmlinux';
    return missing(
      extern,
      'KFUNC_PROTO_MISMATCH',
      `${extern.name} is declared as ${formatType(localBtf, extern.typeId)}, but in the BTF of ${place} ${name} is ${type}.`,
      adviseDeclaration(localBtf, extern.typeId, found),
    );
  }
  if (facts.functionIdLoads === false && takesAddress(spec, extern.name)) {
    // Neither libbpf nor cilium/ebpf look: the verifier refuses such a program, weak extern or not.
    return missing(
      extern,
      'KFUNC_ADDRESS_UNSUPPORTED',
      `The program takes the address of ${name}, as bpf_ksym_exists() does. This kernel has the function, but lets a program only call it: addresses of kernel functions came with Linux 6.4.`,
      'Call it without asking whether it exists; in programs for older kernels as well, choose by a variable that is set before loading.',
    );
  }
  const declaration = printWithDefinition(found.btf, found.type.id);
  return { result: 'btf-id', id: found.type.id, module: found.module, type, declaration };
}

/** Whether any program loads the extern's address, rather than only calling it. */
export function takesAddress(spec: ObjectContent, extern: string): boolean {
  return spec.programs.some(({ references }) =>
    references.some((reference) => reference.kind === 'extern' && reference.extern === extern),
  );
}

function notFound(extern: ExternSpec, name: string, vmlinux: Btf, facts: KernelFacts): ExternOutcome {
  const place = whereabouts(name, 'function', facts);
  const hidden = hiddenInModule(extern, place, facts);
  if (hidden !== null) return hidden;
  const listed = place.at === 'kernel' || place.at === 'module';
  const older = findInKernel(`${name}${IMPLEMENTATION}`, 'func', vmlinux, facts);
  if (older !== undefined) {
    return missing(
      extern,
      'KFUNC_NOT_FOUND',
      `No function ${name} is in this kernel's BTF, but ${older.type.name} is: before Linux 7.0 the program passes the kernel's own arguments as well.`,
      `Declare ${older.type.name} for this kernel, ${formatType(older.btf, older.type.type)}, as __weak, and ${name} as well: the one that bpf_ksym_exists() finds is the one to call.`,
    );
  }
  const modules = facts.moduleBtfs.length;
  const also = modules === 0 ? '' : ` or of ${modules} ${modules === 1 ? 'module' : 'modules'}`;
  return missing(
    extern,
    'KFUNC_NOT_FOUND',
    `No function ${name} is in the BTF of vmlinux (${vmlinux.count('func')} functions)${also}${listed ? ', though /proc/kallsyms has it: this kernel has it for itself only' : ''}.`,
    `${listed ? 'A kfunc must be in BTF: use another function.' : 'Load the module that has it, if it is in one, or use a kernel that has it.'}${orDoWithout(extern)}`,
  );
}

/**
 * What the names of functions end in that take the kernel's own arguments from the program. From 7.0 on BTF has each of them twice, the one without the ending being
 * the one to declare, while `void *` of older declarations is no longer compatible with `struct bpf_prog_aux *` (seen: bpf_wq_set_callback_impl of 6.12 on 7.3).
 */
const IMPLEMENTATION = '_impl';

type Parameters = BtfOfKind<'func_proto'>['params'];

/** What to declare in place of a prototype that is not the kernel's. */
function adviseDeclaration(localBtf: Btf, localId: TypeId, found: KernelType<'func'>): string {
  const { name } = found.type;
  const twin = name.endsWith(IMPLEMENTATION) ? name.slice(0, -IMPLEMENTATION.length) : '';
  const without = twin === '' ? undefined : found.btf.find(twin, 'func');
  if (without !== undefined) {
    return `From Linux 7.0 on the kernel passes the last arguments by itself (KF_IMPLICIT_ARGS): declare ${twin}, ${formatType(found.btf, without.type)}. A program for several kernels declares both as __weak, and calls the one that bpf_ksym_exists() finds.`;
  }
  const advice = adviseImplicit(localBtf, localId, found) ?? 'Declare it as this kernel has it.';
  return `${advice} A program for several kernels can declare it once for each, as __weak ${name}___SUFFIX.`;
}

/**
 * What to do where one prototype is the other with one more parameter at its end, which the kernel fills in by itself (KF_IMPLICIT_ARGS,
 * Linux 7.0: `struct bpf_prog_aux *` and such). Null where it is something else.
 */
function adviseImplicit(localBtf: Btf, localId: TypeId, found: KernelType<'func'>): string | null {
  const kernelBtf = found.btf;
  const local = parameters(localBtf, localId);
  const kernel = parameters(kernelBtf, found.type.type);
  if (kernel.length === local.length + 1 && isImplicit(kernelBtf, kernel)) {
    return (
      'The last argument is the kernel’s own (KF_IMPLICIT_ARGS): its BTF should not show it, and does where it was made by a pahole before 1.26. ' +
      'Use a kernel that was built with a newer one.'
    );
  }
  if (local.length === kernel.length + 1 && isImplicit(localBtf, local)) {
    return 'The last argument is no longer the program’s: from Linux 7.0 on the kernel passes it by itself (KF_IMPLICIT_ARGS). Declare it without.';
  }
  return null;
}

function parameters(btf: Btf, id: TypeId): Parameters {
  const proto = btf.resolve(id);
  return proto.kind === 'func_proto' ? proto.params : [];
}

/** Names of the structs whose pointers the verifier passes by itself (is_kfunc_arg_implicit, kernel/bpf/verifier.c). */
const IMPLICIT = new Set(['bpf_prog_aux', 'btf_struct_meta']);

function isImplicit(btf: Btf, params: Parameters): boolean {
  const last = params.at(-1);
  if (last === undefined) return false;
  const pointer = btf.resolve(last.type);
  return pointer.kind === 'ptr' && IMPLICIT.has(btf.resolve(pointer.type).name);
}
