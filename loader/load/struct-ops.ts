import type { Btf, BtfOfKind } from '../btf/btf.ts';
import { ObjectError } from '../errors.ts';
import type { MapSpec, ObjectContent, ProgramSpec, StructOpsSpec } from '../object/spec.ts';
import { usersOf } from '../object/struct-ops.ts';
import type { AttachTarget } from '../programs/attach-target.ts';
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
  readonly targets: ReadonlyMap<string, AttachTarget>;
  /** Modules that structs are in. */
  readonly modules: readonly string[];
}

/** What stands before a struct's name in the name of its map's value (struct bpf_struct_ops_value and its like, kernel/bpf/bpf_struct_ops.c). */
const VALUE_PREFIX = 'bpf_struct_ops_';
/**
 * Finds the kernel's counterparts of the structs that an object implements, as bpf_map__init_kern_struct_ops does (libbpf's src/libbpf.c), in
 * vmlinux and then in the modules (Linux 6.9). Loading creates the maps and checks the programs; the kernel begins to use them when the map's value is written, which this library leaves alone.
 * @throws ObjectError `struct-ops-not-in-kernel` if the kernel has no such struct or member, `struct-ops-unused` for a program that no map names,
 *   `struct-ops-reused` for one that implements two members
 */
export function planStructOps(
  { maps, programs }: Selection,
  spec: ObjectContent,
  facts: Pick<KernelFacts, 'vmlinuxBtf' | 'moduleBtfs'>,
): StructOpsPlan {
  const targets = new Map<string, AttachTarget>();
  const kernelTypes = (map: MapSpec, ops: StructOpsSpec): KernelStruct => findStruct(map, ops, spec, facts);
  const implemented = ([map, ops, member]: ReturnType<typeof usersOf>[number]) => {
    const { struct, module } = kernelTypes(map, ops);
    const index = struct.members.findIndex(({ name }) => name === member);
    if (index === -1) throw missing(map, spec, `struct ${struct.name} of this kernel has no member ${member}`);
    return { id: struct.id, module, index, path: `${struct.name}.${member}` };
  };
  const planned = programs.map((program): ProgramSpec => {
    if (program.type !== 'struct_ops') return program;
    const [first, ...others] = usersOf(program.name, spec).map((user) => implemented(user));
    if (first === undefined) throw unused(program, spec);
    const differs = others.find(
      ({ id, module, index }) => id !== first.id || module !== first.module || index !== first.index,
    );
    if (differs !== undefined) throw reused(program, spec, [first.path, differs.path]);
    const { id, module, index } = first;
    targets.set(program.name, { id, module });
    return { ...program, attachType: index };
  });
  const created = maps.map((map): MapSpec => {
    if (map.structOps === undefined) return map;
    const { value, module } = kernelTypes(map, map.structOps);
    const kernelType = { kernelTypeId: value.id, ...(module === null ? {} : { kernelModule: module }) };
    return { ...map, valueSize: value.size, structOps: { ...map.structOps, ...kernelType } };
  });
  const modules = created.flatMap(({ structOps }) => structOps?.kernelModule ?? []);
  return { maps: created, programs: planned, targets, modules };
}

interface KernelStruct {
  readonly struct: BtfOfKind<'struct'>;
  readonly value: BtfOfKind<'struct'>;
  /** Null for vmlinux. */
  readonly module: string | null;
}

function findStruct(
  map: MapSpec,
  ops: StructOpsSpec,
  spec: ObjectContent,
  { vmlinuxBtf, moduleBtfs }: Pick<KernelFacts, 'vmlinuxBtf' | 'moduleBtfs'>,
): KernelStruct {
  if (vmlinuxBtf === null) throw missing(map, spec, 'the kernel has no BTF');
  const name = essentialName(ops.type);
  const places: readonly { readonly name: string | null; readonly btf: Btf }[] = [
    { name: null, btf: vmlinuxBtf },
    ...moduleBtfs,
  ];
  for (const { name: module, btf } of places) {
    // A module's own value may hold a struct that vmlinux has.
    const value = btf.find(`${VALUE_PREFIX}${name}`, 'struct', { own: true });
    const struct = value === undefined ? undefined : btf.find(name, 'struct');
    if (value !== undefined && struct !== undefined) return { struct, value, module };
  }
  const count = moduleBtfs.length;
  const also = count === 0 ? '' : ` or of ${count} ${count === 1 ? 'module' : 'modules'}`;
  const lacking = vmlinuxBtf.find(name, 'struct') === undefined ? name : `${VALUE_PREFIX}${name}`;
  throw missing(map, spec, `there is no struct ${lacking} in the BTF of vmlinux${also}`);
}

function missing({ name }: MapSpec, spec: ObjectContent, why: string): ObjectError {
  const position = { file: spec.name, section: '.struct_ops', symbol: name };
  return new ObjectError(
    'struct-ops-not-in-kernel',
    'this kernel has nothing that the struct could implement',
    position,
    {
      why,
      fix: 'Load it on a kernel that has the struct, and load its module first if it is in one (their BTF takes CAP_SYS_ADMIN).',
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

function reused({ name, section }: ProgramSpec, spec: ObjectContent, members: readonly string[]): ObjectError {
  const position = { file: spec.name, section, symbol: name };
  return new ObjectError('struct-ops-reused', 'a program implements two members', position, {
    why: `it is assigned to ${members.join(' and to ')}, and the kernel checks a program for one member`,
    fix: 'Write a program for each.',
  });
}
