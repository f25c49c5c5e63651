import { CORE_POISON, type CoreResult } from '../resolve/core.ts';
import type { ExternResolution } from '../resolve/outcome.ts';

/*
 * Where a kernel lacks something, the instruction that asks for it is replaced by a call of a helper that no kernel has. The verifier refuses the program
 * if it gets there, and accepts it if the program tests for the thing first. The numbers are libbpf's (POISON_CALL_KFUNC_BASE and others, src/libbpf.c), so that
 * whoever knows its logs knows these.
 */

/** The call of a weak kfunc that is missing: this, plus the extern's place among the resolutions. */
export const MISSING_KFUNC_BASE = 2_002_000_000;

/** The load of a map that was not to be created: this, plus the map's place in the object. */
export const MISSING_MAP_BASE = 2_001_000_000;

/** What poisoned instructions stand for. */
export interface PoisonContext {
  readonly resolutions: readonly ExternResolution[];
  readonly core: Pick<CoreResult, 'poisoned'>;
  readonly maps: readonly { readonly name: string }[];
}

/** A line of a verifier's log that shows a poisoned instruction, and what that stands for. */
interface Found {
  readonly line: number;
  readonly explanation: string;
}

/** What each poisoned instruction that the log shows stands for, each once, wherever in the log it is. */
export function explainPoisons(log: string, context: PoisonContext): string[] {
  return [...new Set(findPoisons(log, context).map(({ explanation }) => explanation))];
}

/** The log with a line `↳ …` after the lines that show a poisoned instruction; all other lines are the kernel's. */
export function annotateVerifierLog(log: string, context: PoisonContext): string {
  const found = findPoisons(log, context);
  // Instruction and objection follow one another, and one explanation does for both.
  const last = found.filter(({ line, explanation }, index) => {
    const next = found[index + 1];
    return next?.line !== line + 1 || next.explanation !== explanation;
  });
  const explanations = new Map(last.map(({ line, explanation }) => [line, explanation]));
  const lines = log.split('\n').flatMap((text, line) => {
    const explanation = explanations.get(line);
    return explanation === undefined ? [text] : [text, `↳ ${explanation}`];
  });
  return lines.join('\n');
}

function findPoisons(log: string, context: PoisonContext): Found[] {
  const found: Found[] = [];
  let slot: number | null = null;
  for (const [line, text] of log.split('\n').entries()) {
    const place = /^\s*(?:>\s*)?(\d+): \([0-9a-f]{2}\) /.exec(text)?.[1];
    if (place !== undefined) slot = Number(place);
    const number = /unknown#(\d+)/.exec(text)?.[1];
    const explanation = number === undefined ? undefined : explain(Number(number), slot, context);
    if (explanation !== undefined) found.push({ line, explanation });
  }
  return found;
}

function explain(number: number, slot: number | null, { resolutions, core, maps }: PoisonContext): string | undefined {
  if (number === CORE_POISON) {
    // Of a 64-bit load, both halves are poisoned.
    const at = (wanted: number) => core.poisoned.find((one) => one.slot === wanted);
    const known = slot === null ? undefined : (at(slot) ?? at(slot - 1));
    const poisoned = known ?? core.poisoned[0];
    if (poisoned === undefined) return undefined;
    const why = poisoned.why === '' ? '' : ` (${poisoned.why})`;
    return `this kernel lacks what the program reads: ${poisoned.text}${why}`;
  }
  const map = maps[number - MISSING_MAP_BASE];
  if (map !== undefined) return `map ${map.name} was not created (autocreate is false), and the program uses it`;
  const extern = resolutions[number - MISSING_KFUNC_BASE];
  if (extern === undefined) return undefined;
  return `kernel function ${extern.name} is weak and missing, and the program calls it`;
}
