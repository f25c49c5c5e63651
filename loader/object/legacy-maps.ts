import { ByteReader } from '../bytes.ts';
import type { ElfSection } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import { mapTypeName } from './map-types.ts';
import type { ObjectFile } from './object-file.ts';

/** Whether a section holds maps as they were defined before BTF: `struct bpf_map_def`, or `struct bpf_elf_map` of iproute2. */
export function isLegacyMapSection(section: ElfSection): boolean {
  return (section.name === 'maps' || section.name.startsWith('maps/')) && section.size > 0;
}

/**
 * The refusal of such maps: code `legacy-maps`, with the definition of the first one as it is written today. They carry no types, and loaders do not agree
 * about what follows the first four numbers; libbpf dropped them in 1.0.
 */
export function refuseLegacyMaps(file: ObjectFile, section: ElfSection): ObjectError {
  const symbol = file.elf.symbols.find(
    (one) => one.sectionIndex === section.index && one.name !== '' && one.type !== 'section',
  );
  const name = symbol?.name ?? 'name';
  return new ObjectError(
    'legacy-maps',
    'maps in the old format cannot be loaded',
    { file: file.name, section: section.name, ...(symbol === undefined ? {} : { symbol: name }) },
    {
      why: 'struct bpf_map_def and iproute2’s struct bpf_elf_map carry no types, and each loader extended them differently; libbpf 1.0 dropped them as well',
      fix: `Define them in SEC(".maps"), with <bpf/bpf_helpers.h>: \`${portedDefinition(file, section, Number(symbol?.value ?? 0n), name)}\``,
    },
  );
}

/** type, key_size, value_size, max_entries, map_flags: the first five words of both structs. */
const PREFIX_SIZE = 20;

function portedDefinition(file: ObjectFile, section: ElfSection, offset: number, name: string): string {
  if (offset + PREFIX_SIZE > section.data.length) return `struct { __uint(type, …); … } ${name} SEC(".maps");`;
  const reader = new ByteReader(section.data, file.elf.byteOrder, section.name).seek(offset);
  const [type, keySize, valueSize, maxEntries, flags] = Array.from({ length: 5 }, () => reader.u32());
  const known = mapTypeName(type ?? 0);
  const members: readonly (readonly [string, number | string | undefined])[] = [
    ['type', known === null ? type : `BPF_MAP_TYPE_${known.toUpperCase()}`],
    ['key_size', keySize],
    ['value_size', valueSize],
    ['max_entries', maxEntries],
    ['map_flags', flags],
  ];
  const text = members
    .filter(([, value]) => value !== 0)
    .map(([attribute, value]) => `__uint(${attribute}, ${value});`);
  return `struct { ${text.join(' ')} } ${name} SEC(".maps");`;
}
