import type { RunResults } from '../../results/results.ts';
import { toJson } from '../../results/write.ts';
import { inOrder } from './order.ts';

/** The results themselves, in one order whatever order the cells ended in; what --json writes is in the order of their end. */
export function renderJson(results: RunResults): string {
  return toJson(inOrder(results));
}
