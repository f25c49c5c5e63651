import {
  R_BPF_64_32,
  R_BPF_64_64,
  R_BPF_64_ABS32,
  R_BPF_64_ABS64,
  R_BPF_64_NODYLD32,
  SHN_UNDEF,
} from '../elf/constants.ts';
import type { ElfSection } from '../elf/elf.ts';
import type { ElfRelocation } from '../elf/relocations.ts';
import { ObjectError } from '../errors.ts';
import { type Instruction, isCall, isLoadImm64, readInstruction } from '../insn/instruction.ts';
import { SLOT_SIZE } from '../insn/opcodes.ts';
import { ARENA_SECTION, isDataSection, pointerInData } from './data.ts';
import { functionAt, type ObjectFunction } from './functions.ts';
import { KCONFIG_SECTION } from './kconfig.ts';
import { isCode, type ObjectFile } from './object-file.ts';
import { describeSite } from './site.ts';
import type { ExternSpec, KconfigSpec } from './spec.ts';

/** What an instruction with a relocation refers to. */
export type CodeTarget =
  | { readonly kind: 'map'; readonly map: string }
  | { readonly kind: 'data'; readonly map: string; readonly offset: number }
  | { readonly kind: 'extern'; readonly extern: string }
  | { readonly kind: 'extern-call'; readonly extern: string }
  | { readonly kind: 'function'; readonly function: ObjectFunction }
  | { readonly kind: 'call'; readonly function: ObjectFunction };

/** What relocations may refer to. */
export interface Targets {
  readonly functions: readonly ObjectFunction[];
  readonly externs: readonly ExternSpec[];
  readonly kconfig: readonly KconfigSpec[];
  /** Name of each map of `.maps` by its offset in that section. */
  readonly mapNames: ReadonlyMap<number, string>;
}

/**
 * The target of every relocation in a code section, by instruction slot in that section.
 * Addends are those of REL sections: they stand in the instruction (`Documentation/bpf/llvm_reloc.rst`).
 * @throws ObjectError naming section, symbol and instruction for whatever cannot be loaded.
 */
export function readCodeTargets(file: ObjectFile, section: ElfSection, targets: Targets): Map<number, CodeTarget> {
  const found = new Map<number, CodeTarget>();
  for (const relocation of file.relocations.get(section.index) ?? []) {
    const site = new RelocationSite(file, section, relocation);
    found.set(site.slot, readTarget(site, targets));
  }
  return found;
}

function readTarget(site: RelocationSite, targets: Targets): CodeTarget {
  // Loaders go by the instruction, not by the relocation's type: compilers have changed their minds about R_BPF_64_32 and R_BPF_64_64.
  if (isCall(site.instruction)) return readCallTarget(site, targets);
  if (isLoadImm64(site.instruction)) return readLoadTarget(site, targets);
  throw site.refuse(
    'relocation-kind',
    `relocation of type ${relocationName(site.relocation.type)} cannot be applied`,
    'only a 64-bit immediate load (R_BPF_64_64) and a call (R_BPF_64_32) can refer to a symbol',
  );
}

function readCallTarget(site: RelocationSite, targets: Targets): CodeTarget {
  const { symbol } = site.relocation;
  if (symbol.sectionIndex === SHN_UNDEF) {
    const extern = findExtern(site, targets);
    if (!('kind' in extern) || extern.kind !== 'kfunc') {
      throw site.refuse(
        'call-of-variable',
        `${extern.name} is called`,
        'it is declared as a variable, not as a function',
      );
    }
    return { kind: 'extern-call', extern: extern.name };
  }
  const section = site.targetSection();
  if (!isCode(section)) {
    throw site.refuse('call-of-data', 'a call of something that is no code', `the symbol lies in ${section.name}`);
  }
  // The immediate counts slots from the call's own next slot; in a relocation, from the symbol.
  const slot = Number(symbol.value) / SLOT_SIZE + site.addend + 1;
  return { kind: 'call', function: findFunction(site, targets, section, slot) };
}

function readLoadTarget(site: RelocationSite, targets: Targets): CodeTarget {
  const { symbol } = site.relocation;
  if (symbol.sectionIndex === SHN_UNDEF) return readExternTarget(site, targets);
  const section = site.targetSection();
  const offset = Number(symbol.value) + site.addend;
  if (isCode(section)) {
    return { kind: 'function', function: findFunction(site, targets, section, offset / SLOT_SIZE) };
  }
  if (section.name === '.maps') {
    const map = targets.mapNames.get(offset);
    if (map === undefined) {
      throw site.refuse('unknown-map', 'no map starts there', `it refers to .maps+0x${offset.toString(16)}`);
    }
    return { kind: 'map', map };
  }
  return readDataTarget(site, section, offset);
}

