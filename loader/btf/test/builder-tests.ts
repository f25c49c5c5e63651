import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Btf } from '../btf.ts';
import { BtfBuilder } from '../builder.ts';
import { btfForKernel } from '../kernel-btf.ts';
import type { NewBtfType } from '../types.ts';
import { btfBlob, INT, KIND, type RawType } from './blob.ts';
import { bpftoolTypes, ourTypes } from './bpftool.ts';
import { compileObject } from './object.ts';

/** What no compiler writes, or none of those at hand. */
const RARE: RawType[] = [
  INT, // 1
  { name: 'e', kind: KIND.enum, kindFlag: true, vlen: 2, sizeOrType: 4, words: ['minus', -1, 'plus', 5] }, // 2
  { name: 'low', kind: KIND.enum64, kindFlag: true, vlen: 1, sizeOrType: 8, words: ['A', 0xffff_fffe, 0xffff_ffff] }, // 3
  { name: 'high', kind: KIND.enum64, vlen: 1, sizeOrType: 8, words: ['B', 1, 0x8000_0000] }, // 4
  { name: 'f', kind: KIND.fwd, kindFlag: true }, // 5
  { name: 'bits', kind: KIND.struct, kindFlag: true, vlen: 1, sizeOrType: 4, words: ['x', 1, (3 << 24) | 17] }, // 6
  { name: 'far', kind: KIND.struct, vlen: 1, sizeOrType: 2 ** 28, words: ['x', 1, 0x7fff_ff00] }, // 7
  { name: 'user', kind: KIND.typeTag, sizeOrType: 1 }, // 8
  { name: 'address_space(1)', kind: KIND.typeTag, kindFlag: true, sizeOrType: 1 }, // 9
  { name: 'note', kind: KIND.declTag, sizeOrType: 6, words: [-1] }, // 10
  { name: 'bpf_fastcall', kind: KIND.declTag, kindFlag: true, sizeOrType: 6, words: [0] }, // 11
  { name: 'small', kind: KIND.int, sizeOrType: 1, words: [(4 << 24) | (3 << 16) | 5] }, // 12
  { name: 'v', kind: KIND.var, sizeOrType: 1, words: [1] }, // 13
  { name: '?.struct_ops', kind: KIND.datasec, vlen: 1, sizeOrType: 4, words: [13, 0, 4] }, // 14
];

for (const byteOrder of ['little', 'big'] as const) {
  t.test(`what is built anew from a BTF says the same, in either byte order (${byteOrder})`, (t) => {
    const { btf } = compileObject(t.testdir({}), byteOrder === 'little' ? 'bpfel' : 'bpfeb');
    for (const original of [btf, Btf.parse(btfBlob(RARE, { byteOrder }))]) {
      for (const options of [{}, { byteOrder: 'little' }, { byteOrder: 'big' }] as const) {
        const built = Btf.parse(BtfBuilder.from(original, options).finish());
        t.equal(built.byteOrder, options.byteOrder ?? byteOrder);
        t.strictSame([...built.types()], [...original.types()]);
      }
    }
    const path = join(t.testdir({}), 'built.btf');
    writeFileSync(path, BtfBuilder.from(btf).finish());
    t.same(bpftoolTypes(path), ourTypes(btf), 'bpftool reads the same types');
    t.end();
  });
}

const INT_TYPE: NewBtfType = {
  ...{ kind: 'int', name: 'int', size: 4, bits: 32, bitOffset: 0 },
  ...{ signed: true, char: false, bool: false },
};

t.test('types may refer to later ones, equal strings are written once, and split BTF uses those of its base', (t) => {
  const builder = new BtfBuilder();
  const int = builder.add(INT_TYPE);
  const list = builder.nextId;
  builder.add({
    ...{ kind: 'struct', name: 'list', size: 16 },
    members: ['list', 'int'].map((name, index) => ({ name, type: list + 1, bitOffset: index * 64, bitSize: 0 })),
  });
  builder.add({ kind: 'ptr', name: '', type: list });
  const base = Btf.parse(builder.finish(), { name: 'base' });
  t.match(base.find('list', 'struct'), {
    id: 2,
    members: [
      { name: 'list', type: 3 },
      { name: 'int', type: 3 },
    ],
  });
  t.equal(base.stringsEnd, '\0int\0list\0'.length);
  t.equal(int, 1);

  const split = new BtfBuilder({ base });
  t.equal(split.nextId, 4);
  split.add({ kind: 'typedef', name: 'list', type: list });
  split.add({ kind: 'typedef', name: 'own', type: 4 });
  const module = Btf.parse(split.finish(), { base, name: 'module' });
  t.match(
    [...module.types()],
    [
      { id: 4, name: 'list', type: 2 },
      { id: 5, name: 'own', type: 4 },
    ],
  );
  t.equal(module.stringsEnd - base.stringsEnd, 'own\0'.length);
  t.strictSame(BtfBuilder.from(module).finish(), module.bytes);
  t.end();
});

t.test('what BTF cannot say is refused, with the type it is in', (t) => {
  const refused = (type: NewBtfType, expected: object): void => {
    const builder = new BtfBuilder();
    builder.add(type);
    t.throws(() => builder.finish(), { name: 'ExplainedError', where: /^type 1 /, ...expected });
  };
  refused({ kind: 'ptr', name: '', type: 2 }, { code: 'btf-type-id', why: 'ids end at 2' });
  refused({ kind: 'float', name: 'f', size: -1 }, { code: 'btf-field-range', message: 'size -1 does not fit' });
  refused({ ...INT_TYPE, bits: 300 }, { code: 'btf-field-range' });
  refused(
    { kind: 'struct', name: 's', size: 4, members: [{ name: 'm', type: 0, bitOffset: 2 ** 24, bitSize: 1 }] },
    { code: 'btf-field-range', why: 'its field holds 0 to 16777215' },
  );
  const builder = new BtfBuilder();
  builder.add({ kind: 'fwd', name: 'a\0b', union: false });
  t.throws(() => builder.finish(), { code: 'btf-string' });
  const layout = Array.from({ length: 21 }, (): [number, number] => [0, 0]);
  const future = Btf.parse(btfBlob([INT, { kind: 20 }, INT], { headerLength: 32, layout }));
  t.throws(() => BtfBuilder.from(future), { code: 'btf-not-editable', why: /type 2/ });
  t.end();
});

t.test('names of sections and tags that an older kernel refuses become ones that it takes', (t) => {
  const btf = Btf.parse(btfBlob(RARE));
  const rewrite = (features: Parameters<typeof btfForKernel>[2]): Btf =>
    Btf.parse(btfForKernel(btf, new Map(), features));
  const old = rewrite({ questionMarkDatasec: false, attributeTags: false });
  t.match(old.type(14), { kind: 'datasec', name: '_.struct_ops', entries: [{ type: 13 }] });
  t.strictSame(old.type(9), { kind: 'type_tag', id: 9, name: 'address_space(1)', type: 1 });
  t.strictSame(old.type(11), { kind: 'decl_tag', id: 11, name: 'bpf_fastcall', type: 6, componentIndex: 0 });
  t.match(rewrite({}).type(14), { name: '?.struct_ops' });
  t.match(rewrite({}).type(9), { attribute: true });
  t.end();
});
