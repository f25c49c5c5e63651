import t from 'tap';
import { Btf } from '../btf.ts';
import { BTF_KINDS } from '../kinds.ts';
import { btfBlob, INT, KIND, type RawType } from './blob.ts';

/** Types whose names repeat, differ in case, are the ends of others or are none at all; in the order of `sort`. */
function types(sort: 'as written' | 'by name'): RawType[] {
  const written = ['zone', 'one', 'e', '', 'zone', 'Zone', 'größe', 'a', 'zones', '', 'ne', 'aa'].flatMap(
    (name): RawType[] => [
      { name, kind: KIND.struct, sizeOrType: 4 },
      { name, kind: KIND.fwd },
      { name: `${name}x`, kind: KIND.union, sizeOrType: 4 },
      { kind: KIND.ptr, sizeOrType: 1 },
    ],
  );
  const all = [{ ...INT, name: 'Int' }, ...written];
  const byName = (a: RawType, b: RawType): number =>
    Buffer.compare(Buffer.from(a.name ?? ''), Buffer.from(b.name ?? ''));
  return sort === 'by name' ? all.sort(byName) : all;
}

/** What a lookup must find, the slow way. */
function expected(btf: Btf, name: string, kind: string): number[] {
  return [...btf.types()].filter((type) => type.name === name && type.kind === kind).map(({ id }) => id);
}

for (const sort of ['as written', 'by name'] as const) {
  for (const byteOrder of ['little', 'big'] as const) {
    t.test(`every name is found, the first lookup by search and later ones by index: ${sort}, ${byteOrder}`, (t) => {
      const blob = btfBlob(types(sort), { byteOrder });
      const names = new Set(
        [...Btf.parse(blob).types()].map(({ name }) => name).concat('n', 'on', 'zzz', 'zone\0', '\0'),
      );
      const many = Btf.parse(blob);
      // More than the searches that go before an index.
      for (let round = 0; round < 40; round++) many.find('one', 'struct');
      for (const name of names) {
        for (const kind of BTF_KINDS) {
          const ids = expected(many, name, kind);
          const found = (btf: Btf): number[] => btf.findAll(name, kind).map(({ id }) => id);
          t.strictSame(found(many), ids, `${kind} ${JSON.stringify(name)}, by index`);
          t.strictSame(found(Btf.parse(blob)), ids, `${kind} ${JSON.stringify(name)}, by search`);
          t.equal(many.find(name, kind)?.id, ids[0]);
        }
      }
      t.strictSame(
        [...many.ofKind('union')].map(({ id }) => id),
        [...many.types()].filter(({ kind }) => kind === 'union').map(({ id }) => id),
      );
      t.end();
    });
  }
}

t.test('types of a module are found by names that only the base has as text', (t) => {
  const base = Btf.parse(btfBlob([INT, { name: 'shared', kind: KIND.struct, sizeOrType: 4 }]));
  const blob = btfBlob(
    [
      { name: 'own', kind: KIND.struct, sizeOrType: 8 },
      { kind: KIND.union, sizeOrType: 8 },
    ],
    {
      baseStrings: '\0int\0shared\0'.length,
    },
  );
  // The union's name is the base's string `shared`, as pahole writes it.
  new DataView(blob.buffer).setUint32(24 + 12, 5, true);
  for (const lookups of [1, 50]) {
    const module = Btf.parse(blob, { base });
    for (let round = 0; round < lookups; round++) t.equal(module.find('shared', 'union')?.id, 4);
    t.equal(module.find('own', 'struct')?.id, 3);
    t.equal(module.find('shared', 'struct')?.id, 2, 'of the base');
    t.equal(module.find('shared', 'struct', { own: true }), undefined);
  }
  t.end();
});

t.test('a blob in the middle of a larger buffer is read wherever it lies, and stays as it is', (t) => {
  for (const byteOrder of ['little', 'big'] as const) {
    const blob = btfBlob([INT, { name: 'one', kind: KIND.struct, sizeOrType: 4 }], { byteOrder });
    for (const shift of [0, 1, 2, 3]) {
      const around = Buffer.alloc(blob.length + shift);
      around.set(blob, shift);
      const btf = Btf.parse(around.subarray(shift));
      t.equal(btf.find('one', 'struct')?.id, 2);
      t.strictSame(new Uint8Array(around.subarray(shift)), blob);
    }
  }
  const layout = Array.from({ length: 21 }, (): [number, number] => [0, 2]);
  const odd = [INT, { kind: 20, vlen: 1, words: [1] }];
  t.throws(() => Btf.parse(btfBlob(odd, { headerLength: 32, layout })), { code: 'btf-unaligned' });
  t.end();
});

t.test('names that all end in one long string cost neither time nor memory without end', (t) => {
  const count = 60_000;
  const long = 'é'.repeat(count);
  const blob = btfBlob([
    { name: long, kind: KIND.struct, sizeOrType: 0 },
    ...Array.from({ length: count }, () => ({ kind: KIND.fwd })),
  ]);
  const view = new DataView(blob.buffer);
  for (let index = 0; index < count; index++) view.setUint32(24 + 12 * (index + 1), 1 + index, true);
  const started = performance.now();
  const btf = Btf.parse(blob);
  for (let round = 0; round < 40; round++) btf.find('é', 'fwd');
  t.throws(() => [...btf.types()], { code: 'btf-strings', message: 'too many long strings share their ends' });
  t.ok(performance.now() - started < 5000, 'soon');
  t.end();
});
