import t from 'tap';
import { mutate, seededRandom } from '../../elf/test/compile.ts';
import { ExplainedError, FormatError } from '../../errors.ts';
import { Btf } from '../btf.ts';
import { typesAreCompatible } from '../compat.ts';
import { datasecLayout } from '../datasec-layout.ts';
import { parseBtfExt } from '../ext.ts';
import { formatType } from '../format.ts';
import { btfForKernel } from '../kernel-btf.ts';
import { btfBlob, INT, KIND, type RawType } from './blob.ts';
import { bpftoolTypes, ourTypes } from './bpftool.ts';
import { compileObject, fail } from './object.ts';
import './builder-tests.ts';
import './dump-c-tests.ts';
import './lookup-tests.ts';
import './print-c-tests.ts';
import './value-tests.ts';

for (const target of ['bpfel', 'bpfeb'] as const) {
  t.test(`every type of an object is what bpftool says it is (${target})`, async (t) => {
    const { path, btf } = compileObject(t.testdir({}), target);
    t.equal(btf.byteOrder, target === 'bpfel' ? 'little' : 'big');
    const expected = bpftoolTypes(path);
    t.same(ourTypes(btf), expected);
    t.equal(btf.endId, expected.length + 1);
    t.ok(expected.length > 50, `${expected.length} types`);
  });
}

t.test('types are found by name and kind, counted, resolved and measured', async (t) => {
  const { btf, elf } = compileObject(t.testdir({}));
  t.match(btf.find('runqueues', 'var'), { kind: 'var', linkage: 'extern' });
  t.equal(btf.find('runqueues', 'struct'), undefined, 'a name alone is not enough');
  t.equal(btf.find('no such name', 'var'), undefined);
  t.equal(btf.findAll('counter', 'var').length, 1);
  t.equal(btf.count('datasec'), [...btf.types()].filter(({ kind }) => kind === 'datasec').length);
  t.same(btf.type(0), { kind: 'void', id: 0, name: '' });
  const table = btf.find('table', 'var') ?? fail('table');
  t.equal(btf.resolve(btf.find('word', 'typedef')?.id ?? 0).name, 'unsigned int', 'a typedef of a typedef');
  t.equal(btf.resolve(table.type).kind, 'array', 'const is skipped');
  t.equal(btf.type(table.id), table, 'a type is inflated once');

  // The compiler's own sizes: those of the symbols.
  const variables = elf.symbols.filter(({ type, name }) => type === 'object' && btf.find(name, 'var') !== undefined);
  t.ok(variables.length >= 12, `${variables.length} variables`);
  for (const { name, size } of variables) {
    t.equal(btf.sizeOf(btf.find(name, 'var')?.id ?? 0), size, `size of ${name}`);
  }
  for (const [id, kind] of [
    [0, 'void'],
    [btf.find('sub', 'func')?.id ?? 0, 'func'],
    [btf.find('opaque', 'fwd')?.id ?? 0, 'fwd'],
  ] as const) {
    t.throws(() => btf.sizeOf(id), { code: 'btf-no-size', message: new RegExp(kind) });
  }
  t.throws(() => btf.type(btf.endId), { name: 'FormatError', code: 'btf-type-id' });
});

