import { readFileSync } from 'node:fs';
import t from 'tap';
import { ByteReader, ByteWriter } from '../../bytes.ts';
import { FormatError } from '../../errors.ts';
import { EM_BPF, ET_REL, R_BPF_64_32, R_BPF_64_64, SHT_NOBITS, SHT_REL } from '../constants.ts';
import { type ElfFile, type ElfSection, parseElf } from '../elf.ts';
import { relocations } from '../relocations.ts';
import { readSymbols } from '../symbols.ts';
import { compileBpf, mutate, seededRandom } from './compile.ts';
import {
  ourRelocations,
  readelfRelocations,
  readelfSections,
  readelfSymbols,
  sectionLine,
  symbolLine,
} from './readelf.ts';

const SOURCE = `
#define SEC(name) __attribute__((section(name), used))
extern const void jiffies __attribute__((section(".ksyms")));
extern const int missing __attribute__((section(".ksyms"), weak));
static volatile int local = 7;
int global = 5;
long long zero[100];
const char text[] = "text";
char _license[] SEC("license") = "GPL";
__attribute__((visibility("hidden"), noinline)) int hidden(int x) { return x + local; }
SEC("socket") int prog(void *ctx) { return (long)&jiffies + (long)&missing + global + zero[3] + hidden(1); }
`;

t.test('numbers are read in both byte orders, and nothing outside of the bytes', async (t) => {
  for (const byteOrder of ['little', 'big'] as const) {
    const written = new ByteWriter(byteOrder)
      .u8(0xab)
      .align(2)
      .u16(0x1234)
      .u32(0xfffffffe)
      .u32(0xfffffffe)
      .u64(-2n)
      .cstring('näme')
      .bytes([1, 2])
      .finish();
    const reader = new ByteReader(written, byteOrder, 'test');
    t.equal(reader.u8(), 0xab);
    t.equal(reader.skip(1).u16(), 0x1234);
    t.equal(reader.u32(), 0xfffffffe);
    t.equal(reader.i32(), -2);
    t.equal(reader.u64(), 0xffff_ffff_ffff_fffen);
    t.equal(reader.cstring(), 'näme');
    t.same([...reader.sub(reader.position, 2).bytes(2)], [1, 2]);
    t.equal(reader.remaining, 2);
    t.throws(() => reader.u32(), {
      code: 'out-of-range',
      section: 'test',
      offset: written.length - 2,
      why: /wanted 4 bytes, available 2/,
    });
    t.equal(reader.remaining, 2, 'a refused read moves nothing');
    t.throws(() => reader.cstring(), { code: 'unterminated-string' });
    t.throws(() => reader.sub(written.length - 1, 2), { code: 'out-of-range', offset: written.length - 1 });
    t.throws(() => reader.seek(-1), { code: 'out-of-range' });
    t.throws(() => reader.bytes(-1), { code: 'out-of-range' });
    t.throws(
      () => reader.sub(1, 4).seek(1).u32(),
      { code: 'out-of-range', offset: 2 },
      'offsets count from the section',
    );
    t.throws(() => reader.sub(1, 4, 'part').seek(1).u32(), { code: 'out-of-range', section: 'part', offset: 1 });
  }
  const byHand = new ByteReader(new Uint8Array([1, 2, 3, 4]), 'big', 'test');
  t.equal(byHand.u32(), 0x01020304, 'big-endian: the first byte counts most');
});

for (const target of ['bpfel', 'bpfeb'] as const) {
  t.test(`sections, symbols and relocations are those that readelf prints (${target})`, async (t) => {
    const { path, bytes } = compileBpf(t.testdir({}), 'object', SOURCE, { target });
    const elf = parseElf(bytes, path);
    t.equal(elf.machine, EM_BPF);
    t.equal(elf.type, ET_REL);
    t.equal(elf.byteOrder, target === 'bpfel' ? 'little' : 'big');
    t.same(elf.sections.map(sectionLine), readelfSections(path));
    t.same(elf.symbols.map(symbolLine), readelfSymbols(path));
    t.same(ourRelocations(elf), readelfRelocations(path));

    const bss = sectionOf(elf, '.bss');
    t.equal(bss.type, SHT_NOBITS);
    t.equal(bss.size, 800);
    t.equal(bss.data.length, 0, 'NOBITS has no data in the file');
    t.equal(Buffer.from(sectionOf(elf, 'license').data).toString(), 'GPL\0');
    t.equal(elf.symbols.find(({ name }) => name === 'missing')?.binding, 'weak');
    t.equal(elf.symbols.find(({ name }) => name === 'hidden')?.visibility, 'hidden');

    // The source has two externs, a global, a word of .bss, and a call: the program's relocations, in that order of kinds.
    const ofProgram = relocations(elf, sectionOf(elf, '.relsocket'));
    t.same(new Set(ofProgram.map(({ type }) => type)), new Set([R_BPF_64_64, R_BPF_64_32]));
    t.match(
      ofProgram.filter(({ type }) => type === R_BPF_64_32),
      [{ addend: null }],
      'one call, and REL has no addends',
    );
  });
}

