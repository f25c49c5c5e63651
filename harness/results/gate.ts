import { type CellChange, CHANGE_KINDS, type Comparison } from './compare.ts';
import { RED_VERDICTS } from './verdicts.ts';

/**
 * What a gate can be closed for: each kind of change; `new-red`, a cell that only the newer run has and that is red, which is no regression; `any`,
 * all changes, good ones too, for runs that must not differ.
 */
export const GATES = [...CHANGE_KINDS, 'new-red', 'any'] as const;

/** One of {@link GATES}. */
export type Gate = (typeof GATES)[number];

/** The gates that changes close, with how many do, in the order of {@link GATES}; empty if all stay open. */
export function closedGates(comparison: Comparison, gates: readonly Gate[]): { gate: Gate; count: number }[] {
  return GATES.filter((gate) => gates.includes(gate))
    .map((gate) => ({ gate, count: comparison.changes.filter((change) => closes(change, gate)).length }))
    .filter(({ count }) => count > 0);
}

function closes({ kind, head }: CellChange, gate: Gate): boolean {
  if (gate === 'any') return true;
  if (gate === 'new-red') return kind === 'new' && head !== null && RED_VERDICTS.has(head.verdict);
  return kind === gate;
}
