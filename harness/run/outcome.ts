import type { ExternResolution, ReasonCode } from '../../loader/resolve/outcome.ts';
import type { FailureClass, Phase } from '../config/schema.ts';
import type { ExternResult } from '../results/results.ts';
import type { MachineErrorCode } from '../vm/errors.ts';

/** What happened in a cell, whether expected or not. */
export interface Outcome {
  /** How far it came; `check` if everything worked. */
  readonly phase: Phase;
  /** `ok`, or the class of the failure. `infra` marks a fault of the harness or the host, never of the kernel. */
  readonly class: 'ok' | 'infra' | FailureClass;
  /** What broke, for `infra`, if a machine did: a stable name. */
  readonly fault?: MachineErrorCode;
  /** One sentence, or more if a machine was lost. */
  readonly message: string;
  /** By name, for example EACCES. */
  readonly errno?: string;
  /** The extern that could not be resolved. */
  readonly extern?: string;
  /** The BPF program, by its function's name, that was loaded or run when it failed; absent if that is not known. */
  readonly program?: string;
  /** What became of each extern, as far as the resolve step of our loader came. */
  readonly resolutions: readonly ExternResolution[];
  /** Of another loader: what each extern was in the instructions that the kernel got, as far as that can be told. */
  readonly externs?: readonly ExternResult[];
  /** Of another loader: what our own resolve step says of the object's externs, under this cell's settings. Known differences are asked about it. */
  readonly rules?: readonly ExternResolution[];
  /** Of another loader: what it printed. */
  readonly printed?: PrintedByLoader;
  readonly verifierLog?: string;
  /** Values of the checked variables after each run, for the evidence. */
  readonly values?: readonly ObservedValue[];
}

/** What a loader printed, for the evidence. */
export interface PrintedByLoader {
  /** Its messages, and what it wrote to its standard error; of one that follows no protocol, its standard output as well. */
  readonly log: string;
  /** The document that an adapter printed; null if there is none. */
  readonly document: string | null;
}

/** A variable read after a test run, beside what it was compared with. */
export interface ObservedValue {
  readonly program: string;
  readonly cpu: number;
  readonly variable: string;
  /** In hex. */
  readonly value: string;
  readonly relation: 'equals' | 'differs';
  /** In hex. */
  readonly truth: string;
  readonly holds: boolean;
}

/** The class of failure for each reason that the loader's resolve step gives. */
export const CLASS_OF_REASON: Readonly<Record<ReasonCode, FailureClass>> = {
  NOT_IN_KALLSYMS: 'ksym-not-in-kallsyms',
  KALLSYMS_UNREADABLE: 'kallsyms-unreadable',
  KALLSYMS_RESTRICTED: 'kallsyms-hidden',
  AMBIGUOUS: 'ksym-ambiguous',
  NO_KERNEL_BTF: 'btf-missing',
  NO_VARS_IN_KERNEL_BTF: 'btf-has-no-vars',
  VAR_NOT_IN_BTF: 'ksym-not-in-btf',
  INCOMPATIBLE_TYPE: 'ksym-type-mismatch',
  KERNEL_TOO_OLD_FOR_BTF_ID: 'kernel-lacks-btf-id-loads',
  VAR_HAS_NO_ADDRESS: 'ksym-address-unavailable',
  MODULE_BTF_EPERM: 'module-btf-unavailable',
  MODULE_BTF_UNSUPPORTED: 'module-btf-unavailable',
  MODULE_HAS_NO_BTF: 'module-btf-unavailable',
  KFUNC_NOT_FOUND: 'kfunc-not-found',
  KFUNC_PROTO_MISMATCH: 'kfunc-signature-mismatch',
  KFUNC_ADDRESS_UNSUPPORTED: 'kernel-lacks-btf-id-loads',
};
