import { getHeapStatistics } from 'node:v8';
import { Refusals, type Target, Violation } from './target.ts';

/** An input may take this many milliseconds of processor time. */
export const MOST_MILLISECONDS = 1000;

/** Bytes that may be allocated for an input, however small it is. */
export const MOST_MEMORY = 128 * 1024 * 1024;

/** How an input was taken. */
export interface Tried {
  /** What is wrong; undefined if nothing is. */
  readonly violation: Violation | undefined;
  /** Of processor time. */
  readonly milliseconds: number;
  /** Whether the library took it as a whole: what is asked of it afterwards may be refused all the same. */
  readonly accepted: boolean;
}

/**
 * Puts an input through a target and checks what must hold for all: no errors but the library's own, no more than a second, a bounded amount of
 * memory, and an input that is as it was before. An input that takes longer is tried twice more, since on a busy machine anything may.
 */
export function tryInput(target: Target, bytes: Uint8Array, mostMs: number = MOST_MILLISECONDS): Tried {
  let tried = tryOnce(target, bytes, mostMs);
  for (let again = 0; again < 2 && tried.violation?.kind === 'slow'; again++) tried = tryOnce(target, bytes, mostMs);
  return tried;
}

function tryOnce(target: Target, bytes: Uint8Array, mostMs: number): Tried {
  const input = bytes.slice();
  const refusals = new Refusals();
  const memory = memoryInUse();
  const start = performance.now();
  const before = process.cpuUsage();
  let violation: Violation | undefined;
  try {
    target.run(input, refusals);
  } catch (error) {
    violation = error instanceof Violation ? error : new Violation('foreign-error', String(error), error);
  }
  // On a machine that has other things to do the clock runs on while nothing happens here.
  const { user, system } = process.cpuUsage(before);
  const milliseconds = Math.min(performance.now() - start, (user + system) / 1000);
  const grown = memoryInUse() - memory;
  if (violation === undefined && milliseconds > mostMs) {
    violation = new Violation('slow', `${bytes.length} bytes took ${Math.round(milliseconds)} ms`);
  }
  if (violation === undefined && grown > MOST_MEMORY) {
    violation = new Violation('memory', `${bytes.length} bytes took ${Math.round(grown / 2 ** 20)} MiB of memory`);
  }
  if (violation === undefined && Buffer.compare(input, bytes) !== 0) {
    violation = new Violation('input-changed', 'the input was written to');
  }
  return { violation, milliseconds, accepted: refusals.accepted };
}

/** JavaScript's heap and the bytes of typed arrays. Memory that was freed meanwhile makes growth look smaller, never larger. */
function memoryInUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
