import { ObjectError } from '../errors.ts';
import { isCall, isLoadImm64, readInstruction } from '../insn/instruction.ts';
import { CALL, CallSource, LD_IMM64, LoadSource, SLOT_SIZE } from '../insn/opcodes.ts';
import type { CodeTarget } from './code-targets.ts';
import { functionAt, type ObjectFunction } from './functions.ts';
import type { ObjectFile } from './object-file.ts';
import { describeSite } from './site.ts';

/** What {@link sitesOf} needs to know of the whole object. */
export interface SiteContext {
  readonly file: ObjectFile;
  /** In the order of readFunctions. */
  readonly functions: readonly ObjectFunction[];
  /** By section index, then by slot in that section. */
  readonly targets: ReadonlyMap<number, ReadonlyMap<number, CodeTarget>>;
  /** What {@link sitesOf} found so far. */
  readonly sites: Map<ObjectFunction, readonly Site[]>;
}

/** An instruction that refers to something, `slot` counted in its section. */
export interface Site {
  readonly slot: number;
  readonly target: CodeTarget;
}

/**
 * The instructions of a function that refer to something, ascending by slot; found once, however many programs reach the function.
 * @throws ObjectError `not-a-function` for a call that leads to the middle of a function; `code-truncated`.
 */
export function sitesOf(source: ObjectFunction, context: SiteContext): readonly Site[] {
  const known = context.sites.get(source);
  if (known !== undefined) return known;
  const { section } = source;
  const { data } = section;
  const targets = context.targets.get(section.index);
  const end = source.slot + source.slots;
  const sites: Site[] = [];
  for (let slot = source.slot; slot < end; slot++) {
    const opcode = data[slot * SLOT_SIZE];
    // Nothing else refers to anything: readCodeTargets refuses other instructions with a relocation.
    if (opcode !== LD_IMM64 && opcode !== CALL) continue;
    const target = targets?.get(slot) ?? impliedTarget(source, slot, context);
    if (target !== undefined) sites.push({ slot, target });
    if (opcode === LD_IMM64 && ++slot >= end) throw truncated(source, slot - 1, context);
  }
  context.sites.set(source, sites);
  return sites;
}

/** Calls within a section bear no relocation where the assembler knew the distance. */
function impliedTarget(source: ObjectFunction, slot: number, context: SiteContext): CodeTarget | undefined {
  const instruction = readInstruction(source.section.data, slot, context.file.elf.byteOrder);
  const call = isCall(instruction) && instruction.src === CallSource.SUBPROGRAM;
  const address = isLoadImm64(instruction) && instruction.src === LoadSource.FUNC;
  if (!call && !address) return undefined;
  const { section } = source;
  const wanted = slot + 1 + instruction.imm;
  const found = functionAt(context.functions, section.index, wanted);
  if (found === undefined) {
    const text = describeSite(context.file, section, slot);
    throw new ObjectError(
      'not-a-function',
      'no function starts there',
      { file: context.file.name, section: section.name, symbol: source.name, instruction: slot },
      { why: `${text} leads to slot ${wanted}` },
    );
  }
  return { kind: call ? 'call' : 'function', function: found };
}

function truncated(source: ObjectFunction, slot: number, context: SiteContext): ObjectError {
  return new ObjectError(
    'code-truncated',
    'a function ends in the middle of an instruction',
    { file: context.file.name, section: source.section.name, symbol: source.name, instruction: slot },
    { why: 'a 64-bit immediate load takes two slots, and there is only one left' },
  );
}
