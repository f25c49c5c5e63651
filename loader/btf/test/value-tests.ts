import t from 'tap';
import { Btf } from '../btf.ts';
import { decodeValue, encodeValue } from '../values.ts';
import { btfBlob, INT, KIND } from './blob.ts';
import { compileObject, fail } from './object.ts';

/** Variables whose initial bytes are the compiler's, beside what they must read as. */
const SOURCE = `
typedef unsigned char u8; typedef unsigned long long u64;
enum color { RED, GREEN = 7, LAST = 300 };
struct bits { unsigned a:3; int b:5; u64 c:40; u8 d:1; };
struct inner { short x; union { int i; u8 raw[4]; }; struct { int deep; }; };
struct all {
  signed char s8; u8 u8; short s16; unsigned short u16; int s32; unsigned u32; long s64; u64 u64;
  _Bool yes, no; enum color color; char text[6]; char full[3]; u8 bytes[3]; int grid[2][3];
  struct inner inner; void *pointer; double real; float single; const char letter; struct bits bits;
};
struct all all = { -1, 255, -2, 65535, -3, 4294967295u, -4, 18446744073709551615ull, 1, 0, LAST, "gr\\xc3\\xbc", "abc", {1,2,3},
  {{1,2,3},{4,5,-6}}, { 9, { 0x01020304 }, { 11 } }, (void *)0xffff888000000001ull, 1.5, -0.25f, 'A', { 5, -7, 0xfedcba9876ull, 1 } };
volatile const int answer = 42;
__int128 huge = ((__int128)0x0123456789abcdefull << 64) | 5;
__int128 minus = -7;
`;

const EXPECTED = {
  s8: -1,
  u8: 255,
  s16: -2,
  u16: 65535,
  s32: -3,
  u32: 4294967295,
  s64: -4n,
  u64: 18446744073709551615n,
  yes: true,
  no: false,
  color: 300,
  text: 'grü',
  full: 'abc',
  bytes: [1, 2, 3],
  grid: [
    [1, 2, 3],
    [4, 5, -6],
  ],
  inner: { x: 9, i: 0x01020304, raw: [1, 2, 3, 4], deep: 11 },
  pointer: 0xffff888000000001n,
  real: 1.5,
  single: -0.25,
  letter: 65,
  bits: { a: 5, b: -7, c: 0xfedcba9876n, d: 1 },
};

for (const target of ['bpfel', 'bpfeb'] as const) {
  t.test(`values are read as the compiler laid them out, and written to the same bytes (${target})`, (t) => {
    const { elf, btf } = compileObject(t.testdir({}), target, SOURCE);
    const initial = (name: string): { id: number; bytes: Uint8Array } => {
      const symbol = elf.symbols.find((one) => one.name === name) ?? fail(name);
      const start = Number(symbol.value);
      const data = elf.sections[symbol.sectionIndex]?.data ?? fail(name);
      return { id: btf.find(name, 'var')?.id ?? fail(name), bytes: data.slice(start, start + Number(symbol.size)) };
    };
    const { id, bytes } = initial('all');
    const raw = target === 'bpfel' ? [4, 3, 2, 1] : [1, 2, 3, 4];
    const expected = { ...EXPECTED, inner: { ...EXPECTED.inner, raw } };
    t.strictSame(decodeValue(btf, id, bytes), expected);
    t.strictSame(encodeValue(btf, id, decodeValue(btf, id, bytes)), bytes, 'members of a union agree');
    const { raw: _, ...inner } = expected.inner;
    t.strictSame(encodeValue(btf, id, { ...expected, color: 'LAST', yes: 1, s64: -4, inner }), bytes);
    t.strictSame(encodeValue(btf, id, {}), new Uint8Array(bytes.length), 'what is left out is zero');
    for (const [name, value] of [
      ['answer', 42],
      ['huge', 0x0123456789abcdef0000000000000005n],
      ['minus', -7n],
    ] as const) {
      const variable = initial(name);
      t.equal(decodeValue(btf, variable.id, variable.bytes), value, name);
      t.strictSame(encodeValue(btf, variable.id, value), variable.bytes, name);
    }
    const section = btf.find('.rodata', 'datasec') ?? fail('.rodata');
    // Its size and offsets are clang's, which are 0 before the load: what is read of it starts at its beginning.
    t.match(decodeValue(btf, section.entries[0]?.type ?? 0, initial('answer').bytes), 42);
    t.end();
  });
}

