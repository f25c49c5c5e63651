import type { TypeId } from '../btf/types.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import { SLOT_SIZE } from '../insn/opcodes.ts';
import { isCode, type ObjectFile } from './object-file.ts';
import type { FunctionSpec } from './spec.ts';

/** A function in one of the object's code sections. */
export interface ObjectFunction {
  readonly name: string;
  readonly section: ElfSection;
  /** First instruction slot in its section. */
  readonly slot: number;
  /** How many slots it takes. */
  readonly slots: number;
  readonly linkage: FunctionSpec['linkage'];
  /** Its BTF FUNC; null without BTF. */
  readonly typeId: TypeId | null;
  /** Whether it is a program: visible from outside, and in a section of its own name instead of `.text`. */
  readonly program: boolean;
}

/**
 * Lists the functions of all code sections, ordered by section and slot: the symbols of type FUNC.
 * @throws ObjectError `function-outside-section`, `functions-overlap` or `code-without-function`.
 */
export function readFunctions(file: ObjectFile): readonly ObjectFunction[] {
  const sections = file.elf.sections.filter(isCode);
  // By section once: an object may have a section for each of a thousand programs.
  const symbols = new Map<number, ElfSymbol[]>(sections.map(({ index }) => [index, []]));
  for (const symbol of file.elf.symbols) symbols.get(symbol.sectionIndex)?.push(symbol);
  return sections.flatMap((section) => readSectionFunctions(file, section, symbols.get(section.index) ?? []));
}

/** The function that starts at `slot` of a section, if one does: the first of several. `functions` in the order of {@link readFunctions}. */
export function functionAt(
  functions: readonly ObjectFunction[],
  sectionIndex: number,
  slot: number,
): ObjectFunction | undefined {
  let [low, high] = [0, functions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const one = functions[middle];
    if (one === undefined) break;
    const isBefore = one.section.index === sectionIndex ? one.slot < slot : one.section.index < sectionIndex;
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  const found = functions[low];
  return found?.section.index === sectionIndex && found.slot === slot ? found : undefined;
}

function readSectionFunctions(file: ObjectFile, section: ElfSection, symbols: readonly ElfSymbol[]): ObjectFunction[] {
  const position = { file: file.name, section: section.name };
  const types = new Map<number, TypeId>();
  for (const { slot, typeId } of file.btfExt?.functions.get(section.name) ?? []) {
    if (!types.has(slot)) types.set(slot, typeId);
  }
  const functions = functionSymbols(section, symbols)
    .map((symbol) => readFunction(file, section, symbol, types))
    .sort((a, b) => a.slot - b.slot);
  if (functions.length === 0) {
    throw new ObjectError('code-without-function', 'a code section has no function', position, {
      why: `it holds ${section.size / SLOT_SIZE} instruction slots, yet no symbol of type FUNC points to it`,
      fix: 'Declare assembler code with `.type NAME, @function` and `.size`.',
    });
  }
  let previous: ObjectFunction | undefined;
  for (const one of functions) {
    const alias = previous !== undefined && one.slot === previous.slot && one.slots === previous.slots;
    if (previous !== undefined && !alias && one.slot < previous.slot + previous.slots) {
      throw new ObjectError(
        'functions-overlap',
        'two functions overlap',
        { ...position, symbol: one.name },
        {
          why: `${previous.name} takes slots ${previous.slot} to ${previous.slot + previous.slots - 1}, ${one.name} starts at ${one.slot}`,
        },
      );
    }
    previous = one;
  }
  return functions;
}

/**
 * The symbols of a section's functions: those of type FUNC. Clang before 8 gives symbols neither type nor size; there every one counts that is no label of
 * the compiler's own, and ends where the next begins.
 */
function functionSymbols(section: ElfSection, inside: readonly ElfSymbol[]): readonly ElfSymbol[] {
  const typed = inside.filter(({ type }) => type === 'func');
  if (typed.length > 0) return typed;
  const named = inside
    .filter(({ type, name, size }) => type === 'notype' && size === 0 && name !== '' && !/^(\.L|LBB)/.test(name))
    .sort((a, b) => Number(a.value - b.value));
  const starts = [...new Set(named.map(({ value }) => Number(value))), section.size];
  return named.map((symbol) => {
    const start = Number(symbol.value);
    return { ...symbol, size: (starts.find((next) => next > start) ?? start) - start };
  });
}

function readFunction(
  file: ObjectFile,
  section: ElfSection,
  symbol: ElfSymbol,
  types: ReadonlyMap<number, TypeId>,
): ObjectFunction {
  const start = Number(symbol.value);
  const { size } = symbol;
  if (start % SLOT_SIZE !== 0 || size % SLOT_SIZE !== 0 || size === 0 || start + size > section.data.length) {
    throw new ObjectError(
      'function-outside-section',
      'a function does not fit its section',
      { file: file.name, section: section.name, symbol: symbol.name },
      {
        why: `it starts at byte ${start} and takes ${size} of ${section.data.length} bytes; instructions take ${SLOT_SIZE} each`,
      },
    );
  }
  const slot = start / SLOT_SIZE;
  return {
    name: symbol.name,
    section,
    slot,
    slots: size / SLOT_SIZE,
    linkage: linkageOf(symbol),
    typeId: types.get(slot) ?? null,
    program: section.name !== '.text' && symbol.binding !== 'local',
  };
}

function linkageOf(symbol: ElfSymbol): FunctionSpec['linkage'] {
  if (symbol.visibility === 'hidden' || symbol.visibility === 'internal') return 'static';
  return symbol.binding === 'global' || symbol.binding === 'weak' ? symbol.binding : 'static';
}
