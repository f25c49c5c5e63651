import type { Btf } from '../btf/btf.ts';
import type { DatasecLayout } from '../btf/datasec-layout.ts';
import type { CoreRelocation, LineInfo } from '../btf/ext.ts';
import type { TypeId } from '../btf/types.ts';

/**
 * What an ELF object says, and nothing about any kernel: the same bytes give the same content on every machine.
 * Plain data, made by `parseObject`, read by the resolve and load steps. `ObjectSpec` is the same with methods to look things up and edit
 * them; what may be edited before a load is not `readonly` here.
 */
export interface ObjectContent {
  /** Name for messages, usually the file's path. */
  readonly name: string;
  readonly byteOrder: 'little' | 'big';
  /** The `license` section's string; empty if the object has none. */
  readonly license: string;
  /** The object's own BTF; null if it was compiled without. */
  readonly btf: Btf | null;
  /** Sizes and offsets of data sections that clang leaves out of the BTF and the kernel wants in it. */
  readonly datasecLayout: DatasecLayout;
  readonly programs: readonly ProgramSpec[];
  /** Maps from `.maps`, those of `struct_ops`, one array map for each global data section, and `.kconfig` if there are such externs. */
  readonly maps: readonly MapSpec[];
  /** Global variables in data sections. */
  readonly variables: readonly VariableSpec[];
  /** Undefined symbols of `.ksyms`. */
  readonly externs: readonly ExternSpec[];
  /** Undefined symbols of `.kconfig`, whose values are laid out in the map `.kconfig` of {@link ObjectContent.maps}. Absent: none. */
  readonly kconfig?: readonly KconfigSpec[];
}

/** A BPF program with its subprograms already appended, so that the code is one run of instructions. */
export interface ProgramSpec {
  /** The function's name. */
  readonly name: string;
  /** The ELF section, for example `tp_btf/sched_switch`. */
  readonly section: string;
  type: ProgramType;
  /** Expected attach type (`enum bpf_attach_type`), where the program type wants one. */
  attachType: number | null;
  /** What follows the slash in the section's name: a kernel function, tracepoint … */
  attachTarget: string | null;
  /** `fentry.s/…` and friends: BPF_F_SLEEPABLE. */
  sleepable: boolean;
  /** False for `SEC("?…")`: to be loaded only when asked for by name. */
  autoload: boolean;
  /** Further BPF_F_… for BPF_PROG_LOAD, such as BPF_F_XDP_HAS_FRAGS of `xdp.frags`. Absent: none. */
  flags?: number;
  /** Instructions as the kernel takes them (`struct bpf_insn`, 8 bytes a slot), before relocation against maps and the kernel. */
  readonly code: Uint8Array;
  /** Places in {@link ProgramSpec.code} that wait for a map, a variable, an extern or a subprogram's address. */
  readonly references: readonly Reference[];
  /** The program itself first, then every subprogram appended to it, in order of `slot`. */
  readonly functions: readonly FunctionSpec[];
  /** Line information, `slot` relative to {@link ProgramSpec.code}, ascending. */
  readonly lines: readonly LineInfo[];
  /** CO-RE relocations, which wait for the kernel's types; `slot` relative to {@link ProgramSpec.code}, ascending. */
  readonly coreRelocations: readonly CoreRelocation[];
}

/** A function within a program's code. */
export interface FunctionSpec {
  readonly name: string;
  /** First instruction slot in the program's code. */
  readonly slot: number;
  /** The BTF FUNC, null without BTF. */
  readonly typeId: TypeId | null;
  /** Hidden functions count as static: the verifier is to check them within their callers. */
  readonly linkage: 'static' | 'global' | 'weak';
  /** Where it came from, for messages: ELF section and slot in that section. */
  readonly origin: { readonly section: string; readonly slot: number };
}

/** One relocation, in terms of what it refers to. `slot` is the instruction's slot in the program's code. */
export type Reference =
  /** `ld_imm64` of a map: becomes BPF_PSEUDO_MAP_FD. */
  | { readonly kind: 'map'; readonly slot: number; readonly map: string }
  /** `ld_imm64` of a place in a data section: becomes BPF_PSEUDO_MAP_VALUE of the section's map plus `offset` bytes. */
  | { readonly kind: 'data'; readonly slot: number; readonly map: string; readonly offset: number }
  /** `ld_imm64` of an extern variable or of a kfunc's address. */
  | { readonly kind: 'extern'; readonly slot: number; readonly extern: string }
  /** `call` of a kfunc. */
  | { readonly kind: 'extern-call'; readonly slot: number; readonly extern: string }
  /** `ld_imm64` of a static subprogram (a callback): BPF_PSEUDO_FUNC, already pointing at `function`'s slot. */
  | { readonly kind: 'function'; readonly slot: number; readonly function: string };

