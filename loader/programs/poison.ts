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

/** What a poisoned instruction stands for, and what a person can do about it. */
export interface Poison {
  readonly explanation: string;
  readonly fix: string;
}

/** A line of a verifier's log that shows a poisoned instruction. */
interface Found extends Poison {
  readonly line: number;
}

/** What each poisoned instruction that the log shows stands for, each once, wherever in the log it is. */
export function explainPoisons(log: string, context: PoisonContext): Poison[] {
  const found = findPoisons(log, context).map(({ explanation, fix }) => [explanation, { explanation, fix }] as const);
  return [...new Map(found).values()];
}

/** Whether a line of a log is the verifier's objection to a poisoned instruction, which says nothing that its explanation does not. */
export function isPoisonObjection(line: string): boolean {
  return /^invalid func unknown#\d+$/.test(line);
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
    const poison = number === undefined ? undefined : explain(Number(number), slot, context);
    if (poison !== undefined) found.push({ line, ...poison });
  }
  return found;
}

function explain(number: number, slot: number | null, { resolutions, core, maps }: PoisonContext): Poison | undefined {
  if (number === CORE_POISON) {
    // Of a 64-bit load, both halves are poisoned.
    const at = (wanted: number) => core.poisoned.find((one) => one.slot === wanted);
    const known = slot === null ? undefined : (at(slot) ?? at(slot - 1));
    const poisoned = known ?? core.poisoned[0];
    if (poisoned === undefined) return undefined;
    const why = poisoned.why === '' ? '' : ` (${poisoned.why})`;
    return {
      explanation: `this kernel lacks what the program reads: ${poisoned.text}${why}`,
      fix: 'If the program can do without, have it ask first, with bpf_core_field_exists(), bpf_core_type_exists() or bpf_core_enum_value_exists(): code behind a test that fails is not verified.',
    };
  }
  const map = maps[number - MISSING_MAP_BASE];
  if (map !== undefined) {
    return {
      explanation: `map ${map.name} was not created (autocreate is false), and the program uses it`,
      fix: `Set autocreate of ${map.name}, or have the program test a variable of .rodata before that says whether the map is there.`,
    };
  }
  const extern = resolutions[number - MISSING_KFUNC_BASE];
  if (extern === undefined) return undefined;
  const { outcome } = extern;
  const known =
    outcome.result === 'null' && outcome.reason !== 'KFUNC_NOT_FOUND'
      ? `: ${outcome.explanation.replace(/\.$/, '')}`
      : '';
  return {
    explanation: `kernel function ${extern.name} is weak and missing, and the program calls it${known}`,
    fix: `Test \`bpf_ksym_exists(${extern.name})\` before the call, which is not verified then.`,
  };
}
