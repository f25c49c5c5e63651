import { Worker } from 'node:worker_threads';
import { ExplainedError } from '../../loader/errors.ts';
import { type Batch, type BatchResult, type Finding, findingOf } from './batch.ts';
import { batchSeed, type Plan, planAt } from './plan.ts';
import type { RawSeeds } from './seeds.ts';
import { type Target, Violation } from './target.ts';
import { makeTargets, SHARES, type TargetName } from './targets/all.ts';
import type { OneInput, WorkerAnswer, WorkerData } from './worker.ts';

/** How long, and on what. A run ends after the batch in which the first of its limits is reached. */
export interface FuzzOptions {
  readonly seeds: RawSeeds;
  /** The same number gives the same inputs, in the same order. */
  readonly seed: number;
  /** All if absent. */
  readonly targets?: readonly TargetName[];
  readonly inputs?: number;
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  /** After each batch. */
  readonly progress?: (summary: FuzzSummary) => Promise<void>;
  /** For tests: what the worker runs in place of the loader's targets. */
  readonly workerFile?: URL;
  /** An input that takes this long is ended from outside. Default: 10 s. */
  readonly hangMs?: number;
  /** JavaScript's heap of the thread, in MiB: what no sequence of inputs may exceed. Default: 512. */
  readonly heapMiB?: number;
}

/** What came of a run, or of what there is of it so far. */
export interface FuzzSummary {
  readonly seconds: number;
  readonly inputs: number;
  readonly targets: ReadonlyMap<string, TargetSummary>;
  readonly findings: readonly Finding[];
}

/** What came of one target. */
export interface TargetSummary {
  inputs: number;
  /** Inputs that the library took: damage that it cannot see. */
  accepted: number;
  slowestMs: number;
}

/** Inputs of one batch: enough that messages between threads cost nothing, few enough that a run ends on time. */
const BATCH = 100;

const HEAP_MIB = 512;

/** Two words and a plan: eight mutations take some 600 bytes. */
const POSITION_BYTES = 4096;

const HANG_MS = 10_000;

/** How often the thread is looked at. */
const WATCH_MS = 200;

/**
 * Runs inputs through targets in a thread of its own, which is ended and started anew when an input does not end or takes all memory.
 * @throws ExplainedError `fuzz-worker` if the thread cannot be used at all
 */
export async function runFuzz(options: FuzzOptions): Promise<FuzzSummary> {
  const start = performance.now();
  const names = options.targets ?? (Object.keys(SHARES) as TargetName[]);
  const targets = new Map<string, TargetSummary>(names.map((name) => [name, { inputs: 0, accepted: 0, slowestMs: 0 }]));
  const findings: Finding[] = [];
  const thread = new FuzzThread(options);
  const summary = (): FuzzSummary => {
    const inputs = [...targets.values()].reduce((sum, target) => sum + target.inputs, 0);
    return { seconds: (performance.now() - start) / 1000, inputs, targets, findings };
  };
  try {
    for (const batch of batches(names, options.seed)) {
      const { inputs, seconds } = summary();
      if (
        inputs >= (options.inputs ?? Number.POSITIVE_INFINITY) ||
        seconds >= (options.seconds ?? Number.POSITIVE_INFINITY)
      )
        break;
      if (options.signal?.aborted === true) break;
      const result = await thread.run(batch);
      const target = targets.get(batch.target);
      if (target !== undefined) {
        target.inputs += result.inputs;
        target.accepted += result.accepted;
        target.slowestMs = Math.max(target.slowestMs, result.slowestMs);
      }
      findings.push(...result.findings);
      await options.progress?.(summary());
    }
    return summary();
  } finally {
    await thread.close();
  }
}

/** Batches without end, the targets taking turns by their shares. */
function* batches(names: readonly TargetName[], seed: number): Generator<Batch> {
  for (let round = 0; ; round++) {
    for (const target of names) {
      for (let share = 0; share < SHARES[target]; share++) {
        yield { target, seed, batch: round * SHARES[target] + share, inputs: BATCH };
      }
    }
  }
}