t.test('an executable of the system is read as readelf reads it, and RELA relocations have addends', async (t) => {
  // Independent of clang and of BPF.
  const elf = parseElf(readFileSync('/bin/sh'), '/bin/sh');
  t.same(elf.sections.map(sectionLine), readelfSections('/bin/sh'));

  const rela = new ByteWriter('little')
    .u64(8n)
    .u64((1n << 32n) | 2n)
    .u64(-3n)
    .finish();
  const relocated = withRelocations(elf, rela);
  t.match(relocations(relocated, relocated.sections[1] ?? elf.sections[0] ?? fail()), [
    { offset: 8, type: 2, addend: -3n, symbol: { name: 'target' } },
  ]);
});

t.test('what is no ELF64 object is refused with a reason, at its place', async (t) => {
  const { bytes } = compileBpf(t.testdir({}), 'object', SOURCE);
  const patched = (change: (view: DataView, copy: Uint8Array) => void): Uint8Array => {
    const copy = bytes.slice();
    change(new DataView(copy.buffer), copy);
    return copy;
  };
  const headers = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(40, true));
  const cases: [string, Uint8Array, object][] = [
    ['an empty file', new Uint8Array(0), { code: 'not-elf', why: 'it is empty' }],
    ['bitcode', new Uint8Array([0x42, 0x43, 0xc0, 0xde, ...new Uint8Array(100)]), { code: 'not-elf', fix: /bitcode/ }],
    ['a lone header', bytes.slice(0, 40), { code: 'elf-truncated', section: 'ELF header' }],
    ['a file cut in half', bytes.slice(0, bytes.length / 2), { code: 'elf-truncated', fix: /cut off/ }],
    ['ELF32', patched((view) => view.setUint8(4, 1)), { code: 'elf-class', why: 'it is ELF32' }],
    ['byte order 3', patched((view) => view.setUint8(5, 3)), { code: 'elf-byte-order' }],
    [
      'headers beyond the file',
      patched((view) => view.setBigUint64(40, 1n << 63n, true)),
      { code: 'elf-truncated', offset: 40 },
    ],
    [
      'section headers of 40 bytes',
      patched((view) => view.setUint16(58, 40, true)),
      { code: 'elf-section-header-size' },
    ],
    [
      '65,535 sections',
      patched((view) => view.setUint16(60, 0xffff, true)),
      { code: 'elf-truncated', why: /65535 headers/ },
    ],
    ['extended section numbering', patched((view) => view.setUint16(60, 0, true)), { code: 'elf-extended-numbering' }],
    [
      'extended numbering of the name table',
      patched((view) => view.setUint16(62, 0xffff, true)),
      { code: 'elf-extended-numbering' },
    ],
    ['no section names', patched((view) => view.setUint16(62, 2, true)), { code: 'elf-section-names' }],
    [
      'a name outside of the table',
      patched((view) => view.setUint32(headers + 64, 1 << 30, true)),
      { code: 'out-of-range' },
    ],
    [
      'a section of 8 EiB',
      patched((view) => view.setBigUint64(headers + 64 + 32, 1n << 63n, true)),
      { code: 'elf-absurd-size' },
    ],
    [
      'a section outside of the file',
      patched((view) => view.setBigUint64(headers + 64 + 24, 1n << 40n, true)),
      { code: 'elf-truncated', section: 'section headers' },
    ],
  ];
  for (const [what, damaged, expected] of cases) {
    t.throws(() => parseElf(damaged, 'x.o'), { name: 'FormatError', where: /^x\.o: /, ...expected }, what);
  }
});

