import type { Btf } from '../btf/btf.ts';
import type { Kallsyms } from './kallsyms.ts';
import type { KernelConfig } from './kernel-config.ts';

/** What the resolve step needs to know about a kernel. Plain data: tests make one by hand, the load step reads one through an agent. */
export interface KernelFacts {
  /** `/proc/kallsyms`, or null if it could not be read. */
  readonly kallsyms: Kallsyms | null;
  /** BTF of vmlinux, or null if the kernel has none. */
  readonly vmlinuxBtf: Btf | null;
  /**
   * Types that CO-RE relocations go by instead of those of vmlinux and the modules: for kernels without BTF, as libbpf's
   * `btf_custom_path` and cilium/ebpf's `KernelTypes`. Absent: the kernel's own.
   */
  readonly coreBtf?: Btf;
  /** Split BTF of each loaded module, in order of BTF object id; empty if none, or if not readable. */
  readonly moduleBtfs: readonly ModuleBtf[];
  /** Why {@link KernelFacts.moduleBtfs} may be incomplete; null if it is complete. */
  readonly moduleBtfsUnavailable: 'permission' | 'not-supported' | null;
  /** Whether BPF_PSEUDO_BTF_ID loads are accepted (5.10 and later), from one probe; null if it was not probed. */
  readonly btfIdLoads: boolean | null;
  /**
   * Whether the kernel finds the address of a per-CPU variable that its BTF lists, from the same probe. Without CONFIG_KALLSYMS_ALL its own
   * symbol table has no variables, and check_pseudo_btf_id (kernel/bpf/verifier.c) asks nothing else. Absent or null: not probed.
   */
  readonly btfIdAddresses?: boolean | null;
  /** Whether a 64-bit load takes the BTF id of a function (6.4, 58aa2afbb1e6), from a probe. Absent or null: not probed. */
  readonly functionIdLoads?: boolean | null;
  /** The kernel's configuration, for `__kconfig` externs, where it is known from elsewhere. Absent: read when an object asks for it. */
  readonly kernelConfig?: KernelConfig;
}

/** A module's split BTF. */
export interface ModuleBtf {
  readonly name: string;
  readonly btf: Btf;
}

/** Why an extern has no address or BTF id. Stable: programs and reports may branch on these. */
export type ReasonCode =
  | 'NOT_IN_KALLSYMS'
  | 'KALLSYMS_UNREADABLE'
  | 'KALLSYMS_RESTRICTED'
  | 'AMBIGUOUS'
  | 'NO_KERNEL_BTF'
  | 'NO_VARS_IN_KERNEL_BTF'
  | 'VAR_NOT_IN_BTF'
  | 'INCOMPATIBLE_TYPE'
  | 'KERNEL_TOO_OLD_FOR_BTF_ID'
  | 'VAR_HAS_NO_ADDRESS'
  | 'MODULE_BTF_EPERM'
  | 'MODULE_BTF_UNSUPPORTED'
  | 'MODULE_HAS_NO_BTF'
  | 'KFUNC_NOT_FOUND'
  | 'KFUNC_PROTO_MISMATCH'
  | 'KFUNC_ADDRESS_UNSUPPORTED';

/** What became of one extern. */
export interface ExternResolution {
  readonly name: string;
  readonly kind: 'typeless' | 'typed' | 'kfunc';
  readonly weak: boolean;
  readonly outcome: ExternOutcome;
}

/** What an extern is on a kernel: where it is, that it is NULL, or why the object cannot be loaded. */
export type ExternOutcome =
  /** A typeless ksym: the address is written into the instruction. */
  | { readonly result: 'address'; readonly address: bigint }
  /** A typed ksym or kfunc: the id in the BTF of vmlinux (`module` null) or of a module. */
  | {
      readonly result: 'btf-id';
      readonly id: number;
      readonly module: string | null;
      /** The type that the kernel gives it, on one line. */
      readonly type: string;
      /** The kernel's declaration in C, with the beginning of its struct; for people. */
      readonly declaration: string;
    }
  /** A weak extern that is missing: the program sees NULL. */
  | { readonly result: 'null'; readonly reason: ReasonCode; readonly explanation: string; readonly fix: string }
  /** The object cannot be loaded on this kernel. */
  | {
      readonly result: 'error';
      readonly reason: ReasonCode;
      /** What was looked for, where, and what was found instead; one or more sentences. */
      readonly explanation: string;
      /** What a person can do about it: to the kernel, to the program, or to the rights it runs with. */
      readonly fix: string;
      /** All addresses of an ambiguous symbol; otherwise absent. */
      readonly addresses?: readonly bigint[];
    };
