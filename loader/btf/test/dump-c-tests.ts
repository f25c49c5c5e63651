import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mutate, run, seededRandom } from '../../elf/test/compile.ts';
import { FormatError } from '../../errors.ts';
import { Btf } from '../btf.ts';
import { dumpC } from '../dump-c.ts';
import { btfBlob, INT, KIND, type RawType } from './blob.ts';
import { compileObject } from './object.ts';

/** Types that are hard to write down with the layout they have. */
const SOURCE = `
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
struct tail; enum later { LATER = 1 }; typedef struct tail tail_t; typedef void (*hook_t)(tail_t *, enum later);
struct __attribute__((packed)) header { u8 kind; u32 length; u16 port; };
struct half_packed { u8 a; struct header header; u64 b; };
struct __attribute__((aligned(64))) line { int used; };
struct gaps { u8 a; u8 b __attribute__((aligned(16))); u32 c; u64 d __attribute__((aligned(32))); };
struct bits { u32 a:3; u32 :5; u32 b:24; u64 c:40; u8 d:4, :0; u8 e:2; _Bool flag:1; enum later later:2; int after; };
struct __attribute__((packed)) packed_bits { u8 a:3; u32 b:30; u64 c:33; u16 last; };
struct outer { struct { int x; union { u8 y; u64 z; }; }; struct { u8 w; } named[2]; enum { ONE = 1, MINUS = -1 } inside; };
union mixed { u8 bytes[13]; u64 word; struct header header; };
struct node { struct node *next; hook_t hook; int (*table[3])(struct node *, const char *, ...); tail_t *tail; u32 (*matrix)[2][3]; };
struct tail { struct node node; const volatile u32 *const reg; u8 data[0]; };
enum tiny { TINY = 3 } __attribute__((packed));
enum big { BIG = 0x123456789abcll, SMALL = -1 }; enum unsigned_ { TOP = 4294967295u };
enum wide { WIDE = 1 } __attribute__((mode(DI)));
struct empty {}; struct last { int n; struct empty none; char rest[]; };
struct wide_int { char c; __int128 i; enum tiny tiny; enum wide w; float f; double g; _Bool yes; };
enum { UNUSED_A = 5, UNUSED_B };
struct half_packed a; struct line b; struct gaps c; struct bits d; struct packed_bits e; struct outer f; union mixed g; struct tail h; struct last i; struct wide_int j;
enum big k; enum unsigned_ l;
int use(void) { return UNUSED_A; }
`;

/** Sizes and offsets that the BTF has, to be asserted by a compiler. */
function assertions(btf: Btf): string {
  const lines: string[] = [];
  for (const type of btf.types()) {
    if (type.name === '') continue;
    if (type.kind === 'enum' || type.kind === 'enum64') lines.push(`sizeof(enum ${type.name}) == ${type.size}`);
    if (type.kind !== 'struct' && type.kind !== 'union') continue;
    lines.push(`sizeof(${type.kind} ${type.name}) == ${type.size}`);
    for (const { name, bitOffset, bitSize } of type.members) {
      if (name === '') continue;
      if (bitSize === 0) lines.push(`__builtin_offsetof(${type.kind} ${type.name}, ${name}) == ${bitOffset / 8}`);
    }
  }
  return lines.map((line) => `_Static_assert(${line}, "");\n`).join('');
}

/** Where each bit of each bit field lies, by a program that the compiler folds: its BTF. */
function bitFields(btf: Btf): string[] {
  return [...btf.ofKind('struct')].flatMap(({ name, members }) =>
    members
      .filter(({ bitSize }) => bitSize !== 0)
      .map((member) => `${name}.${member.name} ${member.bitOffset}:${member.bitSize}`),
  );
}

/** Compiles a header with declarations after it. */
function compiles(folder: string, source: string, ...flags: string[]): void {
  const path = join(folder, 'dumped.c');
  writeFileSync(path, source);
  run('clang', ['-target', 'bpf', '-fsyntax-only', '-Wall', '-Werror', '-Wno-visibility', ...flags, path]);
}

