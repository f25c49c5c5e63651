import { parentPort, workerData } from 'node:worker_threads';
import type { Batch } from '../batch.ts';
import type { OneInput, WorkerAnswer, WorkerData } from '../worker.ts';

// Stands in for the worker: its fourth input of `instructions` never ends, its third of `verifier-log` takes all memory there is.
const { position, known } = workerData as WorkerData;
const words = new Int32Array(position, 0, 2);

parentPort?.on('message', (question: Batch | OneInput) => {
  const { target } = question;
  // Alone it does not end either.
  if ('plan' in question) for (;;);
  const { inputs } = question;
  const kind = target === 'instructions' ? 'hang' : 'memory';
  const index = known.some((key) => key === `${target}/${kind}` || key.startsWith(`${target}/${kind}/`)) ? -1 : 3;
  for (let at = 0; at < inputs; at++) {
    Atomics.store(words, 0, at);
    Atomics.add(words, 1, 1);
    if (at !== index) continue;
    const kept: unknown[] = [];
    for (;;) if (kind === 'memory') kept.push(new Array(1_000_000).fill(at));
  }
  const result: WorkerAnswer = { result: { inputs, accepted: 0, slowestMs: 1, findings: [] } };
  parentPort?.postMessage(result);
});