t.test('a value that does not fit its type is refused, with the member it is for', (t) => {
  const { btf } = compileObject(t.testdir({}), 'bpfel', SOURCE);
  const id = btf.find('all', 'struct')?.id ?? fail('all');
  const wrong: [unknown, object][] = [
    [{ u8: 256 }, { code: 'btf-value-range', where: '.u8', why: 'it holds 0 to 255' }],
    [{ s8: -129n }, { code: 'btf-value-range', where: '.s8' }],
    [{ u64: -1 }, { code: 'btf-value-range' }],
    [{ s64: 2 ** 60 }, { code: 'btf-value-range', why: /2\^53/ }],
    [{ u32: 1.5 }, { code: 'btf-value-range' }],
    [{ bits: { b: 16 } }, { code: 'btf-value-range', where: '.bits.b', why: 'it holds -16 to 15' }],
    [{ yes: 2 }, { code: 'btf-value-range', why: 'it holds 0 or 1' }],
    [{ u8: 'x' }, { code: 'btf-value-type', message: 'a string for int unsigned char' }],
    [{ text: 'sieben!' }, { code: 'btf-value-size', message: '7 bytes are too many', why: 'the array has 6' }],
    [{ bytes: 'abc' }, { code: 'btf-value-type', why: 'it takes an array' }],
    [{ grid: [[1], [2], [3]] }, { code: 'btf-value-size', where: '.grid' }],
    [{ grid: [[1], [1, 2 ** 40]] }, { code: 'btf-value-range', where: '.grid[1][1]' }],
    [{ color: 'BLUE' }, { code: 'btf-value-type', why: 'it has RED, GREEN, LAST' }],
    [{ real: '1' }, { code: 'btf-value-type' }],
    [{ inner: { y: 1 } }, { code: 'btf-value-member', where: '.inner', why: 'struct inner has x, i, raw, deep' }],
    [{ inner: { i: 1, raw: [2] } }, { code: 'btf-value-union', message: 'members i and raw contradict each other' }],
    [{ inner: { i: 5, raw: [0] } }, { code: 'btf-value-union' }],
    [[1], { code: 'btf-value-type', where: 'the value' }],
    [7n, { code: 'btf-value-type', message: 'a bigint for struct all' }],
  ];
  for (const [value, expected] of wrong) {
    t.throws(() => encodeValue(btf, id, value as never), { name: 'ExplainedError', ...expected });
  }
  t.strictSame(
    [...encodeValue(btf, btf.find('inner', 'struct')?.id ?? 0, { raw: [1, 2], deep: 3 })],
    [0, 0, 0, 0, 1, 2, 0, 0, 3, 0, 0, 0],
  );
  t.throws(() => decodeValue(btf, id, new Uint8Array(3)), { code: 'btf-value-size' });
  t.end();
});

t.test('enums of 64 bits, odd floats, old bit fields and odd members are read or refused', (t) => {
  const btf = Btf.parse(
    btfBlob([
      INT, // 1
      { name: 'wide', kind: KIND.enum64, kindFlag: true, vlen: 1, sizeOrType: 8, words: ['LOW', 0, 0x8000_0000] }, // 2
      { name: 'half', kind: KIND.float, sizeOrType: 2 }, // 3
      { name: 'old', kind: KIND.int, sizeOrType: 4, words: [(1 << 24) | (5 << 16) | 4] }, // 4
      { name: '__proto__', kind: KIND.struct, vlen: 2, sizeOrType: 4, words: ['__proto__', 1, 0, 1, 1, 0] }, // 5
      { name: 'outside', kind: KIND.struct, vlen: 1, sizeOrType: 4, words: ['x', 1, 8] }, // 6
      { name: 'self', kind: KIND.struct, vlen: 2, sizeOrType: 0, words: ['a', 7, 0, 'b', 7, 0] }, // 7
      { kind: KIND.array, words: [7, 1, -1] }, // 8
      { kind: KIND.funcProto }, // 9
      { name: 'e', kind: KIND.enum, kindFlag: true, vlen: 1, sizeOrType: 4, words: ['MINUS', -2] }, // 10
      { name: 'u', kind: KIND.enum, vlen: 1, sizeOrType: 4, words: ['MINUS', -2] }, // 11
    ]),
  );
  t.equal(decodeValue(btf, 2, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80)), -(2n ** 63n));
  t.strictSame(encodeValue(btf, 2, 'LOW'), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80));
  t.throws(() => decodeValue(btf, 3, new Uint8Array(2)), { code: 'btf-value-type', why: 'it takes 2 bytes' });
  t.equal(decodeValue(btf, 4, Uint8Array.of(0x60, 1, 0, 0)), -5, '4 bits from bit 5');
  const odd = decodeValue(btf, 5, Uint8Array.of(7, 0, 0, 0));
  t.equal(Object.getPrototypeOf(odd), Object.prototype);
  t.strictSame(encodeValue(btf, 5, odd), Uint8Array.of(7, 0, 0, 0));
  t.throws(() => decodeValue(btf, 6, new Uint8Array(4)), { name: 'FormatError', code: 'btf-member-outside' });
  t.throws(() => encodeValue(btf, 6, { x: 1 }), { name: 'FormatError', code: 'btf-member-outside' });
  for (const id of [7, 8]) t.throws(() => decodeValue(btf, id, new Uint8Array(0)), { code: 'btf-type-loop' });
  t.throws(() => decodeValue(btf, 9, new Uint8Array(0)), { code: 'btf-no-size' });
  const minusTwo = Uint8Array.of(0xfe, 0xff, 0xff, 0xff);
  t.equal(decodeValue(btf, 10, minusTwo), -2);
  t.strictSame(encodeValue(btf, 10, 'MINUS'), minusTwo);
  t.throws(() => encodeValue(btf, 10, 0xffff_fffe), { code: 'btf-value-range' });
  // Before Linux 6.0 BTF had no place for the sign of an enum.
  t.equal(decodeValue(btf, 11, minusTwo), 0xffff_fffe);
  for (const value of ['MINUS', -2, 0xffff_fffe]) t.strictSame(encodeValue(btf, 11, value), minusTwo);
  t.throws(() => encodeValue(btf, 11, -(2 ** 31) - 1), { code: 'btf-value-range' });
  t.end();
});
