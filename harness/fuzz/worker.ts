import { parentPort, workerData } from 'node:worker_threads';
import { type Batch, type BatchResult, runBatch, runOne } from './batch.ts';
import type { Plan } from './plan.ts';
import type { RawSeeds } from './seeds.ts';
import { makeTargets } from './targets/all.ts';

/** What the worker is started with. */
export interface WorkerData {
  readonly seeds: RawSeeds;
  /**
   * Two 32-bit words: the number of the input in its batch, and a counter that moves with every input. For an input without a number the first is
   * its plan's length as JSON, negative, and the plan stands behind the words.
   */
  readonly position: SharedArrayBuffer;
  /** Keys of findings to pass over, from workers before this one. */
  readonly known: readonly string[];
}

/** A question beside {@link Batch}: one input that seemed to hang, to be tried again alone. */
export interface OneInput {
  readonly target: string;
  readonly plan: Plan;
}

/** What the worker answers. */
export type WorkerAnswer = { readonly result: BatchResult } | { readonly failure: string };

const { seeds, position, known } = workerData as WorkerData;
const words = new Int32Array(position, 0, 2);
const targets = new Map(makeTargets(seeds).map((target) => [target.name, target]));
const knownKeys = new Set(known);

parentPort?.on('message', (question: Batch | OneInput) => {
  parentPort?.postMessage(answer(question));
});

function answer(question: Batch | OneInput): WorkerAnswer {
  const target = targets.get(question.target);
  if (target === undefined) return { failure: `there is no target ${question.target}` };
  if ('plan' in question) return { result: runOne(question.plan, target, knownKeys) };
  const starting = (index: number | null, plan: Plan): void => {
    Atomics.store(words, 0, index ?? -writePlan(plan));
    Atomics.add(words, 1, 1);
  };
  return { result: runBatch(question, target, knownKeys, { starting }) };
}

function writePlan(plan: Plan): number {
  const text = new TextEncoder().encode(JSON.stringify(plan));
  new Uint8Array(position, 8).set(text);
  return text.length;
}
