import type { Program } from '../config/load.ts';
import type { SourceLocation } from '../results/results.ts';
import type { Outcome } from './outcome.ts';

/**
 * The line of a program's C source that decided what happened: where the extern is declared that could not be resolved, the statement that the
 * verifier refused, what clang complained of. Null if it works, or if nothing tells.
 *
 * @param root folder that the path is told relative to
 */
export function locateInSource(_program: Program, _outcome: Outcome, _root: string): SourceLocation | null {
  return null;
}
