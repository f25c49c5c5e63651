import { DEBUG_RULES } from './splat-rules-debug.ts';
import { FAULT_RULES } from './splat-rules-fault.ts';

/**
 * What a splat says of the kernel. The first three spoil a machine at once ({@link SPOILING_KINDS}); after the others the
 * machine can still answer, and its answer is evidence.
 * - `panic`: the kernel has stopped
 * - `oops`: the kernel hit a fault in itself, or found its own data damaged
 * - `soft-lockup`: a CPU, or a queue of work, does not move any more
 * - `hung-task`: a task waits for ever in the kernel
 * - `out-of-memory`: the guest's memory did not suffice
 * - `warning`: the kernel asserts that something must not be (WARN and its like)
 * - `rcu`: a grace period does not end, or RCU is used wrongly
 * - `lockdep`: locks are used in a way that can deadlock
 * - `sanitizer`: KASAN, KCSAN, KMSAN, KFENCE, UBSAN and other detectors of wrong accesses
 */
export type SplatKind =
  | 'panic'
  | 'oops'
  | 'soft-lockup'
  | 'hung-task'
  | 'out-of-memory'
  | 'warning'
  | 'rcu'
  | 'lockdep'
  | 'sanitizer';

/** A line that no healthy kernel prints. Plain data, so that lists of users can be joined with it. */
export interface DenyRule {
  /** Stable, kebab-case, unique. */
  readonly id: string;
  readonly kind: SplatKind;
  /** Matched against one line without terminal control characters; it may stand behind a time stamp and a caller. */
  readonly pattern: RegExp;
  /**
   * Texts of which each matching line holds at least one. They make up the cheap test that decides whether rules are
   * tried at all. Without them the whole pattern is part of that test, which is slower.
   */
  readonly hints?: readonly string[];
  /** What it means, for a person. */
  readonly what: string;
  /** Where the kernel prints it: file and function, and since when where that matters. */
  readonly source: string;
  /** Rules whose report this line can be a further part of: there it is no splat of its own. */
  readonly partOf?: readonly string[];
  /** Where the report ends: with this line, after its stack trace (the default), or with a line `---[ end …`. */
  readonly ends?: 'line' | 'trace' | 'marker';
}

/** A line that a deny rule matches, and that is harmless nevertheless. */
export interface AllowRule {
  /** Stable, kebab-case, unique. */
  readonly id: string;
  readonly pattern: RegExp;
  /** Why it is harmless. */
  readonly reason: string;
  /** A console on which it was seen. */
  readonly seen: string;
  /** When to look at it again: a date, a kernel version, a mended defect. */
  readonly review: string;
  /** Kernel lines (`6.12`) that it holds for; absent: all. */
  readonly kernels?: readonly string[];
}

/**
 * The kinds after which nothing more is asked of a machine: a panic has stopped it; an oops has killed a task while it
 * held whatever locks it held; a CPU that is stuck may never come back, and each request to it would cost a deadline.
 */
export const SPOILING_KINDS: ReadonlySet<SplatKind> = new Set(['panic', 'oops', 'soft-lockup']);

/** Tried in this order, so that the more special rule gives the name. */
export const DENY_RULES: readonly DenyRule[] = [
  ...FAULT_RULES,
  ...DEBUG_RULES,
  {
    id: 'bug',
    kind: 'oops',
    pattern: /\bBUG: /,
    hints: ['BUG: '],
    what: 'the kernel reports a defect of its own for which there is no rule here',
    source: 'many places',
  },
];

/**
 * The consoles of more than 150 boots of the eleven kernels of the default matrix (5.10 to 7.3, emulated, with and without
 * kaslr) need none of these: no deny rule matches a line of theirs. Whoever adds one names the console that needs it.
 */
export const ALLOW_RULES: readonly AllowRule[] = [
  {
    id: 'slow-backtrace',
    pattern: /\bNMI handler \(nmi_cpu_backtrace_handler\) took too long/,
    reason:
      'printing a backtrace that was asked for takes an emulated CPU longer than the 1 ms that an NMI should take',
    seen: '5.10 and 7.3, emulated, after `echo l >/proc/sysrq-trigger` (test/splats-vm.test.ts)',
    review: 'when machines run under KVM only',
  },
];