t.test('types are written as C declares them', async (t) => {
  const { btf } = compileObject(t.testdir({}));
  // The declarations of SOURCE above, without the variable's name.
  const declared: [string, string][] = [
    ['handler', 'int (*)(int, void *)'],
    ['printer', 'int (*)(const char *, ...)'],
    ['pointers', 'struct opaque *[4]'],
    ['table', 'const word[3][5]'],
    ['factory', 'int (*(*)(void))[2]'],
    ['color', 'enum color'],
    ['flag', '_Bool'],
    ['longer', 'double'],
    ['runqueues', 'const struct opaque'],
    ['jiffies', 'const void'],
    ['LINUX_KERNEL_VERSION', 'u32'],
  ];
  for (const [name, type] of declared) {
    // Compilers put the qualifier of an array on the array or on its element.
    const written = formatType(btf, btf.find(name, 'var')?.id ?? 0);
    t.equal(written.replace(/^const volatile /, 'volatile const '), type, name);
  }
  t.match(formatType(btf, btf.find('label', 'var')?.id ?? 0), /^const char \*(const volatile|volatile const)$/);
  t.equal(formatType(btf, btf.find('sub', 'func')?.id ?? 0), 'int sub(int)');
  t.equal(formatType(btf, btf.find('.ksyms', 'datasec')?.id ?? 0), 'section .ksyms');
  // A prototype that takes itself a hundred times over: 100 to the power of the depth, if nobody counted.
  const wild = Btf.parse(
    btfBlob([{ kind: KIND.funcProto, vlen: 100, sizeOrType: 1, words: Array(100).fill([0, 1]).flat() }]),
  );
  t.ok(formatType(wild, 1).length < 10_000);
});

t.test('all kinds, signs and bit fields are read in both byte orders', async (t) => {
  const types: RawType[] = [
    INT,
    { name: 'e', kind: KIND.enum, kindFlag: true, vlen: 2, sizeOrType: 4, words: ['minus', -1, 'plus', 5] },
    { name: 'u', kind: KIND.enum, vlen: 1, sizeOrType: 4, words: ['big', 0xffff_fffe] },
    {
      name: 'e64',
      kind: KIND.enum64,
      kindFlag: true,
      vlen: 1,
      sizeOrType: 8,
      words: ['low', 0xffff_fffe, 0xffff_ffff],
    },
    { name: 'u64', kind: KIND.enum64, vlen: 1, sizeOrType: 8, words: ['high', 1, 0x8000_0000] },
    { name: 'f', kind: KIND.fwd, kindFlag: true },
    { name: 'bits', kind: KIND.struct, kindFlag: true, vlen: 1, sizeOrType: 4, words: ['x', 1, (3 << 24) | 17] },
    { name: 'tag', kind: KIND.typeTag, sizeOrType: 1 },
    { name: 'note', kind: KIND.declTag, sizeOrType: 7, words: [-1] },
    { name: 'half', kind: KIND.float, sizeOrType: 2 },
    { name: 'small', kind: KIND.int, sizeOrType: 1, words: [(4 << 24) | (3 << 16) | 5] },
    { kind: KIND.restrict, sizeOrType: 8 },
  ];
  for (const byteOrder of ['little', 'big'] as const) {
    const btf = Btf.parse(btfBlob(types, { byteOrder }));
    t.equal(btf.byteOrder, byteOrder);
    t.match(btf.type(2), {
      signed: true,
      values: [
        { name: 'minus', value: -1 },
        { name: 'plus', value: 5 },
      ],
    });
    t.match(btf.type(3), { signed: false, values: [{ value: 4294967294 }] });
    t.match(btf.type(4), { kind: 'enum64', values: [{ value: -2n }] });
    t.match(btf.type(5), { kind: 'enum64', values: [{ value: 0x8000_0000_0000_0001n }] });
    t.match(btf.type(6), { kind: 'fwd', union: true });
    t.match(btf.type(7), { members: [{ name: 'x', type: 1, bitOffset: 17, bitSize: 3 }] });
    t.match(btf.type(8), { kind: 'type_tag', name: 'tag', type: 1 });
    t.match(btf.type(9), { kind: 'decl_tag', componentIndex: -1 });
    t.match(btf.type(10), { kind: 'float', size: 2 });
    t.match(btf.type(11), { kind: 'int', bool: true, signed: false, char: false, bitOffset: 3, bits: 5 });
    t.equal(btf.resolve(12).name, 'int', 'restrict and type tags are skipped');
  }
});

