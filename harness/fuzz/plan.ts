import fc from 'fast-check';
import { type Mutation, OPERATIONS } from './mutation.ts';

/** An input in terms of what it is made from: small, printable, and what fast-check minimises. */
export interface Plan {
  /** Which of the target's seeds, modulo how many there are. */
  readonly seed: number;
  /** In this order. */
  readonly mutations: readonly Mutation[];
}

/** Most mutations of one input: after more of them a parser sees little but its first check. */
const MOST_MUTATIONS = 8;

const number = fc.nat(0xffff_ffff);

/** Makes plans. Shrinks to fewer mutations, and to mutations nearer to the start of the file. */
export const plans: fc.Arbitrary<Plan> = fc.record(
  {
    seed: fc.nat(0xffff),
    mutations: fc.array(
      fc.record({ operation: fc.constantFrom(...OPERATIONS), where: number, what: number }, { noNullPrototype: true }),
      { maxLength: MOST_MUTATIONS, size: 'max' },
    ),
  },
  { noNullPrototype: true },
);

/** The plan that {@link plans} gives as run `index` (from 0) of a batch: found again without running those before it. */
export function planAt(batchSeed: number, index: number): Plan {
  let found: Plan | undefined;
  fc.check(
    fc.property(plans, (plan) => {
      found = plan;
    }),
    { seed: batchSeed, path: String(index), numRuns: 1 },
  );
  return found ?? { seed: 0, mutations: [] };
}

/** The seed of a batch: the same for the same run seed, target and number of the batch, whatever else runs. */
export function batchSeed(seed: number, target: string, batch: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  for (const character of `${target}:${batch}`) {
    mixed = Math.imul(mixed ^ character.charCodeAt(0), 0x01000193);
    mixed ^= mixed >>> 15;
  }
  return mixed | 0;
}
