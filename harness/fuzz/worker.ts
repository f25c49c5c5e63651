import { parentPort, workerData } from 'node:worker_threads';
import { type Batch, type BatchResult, runBatch } from './batch.ts';
import type { RawSeeds } from './seeds.ts';
import { makeTargets } from './targets/all.ts';

/** What the worker is started with. */
export interface WorkerData {
  readonly seeds: RawSeeds;
  /** Two 32-bit words: the number of the input in its batch, and a counter that moves with every input. */
  readonly position: SharedArrayBuffer;
  /** Keys of findings to pass over, from workers before this one. */
  readonly known: readonly string[];
}

/** What the worker answers to a {@link Batch}. */
export type WorkerAnswer = { readonly result: BatchResult } | { readonly failure: string };

const { seeds, position, known } = workerData as WorkerData;
const words = new Int32Array(position);
const targets = new Map(makeTargets(seeds).map((target) => [target.name, target]));
const knownKeys = new Set(known);

parentPort?.on('message', (batch: Batch) => {
  parentPort?.postMessage(answer(batch));
});

function answer(batch: Batch): WorkerAnswer {
  const target = targets.get(batch.target);
  if (target === undefined) return { failure: `there is no target ${batch.target}` };
  const starting = (index: number): void => {
    Atomics.store(words, 0, index);
    Atomics.add(words, 1, 1);
  };
  return { result: runBatch(batch, target, knownKeys, { starting }) };
}