t.test('a dumped header compiles, and its structs have the sizes and offsets of the BTF', (t) => {
  const { btf } = compileObject(t.testdir({}), 'bpfel', SOURCE);
  const header = dumpC(btf);
  compiles(t.testdir({}), `${header}${header}${assertions(btf)}`);
  const used = ['half_packed', 'line', 'gaps', 'bits', 'packed_bits', 'outer', 'tail', 'last', 'wide_int'];
  const variables = used.map((name) => `struct ${name} v_${name};\n`).join('');
  const again = compileObject(t.testdir({}), 'bpfel', `${header}${variables}`).btf;
  t.strictSame(bitFields(again).sort(), bitFields(btf).sort(), 'bit fields lie where they lay');
  t.match(header, /struct header \{\n\tu8 kind;\n\tu32 length;\n\tu16 port;\n\} __attribute__\(\(packed\)\);/);
  t.match(header, '#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n');
  t.match(header, 'preserve_access_index');
  t.notMatch(dumpC(btf, { preserveAccessIndex: false, guard: 'MINE' }), /preserve_access_index|VMLINUX/);
  const plain = dumpC(compileObject(t.testdir({}), 'bpfel', 'typedef int number; number lone;').btf);
  compiles(t.testdir({}), plain, '-Wpragma-clang-attribute');
  t.notMatch(plain, 'preserve_access_index', 'clang warns of an attribute that it puts on nothing');
  t.end();
});

t.test('names that C has room for only once are told apart, and all of it still compiles', (t) => {
  const types: RawType[] = [
    INT, // 1
    { name: 'same', kind: KIND.struct, vlen: 1, sizeOrType: 4, words: ['a', 1, 0] }, // 2
    { name: 'same', kind: KIND.struct, vlen: 1, sizeOrType: 8, words: ['a', 9, 0] }, // 3
    { name: 'same', kind: KIND.union, vlen: 1, sizeOrType: 4, words: ['b', 1, 0] }, // 4
    { kind: KIND.enum, vlen: 2, sizeOrType: 4, words: ['false', 0, 'true', 1] }, // 5
    { name: 'e', kind: KIND.enum, vlen: 1, sizeOrType: 4, words: ['true', 7] }, // 6
    { name: 'same', kind: KIND.typedef, sizeOrType: 3 }, // 7
    { name: 'true', kind: KIND.typedef, sizeOrType: 1 }, // 8
    { kind: KIND.ptr, sizeOrType: 10 }, // 9
    { name: 'ahead', kind: KIND.fwd }, // 10
    { name: 'ahead', kind: KIND.struct, vlen: 1, sizeOrType: 8, words: ['p', 9, 0] }, // 11
    { name: 'ahead', kind: KIND.fwd, kindFlag: true }, // 12
    { name: 'u', kind: KIND.typedef, sizeOrType: 12 }, // 13
    { name: 'Option<u8>', kind: KIND.struct, vlen: 2, sizeOrType: 8, words: ['__0', 1, 0, 'a.b', 1, 32] }, // 14
    // Structs with a name as members without one: what -fms-extensions allows.
    { name: 'holder', kind: KIND.struct, vlen: 2, sizeOrType: 16, words: [0, 11, 0, 'x', 1, 64] }, // 15
    { kind: KIND.enum, vlen: 1, sizeOrType: 4, words: ['ALONE', 9] }, // 16
    { name: 'padded', kind: KIND.union, vlen: 1, sizeOrType: 24, words: ['x', 1, 0] }, // 17
    { name: 'old', kind: KIND.struct, vlen: 2, sizeOrType: 4, words: ['lo', 19, 0, 'hi', 20, 0] }, // 18
    { name: 'int', kind: KIND.int, sizeOrType: 4, words: [(1 << 24) | 4] }, // 19
    { name: 'int', kind: KIND.int, sizeOrType: 4, words: [(1 << 24) | (4 << 16) | 28] }, // 20
  ];
  const btf = Btf.parse(btfBlob(types));
  const header = dumpC(btf);
  const checks = [
    ['struct same', 4],
    ['struct same___2', 8],
    ['union same___3', 4],
    ['same', 8],
    ['struct ahead', 8],
    ['struct Option_u8_', 8],
    ['struct holder', 16],
    ['union padded', 24],
    ['struct old', 4],
  ].map(([name, size]) => `_Static_assert(sizeof(${name}) == ${size}, "");\n`);
  const more = '_Static_assert(ALONE == 9 && true___2 == 7 && __builtin_offsetof(struct holder, p) == 0, ""); u *v;\n';
  // A union without a name that only fills space is no mistake here.
  compiles(t.testdir({}), `${header}${checks.join('')}${more}`, '-Wno-missing-declarations');
  const module = Btf.parse(
    btfBlob([{ name: 'own', kind: KIND.struct, vlen: 1, sizeOrType: 8, words: [0, 3, 0] }], {
      baseStrings: btf.stringsEnd,
    }),
    { base: btf },
  );
  const own = dumpC(module, { preserveAccessIndex: false });
  compiles(t.testdir({}), `${own}_Static_assert(sizeof(struct own) == 8, "");\n`);
  t.notMatch(own, 'holder', 'of a module, only what it needs of its base');
  t.end();
});

