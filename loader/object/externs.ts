import type { Btf } from '../btf/btf.ts';
import { formatType } from '../btf/format.ts';
import type { BtfType } from '../btf/types.ts';
import { SHN_UNDEF } from '../elf/constants.ts';
import type { ElfSymbol } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import { SLOT_SIZE } from '../insn/opcodes.ts';
import { MOST_DATA } from './data.ts';
import { KCONFIG_SECTION, type KconfigExtern, kconfigType, layOutKconfig } from './kconfig.ts';
import { isCode, type ObjectFile } from './object-file.ts';
import { describeSite } from './site.ts';
import type { ExternSpec, KconfigSpec } from './spec.ts';

/** The undefined symbols of an object, by what fills them in. */
export interface ObjectExterns {
  /** Of `.ksyms`. */
  readonly externs: readonly ExternSpec[];
  /** Of `.kconfig`, in the order of their places in that map. */
  readonly kconfig: readonly KconfigSpec[];
}

/**
 * The externs of the object: undefined symbols, global or weak, without an ELF type, that the BTF lists in DATASEC `.ksyms` or `.kconfig`
 * (bpf_object__collect_externs in libbpf's `src/libbpf.c`). A variable of `.ksyms` whose type is `void`, below modifiers and typedefs, is typeless.
 * @throws ObjectError `extern-without-btf`, `extern-not-in-btf`, `extern-not-ksym`, `kconfig-type`, `data-too-large` or `undefined-symbol`,
 *   naming the extern and the first instruction that uses it.
 */
export function readExterns(file: ObjectFile): ObjectExterns {
  const externs: ExternSpec[] = [];
  const kconfig: KconfigExtern[] = [];
  for (const symbol of file.elf.symbols) {
    if (symbol.index === 0 || symbol.sectionIndex !== SHN_UNDEF || symbol.name === '') continue;
    const { btf, section, type } = readDeclaration(file, symbol);
    if (section === KCONFIG_SECTION) kconfig.push(readKconfig(file, btf, symbol, type));
    else externs.push(readKsym(file, btf, symbol, section, type));
  }
  const placed = layOutKconfig(kconfig);
  const last = placed.at(-1);
  if (last !== undefined && last.offset + last.size > MOST_DATA) {
    throw new ObjectError(
      'data-too-large',
      'too much room for values of the configuration',
      { file: file.name, section: KCONFIG_SECTION, symbol: last.name },
      { why: `its externs take ${last.offset + last.size} bytes, and all may have ${MOST_DATA}` },
    );
  }
  return { externs, kconfig: placed };
}

type Declaration = Extract<BtfType, { readonly kind: 'var' | 'func' }>;

function readDeclaration(file: ObjectFile, symbol: ElfSymbol): { btf: Btf; section: string; type: Declaration } {
  const { name } = symbol;
  if (symbol.type !== 'notype' || (symbol.binding !== 'global' && symbol.binding !== 'weak')) {
    throw refuse(file, symbol, 'undefined-symbol', `${name} is not defined`, {
      why: `an extern is global or weak and without ELF type, this symbol is ${symbol.binding} ${symbol.type}`,
    });
  }
  const { btf } = file;
  if (btf === null) {
    throw refuse(file, symbol, 'extern-without-btf', `extern ${name} has no description`, {
      why: 'the object has no BTF, which says whether it is typed, typeless or a function',
      fix: 'Compile with -g.',
    });
  }
  const declared = findDeclaration(btf, name);
  if (declared === undefined) throw refuseUndeclared(file, btf, symbol);
  const { section, type } = declared;
  if (type.kind !== 'func' && type.kind !== 'var') {
    throw refuse(file, symbol, 'extern-not-in-btf', `extern ${name} is neither a variable nor a function`, {
      why: `DATASEC ${section} lists it as ${type.kind}`,
    });
  }
  if (type.linkage !== 'extern') {
    throw refuse(file, symbol, 'extern-not-in-btf', `${name} is undefined, yet not extern`, {
      why: `its BTF says linkage ${type.linkage}`,
    });
  }
  return { btf, section, type };
}

