import type { CoreRelocation, LineInfo } from '../btf/ext.ts';
import type { TypeId } from '../btf/types.ts';
import { ObjectError } from '../errors.ts';
import {
  type Instruction,
  isCall,
  isLoadImm64,
  patchInstruction,
  readInstruction,
  setImmPair,
} from '../insn/instruction.ts';
import { CallSource, LoadSource, SLOT_SIZE } from '../insn/opcodes.ts';
import type { CodeTarget } from './code-targets.ts';
import { functionAt, type ObjectFunction } from './functions.ts';
import type { ObjectFile } from './object-file.ts';
import { describeSite } from './site.ts';
import type { ProgramSpec, Reference } from './spec.ts';

/** What a program consists of once all functions it reaches stand behind it. */
export type LinkedCode = Pick<ProgramSpec, 'code' | 'references' | 'functions' | 'lines' | 'coreRelocations'>;

/** What linking needs to know of the whole object. */
export interface LinkContext {
  readonly file: ObjectFile;
  readonly functions: readonly ObjectFunction[];
  /** By section index, then by slot in that section. */
  readonly targets: ReadonlyMap<number, ReadonlyMap<number, CodeTarget>>;
  readonly lines: RecordsBySection<LineInfo>;
  readonly coreRelocations: RecordsBySection<CoreRelocation>;
  /** What runs when a program throws (`bpf_throw`), by the program's BTF FUNC: no instruction refers to it. */
  readonly exceptionCallbacks: ReadonlyMap<TypeId, ObjectFunction>;
}

/** Records of `.BTF.ext` by section, in ascending order of their slot. */
export type RecordsBySection<T> = ReadonlyMap<string, readonly T[]>;

/** Puts the records of each section in order, so that a section with a thousand programs is not read over for each of them. */
export function sortRecords<T extends { readonly slot: number }>(
  records: ReadonlyMap<string, readonly T[]> | undefined,
): RecordsBySection<T> {
  return new Map([...(records ?? [])].map(([section, all]) => [section, all.toSorted((a, b) => a.slot - b.slot)]));
}

/** A function at its place in the program. */
interface Placed {
  readonly source: ObjectFunction;
  readonly slot: number;
}

/**
 * Appends to a program every function that it calls or takes the address of, and its exception callback, each once, and theirs in turn; then points the
 * calls (BPF_PSEUDO_CALL) and addresses (BPF_PSEUDO_FUNC) at the new places, which both count slots from the next slot
 * (add_subprog_and_kfunc in the kernel's `kernel/bpf/verifier.c`). Line information and CO-RE relocations move along.
 * @throws ObjectError `not-a-function` for a call that leads to the middle of a function; `code-truncated`.
 */
export function linkProgram(entry: ObjectFunction, context: LinkContext): LinkedCode {
  const placed = placeFunctions(entry, context);
  const last = placed[placed.length - 1];
  const code = new Uint8Array(last === undefined ? 0 : (last.slot + last.source.slots) * SLOT_SIZE);
  const references: Reference[] = [];
  for (const one of placed) {
    const { section, slot, slots } = one.source;
    code.set(section.data.subarray(slot * SLOT_SIZE, (slot + slots) * SLOT_SIZE), one.slot * SLOT_SIZE);
    for (const site of walk(one.source, context)) {
      const reference = patch(code, site, one.slot + site.slot - slot, placed, context);
      if (reference !== null) references.push(reference);
    }
  }
  return {
    code,
    references,
    functions: placed.map(({ source, slot }) => ({
      name: source.name,
      slot,
      typeId: source.typeId,
      linkage: source.linkage,
      origin: { section: source.section.name, slot: source.slot },
    })),
    lines: move(placed, context.lines),
    coreRelocations: move(placed, context.coreRelocations),
  };
}