function readExternTarget(site: RelocationSite, targets: Targets): CodeTarget {
  const extern = findExtern(site, targets);
  if ('kind' in extern) return { kind: 'extern', extern: extern.name };
  const offset = extern.offset + site.addend;
  if (site.addend >= 0 && site.addend < extern.size) return { kind: 'data', map: KCONFIG_SECTION, offset };
  throw site.refuse(
    'data-outside-section',
    `a reference outside of ${extern.name}`,
    `it points to byte ${site.addend} of ${extern.size}`,
  );
}

function readDataTarget(site: RelocationSite, section: ElfSection, offset: number): CodeTarget {
  if (!isDataSection(section) && section.name !== ARENA_SECTION) {
    throw site.refuse(
      'reference-to-section',
      `a reference into ${section.name} cannot be loaded`,
      'only .data, .bss, .rodata and their .NAME variants become maps that a program can read',
      'Move the variable into one of these sections.',
    );
  }
  if (offset < 0 || offset >= section.size) {
    throw site.refuse(
      'data-outside-section',
      `a reference outside of ${section.name}`,
      `it points to byte ${offset} of ${section.size}, and the kernel takes addresses within the map only`,
    );
  }
  const pointer = pointerInData(site.file, section, offset);
  if (pointer !== null) {
    throw site.refuse(
      'pointer-in-data',
      'a global variable is initialised with an address',
      `it refers to ${pointer.variable || 'a constant'} in ${section.name}, where byte ${pointer.offset} is to hold the address of ${pointer.target}: a map cannot hold it`,
      'Assign it in the program, or use an index instead of a pointer.',
    );
  }
  return { kind: 'data', map: section.name, offset };
}

function findExtern(site: RelocationSite, targets: Targets): ExternSpec | KconfigSpec {
  const { symbol } = site.relocation;
  const named = ({ name }: { name: string }): boolean => name === symbol.name;
  const extern = targets.externs.find(named) ?? targets.kconfig.find(named);
  if (extern === undefined) {
    throw site.refuse('undefined-symbol', `${symbol.name} is not defined`, `its symbol is undefined and no extern`);
  }
  return extern;
}

function relocationName(type: number): string {
  return RELOCATION_NAMES[type] ?? `${type}`;
}

const RELOCATION_NAMES: Readonly<Record<number, string | undefined>> = {
  [R_BPF_64_64]: 'R_BPF_64_64',
  [R_BPF_64_ABS64]: 'R_BPF_64_ABS64',
  [R_BPF_64_ABS32]: 'R_BPF_64_ABS32',
  [R_BPF_64_NODYLD32]: 'R_BPF_64_NODYLD32',
  [R_BPF_64_32]: 'R_BPF_64_32',
};

function findFunction(site: RelocationSite, targets: Targets, section: ElfSection, slot: number): ObjectFunction {
  const found = functionAt(targets.functions, section.index, slot);
  if (found === undefined) {
    throw site.refuse(
      'not-a-function',
      'no function starts there',
      `it refers to slot ${slot} of section ${section.name}`,
    );
  }
  return found;
}

/** A relocation in code, the instruction it is on, and how to speak of both. */
class RelocationSite {
  readonly slot: number;
  readonly instruction: Instruction;
  readonly relocation: ElfRelocation;
  readonly file: ObjectFile;
  readonly #section: ElfSection;

  constructor(file: ObjectFile, section: ElfSection, relocation: ElfRelocation) {
    this.file = file;
    this.#section = section;
    this.relocation = relocation;
    this.slot = Math.floor(relocation.offset / SLOT_SIZE);
    this.instruction = readInstruction(section.data, this.slot, file.elf.byteOrder);
    if (relocation.offset % SLOT_SIZE !== 0) {
      throw this.refuse(
        'relocation-offset',
        'a relocation within an instruction',
        `it is at byte ${relocation.offset}`,
      );
    }
  }

  /** What is to be added to the symbol: from the relocation (RELA) and the instruction's immediate (REL). */
  get addend(): number {
    return this.instruction.imm + Number(this.relocation.addend ?? 0n);
  }

  targetSection(): ElfSection {
    const section = this.file.elf.sections[this.relocation.symbol.sectionIndex];
    if (section === undefined) {
      throw this.refuse(
        'symbol-without-section',
        'the symbol is in no section',
        'it is absolute or a common symbol',
        'Give the variable an initial value, or compile with -fno-common.',
      );
    }
    return section;
  }

  refuse(code: string, what: string, why: string, fix?: string): ObjectError {
    const { symbol } = this.relocation;
    const named = symbol.name !== '' ? symbol.name : this.file.elf.sections[symbol.sectionIndex]?.name;
    return new ObjectError(
      code,
      what,
      {
        file: this.file.name,
        section: this.#section.name,
        ...(named === undefined ? {} : { symbol: named }),
        instruction: this.slot,
      },
      { why: `in ${describeSite(this.file, this.#section, this.slot)}, ${why}`, ...(fix === undefined ? {} : { fix }) },
    );
  }
}