t.test('headers of any length, 24 bits of vlen and unknown kinds are read as Linux 7.2 defines them', async (t) => {
  for (const headerLength of [24, 32, 48]) {
    t.equal(Btf.parse(btfBlob([INT], { headerLength })).type(1).name, 'int', `header of ${headerLength} bytes`);
  }
  const many = 70_000;
  const words = Array.from({ length: many }, (_, value) => ['v', value]).flat();
  const wide = Btf.parse(btfBlob([{ name: 'wide', kind: KIND.enum, vlen: many, sizeOrType: 4, words }, INT]));
  const values = wide.find('wide', 'enum')?.values ?? [];
  t.equal(values.length, many, 'more values than 16 bits count');
  t.equal(values.at(-1)?.value, many - 1);

  const future: RawType[] = [INT, { name: 'new', kind: 20, vlen: 2, words: [1, 2, 3] }, { ...INT, name: 'after' }];
  t.throws(() => Btf.parse(btfBlob(future), { name: 'vmlinux' }), {
    code: 'btf-unknown-kind',
    message: 'unknown BTF kind 20',
    where: 'vmlinux: .BTF+0x28',
  });
  const layout = Array.from({ length: 21 }, (_, kind) => (kind === 20 ? [4, 4] : [0, 0]) as [number, number]);
  const btf = Btf.parse(btfBlob(future, { headerLength: 32, layout }));
  t.equal(btf.find('after', 'int')?.id, 3, 'the layout section says how long the unknown type is');
  t.throws(() => btf.type(2), { name: 'FormatError', code: 'btf-unknown-kind' });
  t.same(
    [...btf.types()].map(({ id }) => id),
    [1, 3],
  );
  t.throws(() => btfForKernel(btf, new Map()), { code: 'btf-not-editable' });
});

t.test('split BTF goes on where its base ends', async (t) => {
  const base = Btf.parse(btfBlob([INT, { name: 'shared', kind: KIND.struct, sizeOrType: 4 }]), { name: 'vmlinux' });
  const baseStrings = ['', 'int', 'shared'].join('\0').length + 1;
  const blob = btfBlob(
    [
      { name: 'shared', kind: KIND.struct, sizeOrType: 8 },
      { name: 'x', kind: KIND.var, sizeOrType: 1, words: [1] },
    ],
    { baseStrings },
  );
  const module = Btf.parse(blob, { base, name: 'module' });
  t.same([module.firstId, module.endId], [3, 5]);
  t.match(module.type(4), { kind: 'var', id: 4, name: 'x', type: 1 });
  t.equal(module.type(1), base.type(1), 'ids below belong to the base');
  t.equal(module.string(1), 'int', 'and so do string offsets');
  t.equal(module.find('shared', 'struct')?.id, 3, 'its own come first');
  t.equal(module.find('int', 'int')?.id, 1);
  t.equal(module.find('int', 'int', { own: true }), undefined);
  t.same(
    module.findAll('shared', 'struct').map(({ id }) => id),
    [3, 2],
  );
  t.same(
    [...module.types()].map(({ id }) => id),
    [3, 4],
  );
  t.equal(module.count('int'), 0);
  t.equal(module.sizeOf(4), 4);
  t.throws(() => Btf.parse(btfBlob([], { byteOrder: 'big' }), { base }), { code: 'btf-byte-order' });
  t.throws(() => btfForKernel(module, new Map()), { code: 'btf-not-editable' });
});