function placeFunctions(entry: ObjectFunction, context: LinkContext): Placed[] {
  const placed: Placed[] = [{ source: entry, slot: 0 }];
  let end = entry.slots;
  // The list grows while it is walked, until no function reaches a new one.
  for (const one of placed) {
    for (const reached of functionsReached(one.source, one.source === entry, context)) {
      if (placed.some(({ source }) => source === reached)) continue;
      placed.push({ source: reached, slot: end });
      end += reached.slots;
    }
  }
  return placed;
}

function* functionsReached(
  source: ObjectFunction,
  isEntry: boolean,
  context: LinkContext,
): IterableIterator<ObjectFunction> {
  for (const { target } of walk(source, context)) {
    if (target.kind === 'call' || target.kind === 'function') yield target.function;
  }
  const callback = isEntry && source.typeId !== null ? context.exceptionCallbacks.get(source.typeId) : undefined;
  if (callback !== undefined) yield callback;
}

/** An instruction that refers to something, `slot` counted in its section. */
interface Site {
  readonly slot: number;
  readonly instruction: Instruction;
  readonly target: CodeTarget;
}

function* walk(source: ObjectFunction, context: LinkContext): IterableIterator<Site> {
  const { section } = source;
  const targets = context.targets.get(section.index);
  const end = source.slot + source.slots;
  for (let slot = source.slot; slot < end; slot++) {
    const instruction = readInstruction(section.data, slot, context.file.elf.byteOrder);
    const target = targets?.get(slot) ?? impliedTarget(source, slot, instruction, context);
    if (target !== undefined) yield { slot, instruction, target };
    if (isLoadImm64(instruction) && ++slot >= end) throw truncated(source, slot - 1, context);
  }
}

/** Calls within a section bear no relocation where the assembler knew the distance. */
function impliedTarget(
  source: ObjectFunction,
  slot: number,
  instruction: Instruction,
  context: LinkContext,
): CodeTarget | undefined {
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

/** Points the instruction at its target; returns what remains to be done against maps and the kernel. */
function patch(
  code: Uint8Array,
  site: Site,
  slot: number,
  placed: readonly Placed[],
  context: LinkContext,
): Reference | null {
  const { byteOrder } = context.file.elf;
  const { target } = site;
  switch (target.kind) {
    case 'call':
    case 'function': {
      const distance = (placed.find(({ source }) => source === target.function)?.slot ?? 0) - slot - 1;
      if (target.kind === 'call') {
        patchInstruction(code, slot, { src: CallSource.SUBPROGRAM, imm: distance }, byteOrder);
        return null;
      }
      patchInstruction(code, slot, { src: LoadSource.FUNC }, byteOrder);
      setImmPair(code, slot, distance, 0, byteOrder);
      return { kind: 'function', slot, function: target.function.name };
    }
    case 'extern-call':
      patchInstruction(code, slot, { src: CallSource.KFUNC, offset: 0, imm: 0 }, byteOrder);
      return { ...target, slot };
    default:
      patchInstruction(code, slot, { src: LoadSource.IMMEDIATE }, byteOrder);
      setImmPair(code, slot, 0, 0, byteOrder);
      return { ...target, slot };
  }
}

/** Records of `.BTF.ext` that belong to the functions placed, at their new slots. */
function move<T extends { readonly slot: number }>(placed: readonly Placed[], records: RecordsBySection<T>): T[] {
  return placed.flatMap(({ source, slot }) => {
    const all = records.get(source.section.name) ?? [];
    const own = all.slice(firstFrom(all, source.slot), firstFrom(all, source.slot + source.slots));
    return own.map((record) => ({ ...record, slot: record.slot - source.slot + slot }));
  });
}

/** The index of the first record at or behind a slot. */
function firstFrom(records: readonly { readonly slot: number }[], slot: number): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.slot ?? 0) < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

function truncated(source: ObjectFunction, slot: number, context: LinkContext): ObjectError {
  return new ObjectError(
    'code-truncated',
    'a function ends in the middle of an instruction',
    { file: context.file.name, section: source.section.name, symbol: source.name, instruction: slot },
    { why: 'a 64-bit immediate load takes two slots, and there is only one left' },
  );
}
