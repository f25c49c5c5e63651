import type { RunResults } from './results.ts';

/** Results of a part of a matrix, with a name for messages. */
export interface Shard {
  readonly results: RunResults;
  readonly name: string;
}
