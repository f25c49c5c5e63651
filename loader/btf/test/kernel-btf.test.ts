import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Btf } from '../btf.ts';
import { typesAreCompatible } from '../compat.ts';
import { datasecLayout } from '../datasec-layout.ts';
import { parseBtfExt } from '../ext.ts';
import { btfForKernel } from '../kernel-btf.ts';
import { btfBlob, INT, KIND } from './blob.ts';
import { bpftoolTypes, ourTypes } from './bpftool.ts';
import { compileObject, fail, SOURCE } from './object.ts';

for (const target of ['bpfel', 'bpfeb'] as const) {
  t.test(`functions, lines and CO-RE relocations point at their instructions (${target})`, async (t) => {
    const { btf, elf, section } = compileObject(t.testdir({}), target);
    const ext = parseBtfExt(section('.BTF.ext'), btf);
    for (const name of ['prog', 'sub']) {
      const symbol = elf.symbols.find((found) => found.name === name) ?? fail(name);
      const info = ext.functions.get(elf.sections[symbol.sectionIndex]?.name ?? '') ?? [];
      t.same(info, [{ slot: Number(symbol.value) / 8, typeId: btf.find(name, 'func')?.id }]);
    }
    const source = SOURCE.split('\n');
    const lines = [...ext.lines.values()].flat();
    t.ok(lines.length >= 5, `${lines.length} lines`);
    for (const info of lines) {
      t.equal(info.source, source[info.line - 1], `line ${info.line}`);
      t.match(info.file, /object\.c$/);
      t.equal(btf.string(info.sourceOffset), info.source);
      t.equal(btf.string(info.fileNameOffset), info.file);
    }
    t.ok(
      lines.some(({ source }) => source.includes('größer')),
      'UTF-8 in comments',
    );
    const accesses = ext.coreRelocations.get('socket') ?? [];
    const task = btf.find('task', 'struct')?.id;
    // task->pid is the first member; inner.deep the first of the second. Kind 0 is BPF_CORE_FIELD_BYTE_OFFSET.
    t.same(
      new Set(accesses.map(({ typeId, accessString, kind }) => `${typeId} ${accessString} ${kind}`)),
      new Set([`${task} 0:0 0`, `${task} 0:1:0 0`]),
    );
    for (const { slot } of accesses) {
      t.ok(slot * 8 < section('socket').length);
    }
  });
}

t.test('BTF.ext records longer than known are read, and damaged ones refused', async (t) => {
  const { btf, section } = compileObject(t.testdir({}));
  const bytes = section('.BTF.ext').slice();
  const view = new DataView(bytes.buffer);
  const expected = parseBtfExt(bytes, btf).functions;
  const header = view.getUint32(4, true);
  const functions = header + view.getUint32(8, true);

  // The same functions in records of 12 bytes, four of them new to us.
  const longer = [12];
  let at = functions + 4;
  while (at < functions + view.getUint32(12, true)) {
    const count = view.getUint32(at + 4, true);
    longer.push(view.getUint32(at, true), count);
    for (let index = 0; index < count; index += 1) {
      longer.push(view.getUint32(at + 8 + index * 8, true), view.getUint32(at + 12 + index * 8, true), 0xdead);
    }
    at += 8 + count * 8;
  }
  const words = [0x0001eb9f, 24, 0, longer.length * 4, 0, 0, ...longer];
  const rebuilt = new Uint8Array(words.length * 4);
  words.forEach((word, index) => {
    new DataView(rebuilt.buffer).setUint32(index * 4, word, true);
  });
  const short = parseBtfExt(rebuilt, btf);
  t.same(short.functions, expected);
  t.equal(short.coreRelocations.size, 0, 'a header of 24 bytes has no CO-RE part');

  const damaged = (offset: number, value: number) => () => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(offset, value, true);
    return parseBtfExt(copy, btf);
  };
  t.throws(damaged(0, 0), { code: 'btf-ext-header' });
  t.throws(damaged(4, 8), { code: 'btf-ext-header' });
  t.throws(damaged(8, 1 << 30), { code: 'out-of-range', section: '.BTF.ext' });
  t.throws(damaged(functions, 4), { code: 'btf-ext-record' });
  t.throws(damaged(functions + 8, 1 << 28), { code: 'btf-ext-record', why: /are left/ });
  t.throws(damaged(functions + 12, 3), { code: 'btf-ext-offset' });
  t.throws(damaged(functions + 16, 1 << 20), { code: 'btf-type-id' });
});

