import type { RunResults } from '../../results/results.ts';
import { resultsJson } from '../../results/results-json.ts';
import { inOrder } from './order.ts';

/** The results themselves, in pieces, in one order whatever order the cells ended in; what --json writes is in the order of their end. */
export function renderJson(results: RunResults): Iterable<string> {
  return resultsJson(inOrder(results));
}
