/** A BPF_PROG_LOAD that a loader made, as the kernel got it. */
export interface ObservedLoad {
  /** `prog_name`: the first 15 characters, empty if the loader gave none. */
  readonly name: string;
  /** `enum bpf_prog_type`. */
  readonly programType: number;
  /** `insn_cnt`. */
  readonly slots: number;
  /** `struct bpf_insn`, 8 bytes a slot: after everything that the loader put into them, before the verifier. Empty if they are more than 1 MiB. */
  readonly instructions: Uint8Array;
  /** 0 if the kernel took it. */
  readonly errno: number;
  /** The verifier's log, if the loader asked for one; empty if not. */
  readonly verifierLog: string;
  /** `fd_array`, as far as calls of kfuncs in the instructions reach into it. */
  readonly descriptors: readonly number[];
  /** {@link Observation.btfIds} as it was at that time: loaders that look through modules use a descriptor again and again. */
  readonly btfIds: ReadonlyMap<number, number>;
}

/** A BPF_MAP_CREATE. */
export interface ObservedMap {
  readonly name: string;
  /** `enum bpf_map_type`. */
  readonly type: number;
  readonly errno: number;
}

/** What a loader asked of the kernel, in order: all bpf(2) calls of its process and of those it started. */
export interface Observation {
  readonly loads: readonly ObservedLoad[];
  readonly maps: readonly ObservedMap[];
  /** BTF objects that it opened by id: descriptor to id, the last one where a descriptor was used again. */
  readonly btfIds: ReadonlyMap<number, number>;
  /** Errno of each BPF_BTF_LOAD, 0 where it was taken. */
  readonly btfLoads: readonly number[];
  /** Calls that were not recorded, because there were too many; 0 if the record is not complete. */
  readonly left: number;
  /** False if the observer ended before the command did: both were killed. */
  readonly complete: boolean;
}
