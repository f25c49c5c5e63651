import { EXIT } from './exit-codes.ts';
import { watchNpm } from './npm-parent.ts';

/** Signals that ask this program to end. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** npm passes on the Ctrl-C that the terminal sends to the whole foreground group, and so do others: this soon after the first it is the same one. */
const SAME_WISH_MS = 500;

/** Time to tidy up after the first interruption. What hangs then is ended as by a second one. */
const TIDY_MS = 3000;

/** The work that is under way and can tidy up. */
let current: AbortController | undefined;
let firstAt: number | undefined;

/**
 * From now on a signal, or the end of the npm that started this program, interrupts it: work inside {@link interruptible} tidies up, else the
 * process ends at once. Whichever way it ends, its exit handlers remove what is left, and every child ends with it.
 */
export function watchInterruptions(): void {
  for (const signal of SIGNALS) process.on(signal, interrupt);
  watchNpm(() => interrupt('npm has ended'));
}

/** Whether this program was told to end: whatever fails from then on fails for that. */
export function wasInterrupted(): boolean {
  return firstAt !== undefined;
}

/** Runs work that can be interrupted: the first interruption aborts it and lets it tidy up, the second ends the process at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  current = controller;
  try {
    return await work(controller.signal);
  } finally {
    current = undefined;
  }
}

function interrupt(cause: string): void {
  const now = performance.now();
  if (firstAt === undefined) {
    firstAt = now;
    if (current === undefined) process.exit(EXIT.interrupted);
    setTimeout(() => process.exit(EXIT.interrupted), TIDY_MS).unref();
    process.stderr.write(`\n${cause}: stopping (again to end at once) …\n`);
    current.abort(new Error(cause));
  } else if (now - firstAt > SAME_WISH_MS) {
    process.exit(EXIT.interrupted);
  }
}
