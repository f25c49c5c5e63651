import { SHN_UNDEF } from '../elf/constants.ts';
import type { ElfFile } from '../elf/elf.ts';

/** Where each data section's variables lie: by section name, its size in bytes and the offset of each variable by name. */
export type DatasecLayout = ReadonlyMap<
  string,
  { readonly size: number; readonly offsets: ReadonlyMap<string, number> }
>;

/**
 * The layout of all sections of an object that hold something, from its section headers and its global and weak symbols:
 * what clang leaves out of the BTF. Static variables are not in it, since clang writes their offsets into the BTF.
 */
export function datasecLayout(elf: ElfFile): DatasecLayout {
  const offsets = elf.sections.map(() => new Map<string, number>());
  for (const symbol of elf.symbols) {
    if (symbol.binding !== 'local' && symbol.sectionIndex !== SHN_UNDEF) {
      offsets[symbol.sectionIndex]?.set(symbol.name, Number(symbol.value));
    }
  }
  return new Map(
    elf.sections
      .filter((section) => section.size > 0)
      .map((section) => [section.name, { size: section.size, offsets: offsets[section.index] ?? new Map() }]),
  );
}