function readKconfig(file: ObjectFile, btf: Btf, symbol: ElfSymbol, declared: Declaration): KconfigExtern {
  const { name } = symbol;
  const type = declared.kind === 'var' ? kconfigType(btf, declared.type) : null;
  if (type === null) {
    throw refuse(file, symbol, 'kconfig-type', `__kconfig extern ${name} is of a type that holds no such value`, {
      why: declared.kind === 'func' ? 'it is a function' : `its type is ${formatType(btf, declared.type)}`,
      fix: 'Declare it as bool, char, an integer of 2, 4 or 8 bytes, enum libbpf_tristate, or an array of char.',
    });
  }
  return { name, weak: symbol.binding === 'weak', typeId: declared.type, type };
}

function readKsym(file: ObjectFile, btf: Btf, symbol: ElfSymbol, section: string, type: Declaration): ExternSpec {
  const { name } = symbol;
  if (section !== '.ksyms') {
    throw refuse(file, symbol, 'extern-not-ksym', `extern ${name} is in section ${section}`, {
      why: 'only externs of .ksyms and .kconfig can be looked up in a kernel',
      fix:
        section === '.maps'
          ? 'Link the object with the one that defines the map (`bpftool gen object`).'
          : 'Declare it with __ksym of <bpf/bpf_helpers.h>.',
    });
  }
  const weak = symbol.binding === 'weak';
  if (type.kind === 'func') return { name, kind: 'kfunc', weak, typeId: type.type };
  const typeless = btf.resolve(type.type).kind === 'void';
  return { name, kind: typeless ? 'typeless' : 'typed', weak, typeId: typeless ? 0 : type.type };
}

function findDeclaration(btf: Btf, name: string): { section: string; type: BtfType } | undefined {
  for (const section of btf.ofKind('datasec')) {
    for (const entry of section.entries) {
      const type = btf.type(entry.type);
      if (type.name === name) return { section: section.name, type };
    }
  }
  return undefined;
}

function refuseUndeclared(file: ObjectFile, btf: Btf, symbol: ElfSymbol): ObjectError {
  const { name } = symbol;
  if ((btf.find(name, 'func') ?? btf.find(name, 'var')) === undefined) {
    return refuse(file, symbol, 'extern-not-in-btf', `extern ${name} has no description`, {
      why: 'the object’s BTF does not mention it',
      fix: 'Compile the file that uses it with -g, and declare it with __ksym.',
    });
  }
  return refuse(file, symbol, 'extern-not-ksym', `${name} is not defined`, {
    why: 'it is declared extern without a section, so neither this object nor a kernel is said to have it',
    fix: 'Define it, link the object with the one that does (`bpftool gen object`), or append __ksym if the kernel has it.',
  });
}

function refuse(
  file: ObjectFile,
  symbol: ElfSymbol,
  code: string,
  what: string,
  details: { readonly why: string; readonly fix?: string },
): ObjectError {
  const use = firstUse(file, symbol);
  if (use === undefined) return new ObjectError(code, what, { file: file.name, symbol: symbol.name }, details);
  const { section, instruction, text } = use;
  return new ObjectError(
    code,
    what,
    { file: file.name, section, symbol: symbol.name, instruction },
    {
      ...details,
      why: `${details.why} (used by ${text})`,
    },
  );
}

function firstUse(
  file: ObjectFile,
  symbol: ElfSymbol,
): { section: string; instruction: number; text: string } | undefined {
  for (const section of file.elf.sections.filter(isCode)) {
    const relocation = file.relocations.get(section.index)?.find((one) => one.symbol.index === symbol.index);
    if (relocation === undefined) continue;
    const instruction = Math.floor(relocation.offset / SLOT_SIZE);
    const text = describeSite(file, section, instruction);
    return { section: section.name, instruction, text };
  }
  return undefined;
}
