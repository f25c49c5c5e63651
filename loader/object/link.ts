import type { CoreRelocation } from '../btf/ext.ts';
import type { TypeId } from '../btf/types.ts';
import { patchInstruction, setImmPair } from '../insn/instruction.ts';
import { CallSource, LoadSource, SLOT_SIZE } from '../insn/opcodes.ts';
import { type Site, type SiteContext, sitesOf } from './code-sites.ts';
import type { ObjectFunction } from './functions.ts';
import type { ProgramSpec, Reference } from './spec.ts';

/** What a program consists of once all functions it reaches stand behind it. */
export type LinkedCode = Pick<ProgramSpec, 'code' | 'references' | 'functions' | 'lines' | 'coreRelocations'>;

/** What linking needs to know of the whole object. */
export interface LinkContext extends SiteContext {
  /** Copies of the code sections, by index: what is linked later is not to depend on what becomes of the file's bytes. */
  readonly code: ReadonlyMap<number, Uint8Array>;
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
 *
 * Whatever is wrong is found at once; the code and what belongs to it are put together when they are first asked for, as few of a
 * thousand programs may be.
 * @throws ObjectError `not-a-function` for a call that leads to the middle of a function; `code-truncated`.
 */
export class LinkedProgram implements LinkedCode {
  readonly #placed: readonly Placed[];
  readonly #context: LinkContext;
  #linked: Pick<LinkedCode, 'code' | 'references'> | undefined;
  #functions: LinkedCode['functions'] | undefined;
  #lines: LinkedCode['lines'] | undefined;
  #coreRelocations: LinkedCode['coreRelocations'] | undefined;

  constructor(entry: ObjectFunction, context: LinkContext) {
    this.#placed = placeFunctions(entry, context);
    this.#context = context;
  }

  get code(): Uint8Array {
    this.#linked ??= linkCode(this.#placed, this.#context);
    return this.#linked.code;
  }

  get references(): readonly Reference[] {
    this.#linked ??= linkCode(this.#placed, this.#context);
    return this.#linked.references;
  }

  get functions(): LinkedCode['functions'] {
    this.#functions ??= this.#placed.map(({ source, slot }) => ({
      name: source.name,
      slot,
      typeId: source.typeId,
      linkage: source.linkage,
      origin: { section: source.section.name, slot: source.slot },
    }));
    return this.#functions;
  }

  get lines(): LinkedCode['lines'] {
    const records = this.#context.file.btfExt?.lineRecords;
    this.#lines ??= this.#placed.flatMap(({ source: { section, slot, slots }, slot: place }) => {
      return records?.get(section.name)?.between(slot, slot + slots, place - slot) ?? [];
    });
    return this.#lines;
  }

  get coreRelocations(): LinkedCode['coreRelocations'] {
    this.#coreRelocations ??= move(this.#placed, this.#context.coreRelocations);
    return this.#coreRelocations;
  }
}

function linkCode(placed: readonly Placed[], context: LinkContext): Pick<LinkedCode, 'code' | 'references'> {
  const last = placed[placed.length - 1];
  const code = new Uint8Array(last === undefined ? 0 : (last.slot + last.source.slots) * SLOT_SIZE);
  const references: Reference[] = [];
  for (const one of placed) {
    const { section, slot, slots } = one.source;
    const own = context.code.get(section.index)?.subarray(slot * SLOT_SIZE, (slot + slots) * SLOT_SIZE);
    if (own !== undefined) code.set(own, one.slot * SLOT_SIZE);
    for (const site of sitesOf(one.source, context)) {
      const reference = patch(code, site, one.slot + site.slot - slot, placed, context);
      if (reference !== null) references.push(reference);
    }
  }
  return { code, references };
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

function functionsReached(source: ObjectFunction, isEntry: boolean, context: LinkContext): ObjectFunction[] {
  const reached: ObjectFunction[] = [];
  for (const { target } of sitesOf(source, context)) {
    if (target.kind === 'call' || target.kind === 'function') reached.push(target.function);
  }
  const callback = isEntry && source.typeId !== null ? context.exceptionCallbacks.get(source.typeId) : undefined;
  if (callback !== undefined) reached.push(callback);
  return reached;
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