t.test('compatibility of types follows libbpf, both ways', async (t) => {
  const { btf } = compileObject(t.testdir({}));
  const kernel = Btf.parse(
    btfBlob([
      { ...INT, name: 'long', sizeOrType: 8, words: [64] }, // 1
      { name: 'other', kind: KIND.struct, sizeOrType: 99 }, // 2
      { name: 'other', kind: KIND.union, sizeOrType: 99 }, // 3
      { name: 'e64', kind: KIND.enum64, sizeOrType: 8 }, // 4
      { kind: KIND.ptr, sizeOrType: 2 }, // 5
      { kind: KIND.array, words: [1, 1, 9] }, // 6
      { name: 'old', kind: KIND.int, sizeOrType: 4, words: [(2 << 16) | 3] }, // 7
      { kind: KIND.const, sizeOrType: 1 }, // 8
      { name: 'opaque', kind: KIND.fwd }, // 9
      { name: 'double', kind: KIND.float, sizeOrType: 8 }, // 10
      { kind: KIND.ptr }, // 11: void *
      { kind: KIND.funcProto, vlen: 2, sizeOrType: 8, words: ['a', 8, 'b', 11] }, // 12: const long (const long, void *)
      { kind: KIND.funcProto, vlen: 1, sizeOrType: 1, words: ['a', 1] }, // 13
      { kind: KIND.funcProto, vlen: 2, sizeOrType: 5, words: ['a', 1, 'b', 11] }, // 14: other result
      { kind: KIND.funcProto, vlen: 2, sizeOrType: 1, words: ['a', 1, 'b', 5] }, // 15: struct other * for void *
      { kind: KIND.ptr, sizeOrType: 12 }, // 16
      { kind: KIND.ptr, sizeOrType: 17 }, // 17: a pointer to itself
    ]),
  );
  const type = (name: string): number => btf.find(name, 'var')?.type ?? fail(name);
  const int = btf.find('int', 'int')?.id ?? fail('int');
  const handler = btf.resolve(type('handler'));
  const proto = handler.kind === 'ptr' ? handler.type : fail('handler');
  const rows: [string, number, number, boolean][] = [
    ['integers of other width and sign', int, 1, true],
    ['an integer at a bit offset', int, 7, false],
    ['structs of other name and size', type('nested'), 2, true],
    ['a struct and a union', type('nested'), 3, false],
    ['a struct and an int', type('nested'), 1, false],
    ['an enum and an enum64', type('color'), 4, true],
    ['an enum and an int', type('color'), 1, false],
    ['forward declarations', btf.find('opaque', 'fwd')?.id ?? 0, 9, true],
    ['a forward declaration and a struct', btf.find('opaque', 'fwd')?.id ?? 0, 2, false],
    ['floats: libbpf has no rule for them', type('longer'), 10, false],
    ['void and void', 0, 0, true],
    ['void and int', 0, 1, false],
    ['a const root and a bare one', type('runqueues'), 9, false],
    ['arrays of other length and dimensions', btf.resolve(type('pointers')).id, 6, false],
    ['prototypes whose types are compatible, const ignored', proto, 12, true],
    ['a prototype with fewer parameters', proto, 13, false],
    ['a prototype with another result', proto, 14, false],
    ['a prototype with struct * for void *', proto, 15, false],
    ['pointers to prototypes', handler.id, 16, true],
    ['a pointer that never ends', handler.id, 17, false],
  ];
  for (const [what, local, target, expected] of rows) {
    t.equal(typesAreCompatible(btf, local, kernel, target), expected, what);
    t.equal(typesAreCompatible(kernel, target, btf, local), expected, `${what}, the other way round`);
  }
  t.notOk(typesAreCompatible(kernel, 17, kernel, 17), 'libbpf gives up after 32 levels');
  const wild = Btf.parse(
    btfBlob([{ kind: KIND.funcProto, vlen: 9, sizeOrType: 1, words: Array(9).fill([0, 1]).flat() }]),
  );
  t.notOk(typesAreCompatible(wild, 1, wild, 1), 'a prototype of itself ends, and soon');
});

