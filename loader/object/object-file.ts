import { Btf } from '../btf/btf.ts';
import { type BtfExt, parseBtfExt } from '../btf/ext.ts';
import { EM_BPF, ET_REL, SHF_EXECINSTR, SHT_PROGBITS, SHT_REL, SHT_RELA } from '../elf/constants.ts';
import { type ElfFile, type ElfSection, parseElf } from '../elf/elf.ts';
import { type ElfRelocation, relocations } from '../elf/relocations.ts';
import { ObjectError } from '../errors.ts';

/** An object as the steps of {@link parseObject} share it: ELF, BTF and the relocations sorted by what they apply to. */
export interface ObjectFile {
  readonly name: string;
  readonly elf: ElfFile;
  /** Null if the object has no `.BTF`. */
  readonly btf: Btf | null;
  /** Null if the object has no `.BTF.ext`. */
  readonly btfExt: BtfExt | null;
  /** Relocations of a section by its index, in order of offset; not those of debug information and BTF, of which nothing is loaded. */
  readonly relocations: ReadonlyMap<number, readonly ElfRelocation[]>;
}

/**
 * Reads ELF and BTF of a relocatable BPF object.
 * @throws FormatError if ELF or BTF is damaged; ObjectError `not-bpf` or `not-relocatable` if it is some other ELF file.
 */
export function readObjectFile(bytes: Uint8Array, name: string): ObjectFile {
  const elf = parseElf(bytes, name);
  if (elf.machine !== EM_BPF) {
    throw new ObjectError(
      'not-bpf',
      'not a BPF object',
      { file: name },
      {
        why: `its ELF machine is ${elf.machine}, BPF is ${EM_BPF}`,
        fix: 'Compile it with `clang -target bpf -O2 -g -c`.',
      },
    );
  }
  if (elf.type !== ET_REL) {
    throw new ObjectError(
      'not-relocatable',
      'not a relocatable object',
      { file: name },
      {
        why: `its ELF type is ${elf.type}, relocatable is ${ET_REL}`,
        fix: 'Compile with -c and do not link, or link with `bpftool gen object`.',
      },
    );
  }
  const btfSection = elf.sections.find((section) => section.name === '.BTF');
  const extSection = elf.sections.find((section) => section.name === '.BTF.ext');
  // A copy, as types and text are read from it long after the file was.
  const btf = btfSection === undefined ? null : Btf.parse(new Uint8Array(btfSection.data), { name });
  const btfExt = btf === null || extSection === undefined ? null : parseBtfExt(extSection.data, btf);
  return { name, elf, btf, btfExt, relocations: relocationsByTarget(elf) };
}

/** Whether a section holds BPF instructions. */
export function isCode(section: ElfSection): boolean {
  return section.type === SHT_PROGBITS && (section.flags & SHF_EXECINSTR) !== 0n && section.size > 0;
}

/** Sections that describe the others. */
const DESCRIPTION = /^\.(debug_|BTF$|BTF\.ext$)/;

function relocationsByTarget(elf: ElfFile): Map<number, ElfRelocation[]> {
  const byTarget = new Map<number, ElfRelocation[]>();
  for (const section of elf.sections) {
    if (section.type !== SHT_REL && section.type !== SHT_RELA) continue;
    // They are many times as many as those of the code; libbpf skips them, too (bpf_object__elf_collect, src/libbpf.c).
    if (DESCRIPTION.test(elf.sections[section.info]?.name ?? '')) continue;
    const all = [...(byTarget.get(section.info) ?? []), ...relocations(elf, section)];
    byTarget.set(
      section.info,
      all.sort((a, b) => a.offset - b.offset),
    );
  }
  return byTarget;
}
