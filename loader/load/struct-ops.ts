import type { Btf, BtfOfKind } from '../btf/btf.ts';
import { ObjectError } from '../errors.ts';
import type { MapSpec, ObjectContent, ProgramSpec, StructOpsSpec } from '../object/spec.ts';
import { usersOf } from '../object/struct-ops.ts';
import type { ProgramTarget } from '../programs/program-target.ts';
import { essentialName } from '../resolve/essential-name.ts';
import type { KernelFacts } from '../resolve/outcome.ts';
import type { Selection } from './select.ts';

/** What becomes of the parts of an object that implement structs of a kernel. */
export interface StructOpsPlan {
  /** All maps; those of struct_ops as that kernel lays out their value. */
  readonly maps: readonly MapSpec[];
  /** All programs; those of struct_ops with the index of the member that they implement as expected attach type. */
  readonly programs: readonly ProgramSpec[];
  /** The kernel's struct for each program of struct_ops, by the program's name. */
  readonly targets: ReadonlyMap<string, ProgramTarget>;
}

/** What stands before a struct's name in the name of its map's value (struct bpf_struct_ops_value and its like, kernel/bpf/bpf_struct_ops.c). */
const VALUE_PREFIX = 'bpf_struct_ops_';
/** attach_btf_obj_fd of the kernel's own BTF. */
const VMLINUX = 0;

/**
 * Finds the kernel's counterparts of the structs that an object implements, as bpf_map__init_kern_struct_ops does (libbpf's src/libbpf.c), for
 * structs of vmlinux. Loading creates the maps and checks the programs; the kernel begins to use them when the map's value is written, which this library leaves alone.
 * @throws ObjectError `struct-ops-not-in-kernel` if the kernel has no such struct or member, `struct-ops-unused` for a program that no map names
 */
export function planStructOps(
  { maps, programs }: Selection,
  spec: ObjectContent,
  facts: Pick<KernelFacts, 'vmlinuxBtf'>,
): StructOpsPlan {
  const targets = new Map<string, ProgramTarget>();
  const kernelTypes = (map: MapSpec, ops: StructOpsSpec): KernelStruct => findStruct(map, ops, spec, facts.vmlinuxBtf);
  const planned = programs.map((program): ProgramSpec => {
    if (program.type !== 'struct_ops') return program;
    const [map, ops, member] = usersOf(program.name, spec)[0] ?? [];
    if (map === undefined || ops === undefined || member === undefined) throw unused(program, spec);
    const { struct } = kernelTypes(map, ops);
    const index = struct.members.findIndex(({ name }) => name === member);
    if (index === -1) throw missing(map, spec, `struct ${struct.name} of this kernel has no member ${member}`);
    targets.set(program.name, { id: struct.id, fd: VMLINUX });
    return { ...program, attachType: index };
  });
  const created = maps.map((map): MapSpec => {
    if (map.structOps === undefined) return map;
    const { value } = kernelTypes(map, map.structOps);
    return { ...map, valueSize: value.size, structOps: { ...map.structOps, kernelTypeId: value.id } };
  });
  return { maps: created, programs: planned, targets };
}

interface KernelStruct {
  readonly struct: BtfOfKind<'struct'>;
  readonly value: BtfOfKind<'struct'>;
}

function findStruct(map: MapSpec, ops: StructOpsSpec, spec: ObjectContent, vmlinux: Btf | null): KernelStruct {
  const name = essentialName(ops.type);
  const struct = vmlinux?.find(name, 'struct');
  const value = vmlinux?.find(`${VALUE_PREFIX}${name}`, 'struct');
  if (struct !== undefined && value !== undefined) return { struct, value };
  if (vmlinux === null) throw missing(map, spec, 'the kernel has no BTF');
  const lacking = struct === undefined ? name : `${VALUE_PREFIX}${name}`;
  throw missing(map, spec, `there is no struct ${lacking} in the BTF of vmlinux`);
}

function missing({ name }: MapSpec, spec: ObjectContent, why: string): ObjectError {
  const position = { file: spec.name, section: '.struct_ops', symbol: name };
  return new ObjectError(
    'struct-ops-not-in-kernel',
    'this kernel has nothing that the struct could implement',
    position,
    {
      why,
      fix: 'Load it on a kernel that has the struct built in; those of modules are not looked for.',
    },
  );
}

function unused({ name, section }: ProgramSpec, spec: ObjectContent): ObjectError {
  const position = { file: spec.name, section, symbol: name };
  return new ObjectError('struct-ops-unused', 'no struct names the program', position, {
    why: 'what it may do depends on the member that it implements',
    fix: 'Assign it to a member of a variable in SEC(".struct_ops").',
  });
}