t.test('damaged BTF is refused with a reason, at its place', async (t) => {
  const good = btfBlob([INT, { name: 'p', kind: KIND.typedef, sizeOrType: 1 }]);
  const patched = (offset: number, value: number): Uint8Array => {
    const copy = good.slice();
    new DataView(copy.buffer).setUint32(offset, value, true);
    return copy;
  };
  const types = 24;
  const cases: [string, Uint8Array, object][] = [
    ['nothing', new Uint8Array(0), { code: 'btf-truncated' }],
    ['no magic', patched(0, 0), { code: 'btf-magic' }],
    ['version 2', patched(0, 0x0002eb9f), { code: 'btf-version', offset: 2 }],
    ['a short header', patched(4, 20), { code: 'btf-header-length' }],
    ['a header longer than the blob', patched(4, 1 << 20), { code: 'btf-header-length' }],
    ['types outside', patched(12, 1 << 30), { code: 'btf-truncated', message: /type section/ }],
    ['strings outside', patched(16, 0xffff_ffff), { code: 'btf-truncated', message: /string section/ }],
    ['unaligned types', patched(8, 2), { code: 'btf-unaligned' }],
    ['strings without an end', good.slice(0, -1), { code: 'btf-truncated' }],
    ['no strings', patched(20, 0), { code: 'btf-strings' }],
    ['half a type', patched(12, 20), { code: 'btf-truncated', offset: 40 }],
    ['kind 0', patched(types + 4, 0), { code: 'btf-unknown-kind', offset: types }],
    [
      'more members than bytes',
      patched(types + 4, (KIND.struct << 24) | 500),
      { code: 'btf-truncated', message: 'a struct is cut off' },
    ],
  ];
  for (const [what, damaged, expected] of cases) {
    t.throws(
      () => Btf.parse(damaged, { name: 'x' }),
      { name: 'FormatError', where: /^x: \.BTF\+0x/, ...expected },
      what,
    );
  }
  t.throws(() => Btf.parse(patched(types + 16 + 8, 99)).type(2), { code: 'btf-type-id', why: 'ids end at 3' });
  t.throws(() => Btf.parse(patched(types, 99)).type(1), { code: 'btf-string-offset' });
  const loop = Btf.parse(patched(types + 16 + 8, 2));
  t.throws(() => loop.resolve(2), { code: 'btf-type-loop', section: '.BTF', offset: types + 16 });
  t.throws(() => loop.sizeOf(2), { code: 'btf-type-loop' });
  t.equal(formatType(loop, 2), 'p', 'a typedef is its name, wherever it leads');
  const linkage = Btf.parse(btfBlob([INT, { name: 'v', kind: KIND.var, sizeOrType: 1, words: [7] }]));
  t.throws(() => linkage.type(2), { code: 'btf-linkage', message: 'type 2 has linkage 7' });
  const huge = Btf.parse(
    btfBlob([INT, { kind: KIND.array, words: [1, 1, -1] }, { kind: KIND.array, words: [2, 1, -1] }]),
  );
  t.throws(() => huge.sizeOf(3), { code: 'btf-no-size', why: /4 GiB/ });
});

t.test('thousands of damaged BTF sections are either read or refused, and soon', async (t) => {
  const { btf, elf, section } = compileObject(t.testdir({}));
  const layout = datasecLayout(elf);
  const random = seededRandom(2);
  const started = Date.now();
  let refused = 0;
  for (let round = 0; round < 4000; round += 1) {
    const damageExt = round % 4 === 0;
    try {
      const damaged = damageExt ? btf : Btf.parse(mutate(btf.bytes, random));
      parseBtfExt(damageExt ? mutate(section('.BTF.ext'), random) : section('.BTF.ext'), damaged);
      for (const type of damaged.types()) {
        formatType(damaged, type.id);
        damaged.resolve(type.id);
        typesAreCompatible(damaged, type.id, btf, 1 + random(btf.endId - 1));
      }
      damaged.find('runqueues', 'var');
      Btf.parse(btfForKernel(damaged, layout));
    } catch (error) {
      // Rewriting for a kernel may also refuse well-formed BTF, with the plain ExplainedError.
      if (!(error instanceof FormatError) && !(error instanceof ExplainedError)) {
        t.fail(`round ${round} threw ${String(error)}`);
        return;
      }
      refused += 1;
    }
  }
  t.ok(refused > 500 && refused < 4000, `both happen: ${refused} of 4000 refused`);
  t.ok(Date.now() - started < 60_000, 'none of them hangs');
});
