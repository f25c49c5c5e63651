import type { Btf } from '../btf/btf.ts';
import type { BtfKind } from '../btf/types.ts';
import type { ExternSpec, ObjectContent, ProgramSpec, StructOpsSpec } from '../object/spec.ts';
import { essentialName } from '../resolve/essential-name.ts';
import { takesAddress } from '../resolve/kfunc.ts';

/** Whether anything in the object refers to the kernel's types, variables or functions, so that its BTF is wanted. */
export function asksForTypes(spec: ObjectContent): boolean {
  return (
    spec.externs.some(({ kind }) => kind !== 'typeless') ||
    spec.programs.some((program) => program.coreRelocations.length > 0 || attachesByName(program)) ||
    spec.maps.some(({ type }) => type === STRUCT_OPS)
  );
}

/** Whether a program names a variable or a function by its BTF id in a 64-bit load. */
export function asksForBtfIds(spec: ObjectContent): boolean {
  return spec.externs.some(({ kind, name }) => kind === 'typed' || (kind === 'kfunc' && takesAddress(spec, name)));
}

/**
 * Whether a typed extern names the first per-CPU variable of vmlinux. On x86-64 before 6.15 its address is 0, which the kernel takes for none
 * (check_pseudo_btf_id, kernel/bpf/verifier.c); of all facts only kallsyms tells.
 */
export function namesFirstPerCpu(spec: ObjectContent, vmlinux: Btf): boolean {
  const first = vmlinux.find('.data..percpu', 'datasec')?.entries[0];
  if (first === undefined || first.offset !== 0) return false;
  const { name } = vmlinux.type(first.type);
  return spec.externs.some((extern) => extern.kind === 'typed' && extern.name === name);
}

/** Whether the object refers to something that vmlinux does not have, so that a module may: externs, attach targets, types of CO-RE relocations. */
export function lacksInVmlinux(spec: ObjectContent, vmlinux: Btf): boolean {
  return (
    spec.externs.some((extern) => extern.kind !== 'typeless' && !hasExtern(extern, vmlinux)) ||
    spec.programs.some((program) => attachesByName(program) && !hasTarget(program, vmlinux)) ||
    spec.maps.some(({ structOps }) => structOps !== undefined && !hasStruct(structOps, vmlinux)) ||
    lacksType(spec, vmlinux)
  );
}

/** `BPF_MAP_TYPE_STRUCT_OPS` (enum bpf_map_type). */
const STRUCT_OPS = 26;

function attachesByName({ type, attachTarget }: ProgramSpec): boolean {
  return attachTarget !== null && (type === 'tracing' || type === 'lsm');
}

/** What stands for the struct in the kernel (struct bpf_struct_ops_value and its like, kernel/bpf/bpf_struct_ops.c). */
function hasStruct({ type }: StructOpsSpec, vmlinux: Btf): boolean {
  return vmlinux.find(`bpf_struct_ops_${essentialName(type)}`, 'struct') !== undefined;
}

function hasExtern({ kind, name }: ExternSpec, vmlinux: Btf): boolean {
  return kind === 'kfunc'
    ? vmlinux.find(essentialName(name), 'func') !== undefined
    : vmlinux.find(name, 'var') !== undefined;
}

/** What stands before the target in the name of the type that stands for it (find_attach_btf_id in libbpf's `src/libbpf.c`). */
const PREFIXES: readonly { readonly prefix: string; readonly kind: BtfKind }[] = [
  { prefix: '', kind: 'func' },
  { prefix: 'btf_trace_', kind: 'typedef' },
  { prefix: 'bpf_lsm_', kind: 'func' },
  { prefix: 'bpf_iter_', kind: 'func' },
];

function hasTarget({ attachTarget }: ProgramSpec, vmlinux: Btf): boolean {
  return PREFIXES.some(({ prefix, kind }) => vmlinux.find(`${prefix}${attachTarget ?? ''}`, kind) !== undefined);
}

/** As bpf_core_find_cands in libbpf's `src/libbpf.c`: modules are asked for a type only if vmlinux has none of that name and kind. */
function lacksType({ btf, programs }: ObjectContent, vmlinux: Btf): boolean {
  if (btf === null) return false;
  const roots = new Set(programs.flatMap(({ coreRelocations }) => coreRelocations.map(({ typeId }) => typeId)));
  return [...roots].some((id) => {
    const { name, kind } = btf.type(id);
    if (name === '') return false;
    const kinds: readonly BtfKind[] = kind === 'enum' || kind === 'enum64' ? ['enum', 'enum64'] : [kind];
    return kinds.every((one) => vmlinux.find(essentialName(name), one) === undefined);
  });
}