/** A map as the object declares it. */
export interface MapSpec {
  readonly name: string;
  /** `enum bpf_map_type`. */
  type: number;
  /** Bytes. */
  keySize: number;
  /** Bytes. */
  valueSize: number;
  maxEntries: number;
  /** BPF_F_… of map creation. */
  flags: number;
  /** BTF type of key and value in the object's BTF; null where not known. */
  readonly keyTypeId: TypeId | null;
  readonly valueTypeId: TypeId | null;
  /** A global data section's content (zeroes for .bss); null for maps from `.maps`. */
  data: Uint8Array | null;
  /** True for .rodata: frozen after it was filled, so that the verifier sees constants. */
  readonly frozen: boolean;
  /** The map type's own number (`map_extra`): hash functions of a bloom filter, the address of an arena. Absent: 0. */
  mapExtra?: number | bigint;
  /** What an arena's variables (`.addr_space.1`) are at first, from its start. Absent: it has none. */
  arenaData?: Uint8Array;
  /** NUMA node for BPF_F_NUMA_NODE. Absent: none. */
  numaNode?: number;
  /** `LIBBPF_PIN_BY_NAME` where the object asks for it: pinned as `PIN_FOLDER/NAME`, and reused from there. Absent: not pinned. */
  pinning?: 'by-name';
  /** What the elements of an array or hash of maps look like. Absent: no map of maps. */
  inner?: MapSpec;
  /** False for a map that is created only when asked for: of section `?.struct_ops`. Absent: true. */
  autocreate?: boolean;
  /** Which of a kernel's structs a map of `struct_ops` implements. Absent: any other map. */
  readonly structOps?: StructOpsSpec;
  /** Elements that the object initialises (`.values`): maps in a map of maps, programs in a program array. Absent: none. */
  readonly initial?: readonly InitialElement[];
}

/** `SEC(".struct_ops") struct tcp_congestion_ops ops = { .ssthresh = (void *)program, … }`. */
export interface StructOpsSpec {
  /** The struct's name in the object; what follows `___` in it is not the kernel's (see essentialName). */
  readonly type: string;
  /** Members that programs of this object implement. */
  readonly members: readonly { readonly name: string; readonly program: string }[];
  /** Type of the map's value in the kernel's BTF: the load step fills it in. */
  readonly kernelTypeId?: TypeId;
  /** The module whose BTF that type is in: filled in as well; absent for vmlinux. */
  readonly kernelModule?: string;
}

/** `.values = { [2] = &inner }` or `{ [0] = (void *)&program }`. */
export interface InitialElement {
  readonly index: number;
  readonly kind: 'map' | 'program';
  /** The map's or program's name in the same object. */
  readonly name: string;
}

/** A global variable in a data section. */
export interface VariableSpec {
  readonly name: string;
  /** The data section's map, by its name in {@link ObjectContent.maps}. */
  readonly map: string;
  /** Bytes from the start of the section. */
  readonly offset: number;
  readonly size: number;
  readonly typeId: TypeId | null;
}

/** An extern of `.kconfig`: `extern int CONFIG_HZ __kconfig;`, or one of libbpf's virtual ones, `LINUX_KERNEL_VERSION` and `LINUX_HAS_…`. */
export interface KconfigSpec {
  readonly name: string;
  /** STB_WEAK: zero where the kernel's configuration does not have it. */
  readonly weak: boolean;
  /** The variable's type in the object's BTF. */
  readonly typeId: TypeId;
  /** Bytes from the start of the map `.kconfig`. */
  readonly offset: number;
  readonly size: number;
}

/** An extern of `.ksyms`. */
export interface ExternSpec {
  readonly name: string;
  /** typeless: declared `void`; typed: a variable with a type; kfunc: a function. */
  readonly kind: 'typeless' | 'typed' | 'kfunc';
  /** STB_WEAK: may be missing, and is then NULL. */
  readonly weak: boolean;
  /** The type in the object's BTF: of the variable (for typed), the FUNC_PROTO (for kfunc), void's 0 for typeless. */
  readonly typeId: TypeId;
}

/** `enum bpf_prog_type` without its prefix. `unspecified` is what an unknown section name gives; no kernel loads it. */
export type ProgramType =
  | 'unspecified'
  | 'socket_filter'
  | 'kprobe'
  | 'sched_cls'
  | 'sched_act'
  | 'tracepoint'
  | 'xdp'
  | 'perf_event'
  | 'cgroup_skb'
  | 'cgroup_sock'
  | 'lwt_in'
  | 'lwt_out'
  | 'lwt_xmit'
  | 'sock_ops'
  | 'sk_skb'
  | 'cgroup_device'
  | 'sk_msg'
  | 'raw_tracepoint'
  | 'cgroup_sock_addr'
  | 'lwt_seg6local'
  | 'lirc_mode2'
  | 'sk_reuseport'
  | 'flow_dissector'
  | 'cgroup_sysctl'
  | 'raw_tracepoint_writable'
  | 'cgroup_sockopt'
  | 'tracing'
  | 'struct_ops'
  | 'ext'
  | 'lsm'
  | 'sk_lookup'
  | 'syscall'
  | 'netfilter';
