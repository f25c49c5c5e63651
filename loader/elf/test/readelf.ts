import { SHT_NOBITS, SHT_NULL, SHT_REL } from '../constants.ts';
import type { ElfFile, ElfSection } from '../elf.ts';
import { relocations } from '../relocations.ts';
import { run } from './compile.ts';

// One line for each thing, written alike from our parser and from readelf's columns.

export function sectionLine(section: ElfSection): string {
  const { index, name, size, entrySize, link, info, align } = section;
  const kind =
    section.type === SHT_NULL ? 'NULL' : section.type === SHT_NOBITS ? 'NOBITS' : section.type === SHT_REL ? 'REL' : '';
  return [index, name, kind, size, entrySize, link, info, align].join(' ');
}

export function readelfSections(path: string): string[] {
  const row =
    /^ +\[ *(\d+)\] (\S*) +(\S+) +[0-9a-f]{16} [0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) +[A-Za-z]* +(\d+) +(\d+) +(\d+)$/;
  return run('readelf', ['-SW', path])
    .split('\n')
    .map((line) => row.exec(line))
    .filter((match) => match !== null)
    .map(([, index, name, type = '', size = '', entrySize = '', link, info, align]) => {
      const kind = ['NULL', 'NOBITS', 'REL'].includes(type) ? type : '';
      return [index, name, kind, Number.parseInt(size, 16), Number.parseInt(entrySize, 16), link, info, align].join(
        ' ',
      );
    });
}

export function symbolLine({
  index,
  name,
  value,
  size,
  binding,
  type,
  visibility,
  sectionIndex,
}: ElfFile['symbols'][number]): string {
  const places = new Map([
    [0, 'UND'],
    [0xfff1, 'ABS'],
    [0xfff2, 'COM'],
  ]);
  const place = places.get(sectionIndex) ?? sectionIndex;
  // Newer versions of readelf print the section's name for a section symbol, which has none of its own.
  return [index, value, size, type, binding, visibility, place, type === 'section' ? '' : name].join(' ');
}

export function readelfSymbols(path: string): string[] {
  const row = /^ *(\d+): ([0-9a-f]{16}) +(\d+|0x[0-9a-f]+) (\S+) +(\S+) +(\S+) +(\S+) ?(.*)$/;
  return run('readelf', ['-sW', path])
    .split('\n')
    .map((line) => row.exec(line))
    .filter((match) => match !== null)
    .map(([, index, value, size, type = '', binding = '', visibility = '', place, name = '']) =>
      [
        index,
        BigInt(`0x${value}`),
        Number(size),
        type.toLowerCase(),
        binding.toLowerCase(),
        visibility.toLowerCase(),
        place,
        type === 'SECTION' ? '' : name.trim(),
      ].join(' '),
    );
}

export function ourRelocations(elf: ElfFile): string[] {
  return elf.sections
    .filter(({ type }) => type === SHT_REL)
    .flatMap((section) => relocations(elf, section))
    .map(({ offset, symbol, type }) => `${offset} ${symbol.index} ${type}`);
}

export function readelfRelocations(path: string): string[] {
  const row = /^([0-9a-f]{16}) +([0-9a-f]{8})([0-9a-f]{8}) /;
  return run('readelf', ['-rW', path])
    .split('\n')
    .map((line) => row.exec(line))
    .filter((match) => match !== null)
    .map(([, offset = '', symbol = '', type = '']) =>
      [offset, symbol, type].map((hex) => Number.parseInt(hex, 16)).join(' '),
    );
}
