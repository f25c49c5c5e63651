import type { SourceName } from '../../kernels/request.ts';
import type { RunPhase } from './events.ts';
import type { FactValues } from './facts.ts';
import type { Outcome } from './outcome.ts';
import type { RangesResult } from './ranges.ts';
import type { Isolation } from './stints.ts';
import type { Verdict } from './verdict.ts';

/** Everything that a run found out; `--json` writes this. Additions keep `schemaVersion`, other changes raise it. */
export interface RunResults {
  readonly schemaVersion: 1;
  /** Start of the run, as in 2026-01-31T12:00:00.000Z; also its name in the folder of runs. */
  readonly startedAt: string;
  readonly tool: { readonly name: 'ksym-matrix'; readonly version: string };
  readonly host: HostDescription;
  readonly totals: Readonly<Record<Verdict, number>>;
  /** Wall time of each part of the run; `total` counts from the start of the process. */
  readonly timings: Readonly<Partial<Record<RunPhase | 'total', number>>>;
  readonly kernels: readonly KernelResult[];
  readonly programs: readonly ProgramResult[];
  readonly cells: readonly CellResult[];
  /** Since when, and until when, each program works. */
  readonly ranges: RangesResult;
  /** How cells shared machines, how many ran at a time, and whether machines were saved and restored; with reasons, for people. */
  readonly engine: EngineDescription;
  /** Folder with all evidence. */
  readonly directory: string;
  /** False if the run was interrupted: cells are then missing. */
  readonly complete: boolean;
}

export interface HostDescription {
  readonly clang: string;
  readonly qemu: string;
  readonly virtmeNg: string;
  readonly accelerator: 'kvm' | 'tcg';
  readonly acceleratorReason: string;
  readonly node: string;
  readonly cpus: number;
}

export interface EngineDescription {
  readonly isolation: Isolation;
  readonly isolationReason: string;
  readonly jobs: number;
  readonly jobsReason: string;
  /** The most memory that one machine had of its own, QEMU included, in bytes; 0 if none ran. */
  readonly machineBytes: number;
  readonly templates: boolean;
  /** How often a cell that ended red was run again. */
  readonly retries: number;
}

export interface KernelResult {
  /** Name in the grid. */
  readonly name: string;
  /** `uname -r`. */
  readonly release: string;
  /** The package's version. */
  readonly version: string;
  /** Where it comes from, for people. */
  readonly source: string;
  /** The key that names its source in matrix.yaml. */
  readonly kind: SourceName;
  readonly flavour: string | null;
  /** SHA256 of vmlinuz, in hex. */
  readonly sha256: string;
  /** Empty if it did not boot. */
  readonly facts: FactValues;
  /** Each boot that machines came from: what it was for, how long it took, where its console log lies. */
  readonly boots: readonly BootResult[];
}

export interface BootResult {
  readonly parameters: readonly string[];
  /** Null for as many processors as every machine of the matrix has. */
  readonly cpus: number | null;
  /** Modules that programs want. */
  readonly modules: readonly string[];
  /** Null if it did not come up. */
  readonly bootMs: number | null;
  readonly console: string;
  /** When it was booted: in this run, or in an earlier one that saved the machine. */
  readonly when: 'this-run' | 'earlier';
  /** Machines that were restored from it, and the median time each took, in milliseconds; 0 and null if the booted machine was used itself. */
  readonly restored: number;
  readonly restoreMs: number | null;
}

export interface ProgramResult {
  readonly name: string;
  readonly title: string;
  readonly about: string | null;
  readonly source: string;
  readonly objectSha256: string | null;
  readonly compilerWarnings: string;
}

export interface CellResult {
  readonly kernel: string;
  readonly loader: 'ksym-matrix';
  readonly program: string;
  readonly variant: string;
  readonly outcome: Omit<Outcome, 'verifierLog' | 'values'>;
  readonly verdict: Verdict;
  /** Why the verdict is what it is. */
  readonly why: string;
  /** What was expected, and where that is written; null if nothing covers the cell. */
  readonly expected: { readonly outcome: unknown; readonly reason: string; readonly source: string } | null;
  readonly durationMs: number;
  readonly evidence: Evidence;
  /** What the kernel complained of on its console while the cell ran; `allowed` says why it does not count, null if it does. */
  readonly splats: readonly SplatResult[];
  /** What the cell left behind, so that its machine was replaced. */
  readonly leftovers: readonly string[];
  /** Every time it was run, in order; only there if it was run more than once. */
  readonly attempts?: readonly AttemptResult[];
}

export interface SplatResult {
  readonly rule: string;
  readonly kind: string;
  readonly text: string;
  readonly allowed: string | null;
  /** The report on the console, as far as it is short. */
  readonly lines: readonly string[];
}

export interface AttemptResult {
  readonly verdict: Verdict;
  readonly class: string;
  readonly why: string;
  readonly durationMs: number;
  /** Console log of the machine. */
  readonly console: string | null;
  readonly evidence: Evidence;
}

/** Paths of files. */
export interface Evidence {
  /** Console log of the machine that the cell ran on, which may have run others. */
  readonly console: string | null;
  /** What the console printed while the cell ran; null if it printed nothing. */
  readonly cellConsole: string | null;
  readonly resolution: string | null;
  readonly verifierLog: string | null;
  readonly values: string | null;
}