t.test('the BTF for a kernel keeps ids and strings, and has what the kernel demands', async (t) => {
  const { btf, elf, path } = compileObject(t.testdir({}));
  const layout = datasecLayout(elf);
  const bytes = btfForKernel(btf, layout);
  const rewritten = Btf.parse(bytes, { name: 'rewritten' });
  for (const before of btf.types()) {
    t.match(rewritten.type(before.id), { kind: before.kind, name: before.name }, `type ${before.id}`);
  }
  const stringsLength = new DataView(btf.bytes.slice().buffer).getUint32(20, true);
  const strings = Array.from({ length: stringsLength }, (_, offset) => btf.string(offset));
  t.same(
    strings.map((_, offset) => rewritten.string(offset)),
    strings,
    'every string offset stays',
  );
  const file = join(t.testdir({}), 'rewritten.btf');
  writeFileSync(file, bytes);
  t.same(ourTypes(rewritten), bpftoolTypes(file), 'bpftool reads the same types');

  // Data sections: sizes and offsets as readelf would tell; clang left them 0.
  for (const section of [...rewritten.types()].filter((type) => type.kind === 'datasec')) {
    const header = elf.sections.find(({ name }) => name === section.name);
    let end = 0;
    for (const entry of section.entries) {
      const { name } = rewritten.type(entry.type);
      const symbols = elf.symbols.filter((symbol) => symbol.name === name && symbol.sectionIndex === header?.index);
      t.ok(entry.offset >= end, `${section.name}: ${name} does not overlap what is before`);
      t.ok(
        header === undefined || symbols.some(({ value }) => Number(value) === entry.offset),
        `${section.name}: ${name}`,
      );
      end = entry.offset + entry.size;
    }
    t.ok(end <= section.size && section.size === (header?.size ?? end), `${section.name} has its size`);
  }

  const int = rewritten.find('int', 'int')?.id;
  const ksyms = rewritten.find('.ksyms', 'datasec') ?? fail('.ksyms');
  t.equal(ksyms.size, 12, 'two variables and a function');
  t.same(
    ksyms.entries.map(({ offset, size }) => [offset, size]),
    [
      [0, 4],
      [4, 4],
      [8, 4],
    ],
  );
  t.same(
    new Set(ksyms.entries.map(({ type }) => rewritten.type(type).name)),
    new Set(['runqueues', 'jiffies', 'ksym_function']),
  );
  for (const { type } of ksyms.entries) {
    t.match(rewritten.type(type), { kind: 'var', type: int, linkage: 'global' });
  }
  const kfunc = rewritten.find('kernel_function', 'func') ?? fail('kernel_function');
  t.equal(kfunc.linkage, 'global', 'kernels know no extern functions');
  t.match(rewritten.type(kfunc.type), { params: [{ name: /./ }, { name: /./ }] }, 'nor parameters without a name');
  t.match(rewritten.find('LINUX_KERNEL_VERSION', 'var'), { linkage: 'global' });
  t.same(
    [...rewritten.types()].filter((type) => 'linkage' in type && type.linkage === 'extern'),
    [],
  );
  const prog = btf.find('prog', 'func')?.id ?? fail('prog');
  t.match(Btf.parse(btfForKernel(btf, layout, {}, new Set([prog]))).type(prog), { linkage: 'static' });
  t.throws(() => btfForKernel(btf, new Map()), { code: 'datasec-without-layout', where: path });
});

t.test('what an older kernel does not know becomes something it knows, under the same id', async (t) => {
  const btf = Btf.parse(
    btfBlob([
      INT, // 1
      { name: 'double', kind: KIND.float, sizeOrType: 8 }, // 2
      { name: 'user', kind: KIND.typeTag, sizeOrType: 1 }, // 3
      { name: 'big', kind: KIND.enum64, kindFlag: true, vlen: 2, sizeOrType: 8, words: ['A', 0, 1, 'B', 1, 1] }, // 4
      { name: 'small', kind: KIND.enum, kindFlag: true, vlen: 1, sizeOrType: 4, words: ['C', -1] }, // 5
      { kind: KIND.funcProto, vlen: 2, sizeOrType: 1, words: ['x', 1, 0, 1] }, // 6
      { name: 'f', kind: KIND.func, vlen: 1, sizeOrType: 6 }, // 7
      { name: 'f.x', kind: KIND.var, sizeOrType: 1, words: [0] }, // 8
      { name: '.data', kind: KIND.datasec, vlen: 1, sizeOrType: 16, words: [8, 12, 4] }, // 9
      { name: 'note', kind: KIND.declTag, sizeOrType: 8, words: [-1] }, // 10
    ]),
  );
  const rewrite = (features: Parameters<typeof btfForKernel>[2]): Btf =>
    Btf.parse(btfForKernel(btf, new Map(), features));
  const old = rewrite({ func: false, datasec: false, float: false, declTag: false, typeTag: false, enum64: false });
  t.match(old.type(2), { kind: 'struct', name: '', size: 8, members: [] });
  t.match(old.type(3), { kind: 'const', name: '', type: 1 });
  t.match(old.type(4), {
    kind: 'union',
    name: 'big',
    size: 8,
    members: [
      { name: 'A', bitOffset: 0 },
      { name: 'B', bitOffset: 0 },
    ],
  });
  t.match(old.type(5), { kind: 'enum', signed: false });
  t.match(old.type(6), { kind: 'enum', size: 4, values: [{ name: 'x' }, { name: /./ }] });
  t.match(old.type(7), { kind: 'typedef', name: 'f', type: 6 });
  t.match(old.type(8), { kind: 'int', size: 1, bits: 8 });
  t.match(old.type(9), { kind: 'struct', name: '_data', size: 16, members: [{ name: 'f_x', type: 8, bitOffset: 96 }] });
  t.match(old.type(10), { kind: 'int', name: 'note', size: 1 });
  t.equal(old.endId, btf.endId + 1, 'one type more, that of the union');
  const known = new Set(['int', 'const', 'struct', 'union', 'enum', 'typedef']);
  t.same(
    [...old.types()].filter(({ kind }) => !known.has(kind)),
    [],
    'all of it is BTF of Linux 4.18',
  );

  t.match(rewrite({ funcGlobal: false }).type(7), { kind: 'func', linkage: 'static' });
  t.match(rewrite({ func: false }).type(10), { kind: 'int' }, 'tags go with what they are on');
  t.same(
    [...rewrite({}).types()].map(({ kind }) => kind),
    [...btf.types()].map(({ kind }) => kind),
    'a new kernel knows all',
  );
});
