import type { KernelProgress } from '../../kernels/store.ts';
import type { CellResult } from '../results/results.ts';

/** What a run tells while it goes on. Everything shown to a person while they wait is made from these. */
export type RunEvent =
  | { readonly kind: 'phase'; readonly phase: RunPhase; readonly detail: string }
  | { readonly kind: 'phase-end'; readonly phase: RunPhase; readonly milliseconds: number }
  | { readonly kind: 'warning'; readonly text: string }
  /** A loader is being built: what goes on. */
  | { readonly kind: 'loader-progress'; readonly text: string }
  /** A loader was built, which it is once. */
  | { readonly kind: 'loader-built'; readonly loader: string; readonly about: string; readonly milliseconds: number }
  | { readonly kind: 'kernel-progress'; readonly progress: KernelProgress }
  | { readonly kind: 'boot'; readonly kernel: string; readonly boot: string }
  | {
      readonly kind: 'ready';
      readonly kernel: string;
      readonly boot: string;
      readonly beginning: 'booted' | 'restored';
      /** Milliseconds from QEMU's start to the agent's answer. */
      readonly readyMs: number;
    }
  /** The machine is replaced: what the cell left behind. */
  | { readonly kind: 'leftovers'; readonly kernel: string; readonly cell: string; readonly what: readonly string[] }
  | { readonly kind: 'cell'; readonly cell: CellResult; readonly done: number; readonly total: number };

/** The parts of a run, in order. */
export type RunPhase = 'setup' | 'compile' | 'kernels' | 'loaders' | 'machines' | 'cells';

export type RunListener = (event: RunEvent) => void;
