import { type Btf, MAX_RESOLVE_DEPTH, type TypeId } from '../btf/btf.ts';
import { typesAreCompatible } from '../btf/compat.ts';
import { formatType } from '../btf/format.ts';
import { printWithDefinition } from '../btf/print-c.ts';
import type { ExternSpec, ObjectContent } from '../object/spec.ts';
import { explainVariableAbsence } from './absent-variable.ts';
import { findInKernel, type KernelType, objectBtf } from './kernel-types.ts';
import { missing, orDoWithout, typelessAdvice, withoutKernelBtf, wrong } from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';
import { listsFunctionsOnly } from './whereabouts.ts';

/** Looks a typed ksym up as VAR in the kernel's BTF, by its full name; kallsyms never decides what it is, only whether the kernel can find it. */
export function resolveTyped(spec: ObjectContent, extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  const { name } = extern;
  if (facts.btfIdLoads === false) {
    return missing(
      extern,
      'KERNEL_TOO_OLD_FOR_BTF_ID',
      `This kernel refuses instructions that name a variable by its BTF id, which typed externs such as ${name} need: they came with Linux 5.10.`,
      `${typelessAdvice(name)}${orDoWithout(extern)}`,
    );
  }
  const { vmlinuxBtf } = facts;
  if (vmlinuxBtf === null) return withoutKernelBtf(extern);
  const found = findInKernel(name, 'var', vmlinuxBtf, facts);
  if (found === undefined) return explainVariableAbsence(extern, vmlinuxBtf, facts);
  const localBtf = objectBtf(spec);
  const local = localBtf.resolve(extern.typeId);
  const target = found.btf.resolve(found.type.type);
  const type = formatType(found.btf, found.type.type);
  if (!typesAreCompatible(localBtf, local.id, found.btf, target.id)) {
    const forward = forwardDeclared(localBtf, local.id);
    const excuse = extern.weak ? ' Being __weak excuses a variable that is missing, not one of another type.' : '';
    return wrong(
      'INCOMPATIBLE_TYPE',
      `${name} is declared as ${formatType(localBtf, extern.typeId)}, but in the BTF of ${found.module ?? 'vmlinux'} it is ${type}.${excuse}`,
      forward === null
        ? `Declare it with the kernel's type, ${type}: integers and structs of any name and size are compatible, an integer and a struct are not.`
        : `The object only announces ${forward} without defining it: give it a definition, if an empty one.`,
    );
  }
  const unaddressed = withoutAddress(extern, found, facts);
  if (unaddressed !== null) return unaddressed;
  let declaration: string | undefined;
  return {
    ...{ result: 'btf-id', id: found.type.id, module: found.module, type },
    // Printed when it is asked for: a struct of a kernel has hundreds of members, and a load needs none of them.
    get declaration() {
      declaration ??= printWithDefinition(found.btf, found.type.id);
      return declaration;
    },
  };
}

/**
 * The outcome of a variable that BTF lists and whose address the kernel will not find. check_pseudo_btf_id (kernel/bpf/verifier.c) asks
 * kallsyms_lookup_name(), takes 0 for "not there", and refuses the program: -ENOENT, `ldimm64 failed to find the address for kernel symbol`.
 *
 * libbpf, cilium/ebpf and aya do not know of this: they let the verifier refuse, also where the extern is weak and the program prepared for NULL.
 * Here it is a reason like any other.
 */
function withoutAddress(extern: ExternSpec, found: KernelType<'var'>, facts: KernelFacts): ExternOutcome | null {
  const { name } = extern;
  const { kallsyms, btfIdAddresses } = facts;
  const entries = kallsyms?.find(name) ?? [];
  if (kallsyms !== null && !kallsyms.restricted && entries.length > 0) {
    // The first per-CPU variable of x86-64 before 6.15 is one (fixed_percpu_data); so is none in a module, whose areas are allocated.
    if (entries.some(({ address }) => address !== 0n)) return null;
    return missing(
      extern,
      'VAR_HAS_NO_ADDRESS',
      `${name} is in the BTF of vmlinux, and its address is 0, the very start of the per-CPU section: the kernel takes that for a symbol that it does not have, and refuses a program that names it.`,
      `${typelessAdvice(name, true)}${orDoWithout(extern)}`,
    );
  }
  const listsNone = kallsyms !== null && kallsyms.count > 0 && entries.length === 0 && listsFunctionsOnly(kallsyms);
  if (!listsNone && (btfIdAddresses !== false || entries.length > 0)) return null;
  return missing(
    extern,
    'VAR_HAS_NO_ADDRESS',
    `${name} is in the BTF of ${found.module ?? 'vmlinux'}, but this kernel cannot find its address: it was built without CONFIG_KALLSYMS_ALL, and its symbol table, the only place where it looks, has functions and no variables. It would refuse the program (ENOENT, "failed to find the address for kernel symbol").`,
    `Use a kernel that was built with CONFIG_KALLSYMS_ALL=y. On this one neither a typed nor a typeless extern reaches a variable; what a helper, a kfunc or a tracing program's argument gives still can be read.${orDoWithout(extern)}`,
  );
}

/** The struct or union at the end of pointers and arrays that the object never defines: libbpf does not take a forward declaration for the real thing. */
function forwardDeclared(btf: Btf, id: TypeId): string | null {
  let type = btf.resolve(id);
  for (let depth = 0; depth < MAX_RESOLVE_DEPTH && (type.kind === 'ptr' || type.kind === 'array'); depth++) {
    type = btf.resolve(type.type);
  }
  return type.kind === 'fwd' ? formatType(btf, type.id) : null;
}