t.test('a damaged symbol table, string table or relocation section is refused', async (t) => {
  const { bytes } = compileBpf(t.testdir({}), 'object', SOURCE);
  const elf = parseElf(bytes, 'x.o');
  const symtab = sectionOf(elf, '.symtab');
  const strtab = sectionOf(elf, '.strtab');
  const headers = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(40, true));
  const parsePatched = (change: (view: DataView, copy: Uint8Array) => void) => (): ElfFile => {
    const copy = bytes.slice();
    change(new DataView(copy.buffer), copy);
    return parseElf(copy, 'x.o');
  };
  const symtabAt = symtab.data.byteOffset - bytes.byteOffset;
  const strtabAt = strtab.data.byteOffset - bytes.byteOffset;
  const header = (section: ElfSection) => headers + 64 * section.index;
  t.throws(
    parsePatched((view) => view.setBigUint64(header(symtab) + 56, 20n, true)),
    { code: 'elf-symbol-size' },
  );
  t.throws(
    parsePatched((view) => view.setUint32(header(symtab) + 40, 2, true)),
    { code: 'elf-symbol-names' },
  );
  t.throws(
    parsePatched((view) => view.setUint16(symtabAt + 24 + 6, 5000, true)),
    { code: 'elf-symbol-section', why: /sections/ },
  );
  t.throws(
    parsePatched((view) => view.setUint16(symtabAt + 24 + 6, 0xffff, true)),
    { code: 'elf-extended-numbering' },
  );
  t.throws(
    parsePatched((view) => view.setBigUint64(symtabAt + 24 + 16, 1n << 60n, true)),
    { code: 'elf-absurd-size' },
  );
  t.throws(
    parsePatched((_, copy) => copy.fill(0x41, strtabAt, strtabAt + strtab.size)),
    { code: 'unterminated-string' },
  );
  // 20,000 symbols named by the ends of one string of 400 KB: 8 GB of text.
  const long = Buffer.alloc(400_000, 0x61);
  long[long.length - 1] = 0;
  const overlapping = new ByteWriter('little');
  for (let offset = 1; offset <= 20_000; offset++) overlapping.u32(offset).bytes(new Uint8Array(20));
  const table = { ...symtab, data: overlapping.finish(), size: 24 * 20_000, link: 1 };
  t.throws(() => readSymbols(table, [symtab, { ...strtab, data: long, size: long.length }], 'little'), {
    code: 'elf-names',
    section: '.strtab',
  });

  const rel = sectionOf(elf, '.relsocket');
  const damagedRel =
    (change: (view: DataView) => void, header: Partial<ElfSection> = {}) =>
    () => {
      const data = rel.data.slice();
      change(new DataView(data.buffer));
      return relocations(elf, { ...rel, data, ...header });
    };
  const nothing = (): void => {};
  t.throws(
    damagedRel((view) => view.setBigUint64(0, 1n << 40n, true)),
    { code: 'elf-relocation', message: /outside of its section/ },
  );
  t.throws(
    damagedRel((view) => view.setUint32(12, 9999, true)),
    { code: 'elf-relocation', why: /symbol 9999 of/ },
  );
  t.throws(damagedRel(nothing, { entrySize: 8 }), { code: 'elf-relocation', section: '.relsocket' });
  t.throws(damagedRel(nothing, { info: 9999 }), { code: 'elf-relocation', why: 'there is no section 9999' });
  t.throws(damagedRel(nothing, { link: 1 }), { code: 'elf-relocation', why: /section 1 is none/ });
  t.throws(() => relocations(elf, symtab), { code: 'elf-relocation', message: 'not a relocation section' });
});

t.test('thousands of damaged objects are either read or refused with a FormatError', async (t) => {
  const { bytes } = compileBpf(t.testdir({}), 'object', SOURCE, { flags: ['-O2'] });
  const random = seededRandom(1);
  let refused = 0;
  for (let round = 0; round < 6000; round += 1) {
    const damaged = mutate(bytes, random);
    try {
      const elf = parseElf(damaged, 'x.o');
      for (const section of elf.sections.filter(({ type }) => type === SHT_REL)) {
        relocations(elf, section);
      }
    } catch (error) {
      if (!(error instanceof FormatError)) {
        t.fail(`round ${round} threw ${String(error)}`);
        return;
      }
      refused += 1;
    }
  }
  t.ok(refused > 1000 && refused < 6000, `both happen: ${refused} of 6000 refused`);
});

function fail(): never {
  throw new Error('the object lacks what the test needs');
}

function sectionOf(elf: ElfFile, name: string): ElfSection {
  return elf.sections.find((section) => section.name === name) ?? fail();
}

/** An ELF file made by hand with one RELA section, which clang never writes for BPF. */
function withRelocations(elf: ElfFile, data: Uint8Array): ElfFile {
  const none = elf.sections[0] ?? fail();
  const target: ElfSection = { ...none, index: 0, name: 'data', size: 16 };
  const rela: ElfSection = {
    ...none,
    index: 1,
    name: '.reladata',
    type: 4,
    size: data.length,
    entrySize: 24,
    link: 2,
    data,
  };
  const symbol = { index: 1, name: 'target', value: 0n, size: 0, sectionIndex: 0, visibility: 'default' } as const;
  const symbols = [0, 1].map((index) => ({ ...symbol, index, binding: 'global', type: 'notype' }) as const);
  return { ...elf, byteOrder: 'little', sections: [target, rela, { ...none, index: 2, type: 2 }], symbols };
}