/** The worker thread, and who watches over it. */
class FuzzThread {
  readonly #options: FuzzOptions;
  readonly #position = new SharedArrayBuffer(POSITION_BYTES);
  readonly #known = new Set<string>();
  readonly #targets: ReadonlyMap<string, Target>;
  #worker: Worker | undefined;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#targets = new Map(makeTargets(options.seeds).map((target) => [target.name, target]));
  }

  /** Runs a batch. One that does not come to its end gives the input at which it stopped as a finding, if that does not end when it is tried alone. */
  async run(batch: Batch): Promise<BatchResult> {
    const end = await this.#ask(batch);
    if (!('violation' in end)) return this.#resultOf(end);
    const { plan, inputs } = this.#stoppedAt(batch);
    // A machine that was busy with other things may have stopped it.
    const again = end.violation.kind === 'hang' ? await this.#ask({ target: batch.target, plan }) : end;
    if (!('violation' in again)) return { ...this.#resultOf(again), inputs };
    return { inputs, accepted: 0, slowestMs: 0, findings: this.#lost(batch.target, plan, again.violation) };
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #resultOf(end: WorkerAnswer): BatchResult {
    if ('failure' in end) throw new ExplainedError('fuzz-worker', 'the fuzzer failed', { why: end.failure });
    for (const { key } of end.result.findings) this.#known.add(key);
    return end.result;
  }

  /** The input that was under way when the thread was last heard of, and how many of the batch had begun. */
  #stoppedAt(batch: Batch): { readonly plan: Plan; readonly inputs: number } {
    const index = Atomics.load(new Int32Array(this.#position, 0, 2), 0);
    if (index >= 0) {
      return { plan: planAt(batchSeed(batch.seed, batch.target, batch.batch), index), inputs: index + 1 };
    }
    // A copy: text is not decoded from memory that is shared.
    const text = new TextDecoder().decode(new Uint8Array(this.#position, 8, -index).slice());
    return { plan: JSON.parse(text) as Plan, inputs: batch.inputs };
  }

  #lost(name: string, plan: Plan, violation: Violation): Finding[] {
    const target = this.#targets.get(name);
    if (target === undefined) return [];
    const finding = findingOf(target, plan, violation);
    if (this.#known.has(finding.key)) return [];
    this.#known.add(finding.key);
    return [finding];
  }

  async #ask(question: Batch | OneInput): Promise<WorkerAnswer | { readonly violation: Violation }> {
    const worker = this.#started();
    const words = new Int32Array(this.#position, 0, 2);
    const limit = this.#options.hangMs ?? HANG_MS;
    return new Promise((resolve) => {
      let moved = performance.now();
      let count = Atomics.load(words, 1);
      const settle = (end: WorkerAnswer | { readonly violation: Violation }): void => {
        clearInterval(watch);
        worker.off('message', settle);
        worker.off('error', failed);
        if ('violation' in end) {
          this.#worker = undefined;
          worker.terminate().catch(() => undefined);
        }
        resolve(end);
      };
      const failed = (error: NodeJS.ErrnoException): void => {
        const kind = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'foreign-error';
        settle({ violation: new Violation(kind, error.message, error) });
      };
      const watch = setInterval(() => {
        const now = Atomics.load(words, 1);
        if (now !== count) {
          count = now;
          moved = performance.now();
        } else if (performance.now() - moved > limit) {
          settle({ violation: new Violation('hang', `an input did not end within ${limit / 1000} s`) });
        }
      }, WATCH_MS);
      worker.on('message', settle);
      worker.on('error', failed);
      worker.postMessage(question);
    });
  }

  #started(): Worker {
    const workerData: WorkerData = {
      seeds: this.#options.seeds,
      position: this.#position,
      known: [...this.#known],
    };
    const file = this.#options.workerFile ?? new URL('./worker.js', import.meta.url);
    const resourceLimits = { maxOldGenerationSizeMb: this.#options.heapMiB ?? HEAP_MIB };
    this.#worker ??= new Worker(file, { workerData, resourceLimits });
    return this.#worker;
  }
}