t.test('damaged BTF is dumped within bounds, or refused as damaged', (t) => {
  const loops: RawType[][] = [
    [
      { kind: KIND.struct, vlen: 2, sizeOrType: 8, words: ['a', 2, 0, 'b', 2, 0] },
      { kind: KIND.struct, vlen: 2, sizeOrType: 8, words: ['a', 1, 0, 'b', 1, 0] },
      { name: 't', kind: KIND.typedef, sizeOrType: 1 },
    ],
    [{ name: 's', kind: KIND.struct, vlen: 1, sizeOrType: 8, words: ['a', 1, 0] }],
    [
      { kind: KIND.ptr, sizeOrType: 1 },
      { name: 't', kind: KIND.typedef, sizeOrType: 1 },
    ],
    [{ name: 't', kind: KIND.typedef, sizeOrType: 1 }],
    [INT, { name: 's', kind: KIND.struct, vlen: 1, sizeOrType: -1, words: ['a', 1, 0] }],
    Array.from(
      { length: 3000 },
      (_, index): RawType => ({
        name: `s${index}`,
        kind: KIND.struct,
        vlen: 1,
        sizeOrType: 0,
        words: ['a', Math.min(index + 2, 3000), 0],
      }),
    ),
    // Each nests the next one twice: two to the power of thirty members.
    Array.from(
      { length: 30 },
      (_, index): RawType => ({
        ...(index === 0 ? { name: 'top' } : {}),
        kind: KIND.struct,
        vlen: 2,
        sizeOrType: 0,
        words: ['a', Math.min(index + 2, 30), 0, 'b', Math.min(index + 2, 30), 0],
      }),
    ),
  ];
  const started = performance.now();
  for (const types of loops) {
    try {
      t.ok(dumpC(Btf.parse(btfBlob(types))).length < 10_000_000);
    } catch (error) {
      t.ok(error instanceof FormatError, String(error));
    }
  }
  const array: RawType = { kind: KIND.array, sizeOrType: 0, words: [0, 1, 3] };
  const odd = [INT, array, { name: 's', kind: KIND.struct, vlen: 1, sizeOrType: 8, words: ['a', 2, 0] }];
  const refusal = t.throws(() => dumpC(Btf.parse(btfBlob(odd))), { code: 'btf-no-size', why: /void/ });
  t.ok(refusal instanceof FormatError, 'a member that is an array of void');
  const { section } = compileObject(t.testdir({}), 'bpfel', SOURCE);
  const random = seededRandom(11);
  let dumped = 0;
  for (let round = 0; round < 300; round += 1) {
    try {
      dumped += dumpC(Btf.parse(mutate(section('.BTF'), random))).length > 10_000_000 ? Number.NaN : 1;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  t.ok(dumped > 30, `${dumped} headers`);
  t.ok(performance.now() - started < 20_000, 'soon');
  t.end();
});

t.test('thousands of types of one name, or names that fill the blob, take no longer than others', (t) => {
  const started = performance.now();
  const count = 20_000;
  const words = Array.from({ length: count }, (_, value) => ['SAME', value]).flat();
  const same: RawType[] = [
    INT,
    { kind: KIND.enum, vlen: count, sizeOrType: 4, words },
    ...Array.from({ length: count }, (_, index): RawType => {
      const kind = index % 2 === 0 ? KIND.union : KIND.fwd;
      return { name: 'same', kind, vlen: 0, sizeOrType: 0 };
    }),
    { kind: KIND.struct, vlen: 2000, sizeOrType: 4, words: Array.from({ length: 2000 }, () => ['m', 1, 0]).flat() },
    ...Array.from({ length: 5000 }, (): RawType => ({ kind: KIND.ptr, sizeOrType: count + 3 })),
    ...Array.from(
      { length: 20_000 },
      (_, index): RawType => ({ name: 't', kind: KIND.typedef, sizeOrType: count + 4 + index }),
    ),
  ];
  t.throws(() => dumpC(Btf.parse(btfBlob(same))), { code: 'btf-type-loop' }, 'too much to be written out');
  const text = dumpC(Btf.parse(btfBlob(same.slice(0, count + 2))));
  t.match(text, `SAME___${count} = ${count - 1},`);
  t.match(text, `union same___${count / 2 + 1} {};`);
  const long = 'n'.repeat(100_000);
  const named: RawType[] = [
    { ...INT, name: long },
    {
      name: 's',
      kind: KIND.struct,
      vlen: 20_000,
      sizeOrType: 4,
      words: Array.from({ length: 20_000 }, () => ['m', 1, 0]).flat(),
    },
  ];
  t.throws(() => dumpC(Btf.parse(btfBlob(named))), { code: 'btf-type-loop' });
  t.ok(performance.now() - started < 20_000, 'soon');
  t.end();
});
