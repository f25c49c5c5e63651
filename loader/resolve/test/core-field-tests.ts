import type { Test } from 'tap';
import type { Btf } from '../../btf/btf.ts';
import { seededRandom } from '../../elf/test/compile.ts';
import { formatInstruction } from '../../insn/format.ts';
import { applyCoreRelocations } from '../core.ts';
import { answers, compileQuestions, type Target, typesOf } from './core-question.ts';
import { kernel } from './fake-kernel.ts';

/** Members of the program's struct: what they are there does not matter, the kernel's are other ones. */
const LOCAL = `enum sign { MINUS = -1, PLUS = 1 };
struct flags {
  u32 one: 1; u32 two: 2; u32 seven: 7; s32 four: 4; s32 twenty: 20; u32 plain; s64 big: 9; u32 across: 3; u32 odd: 5; enum sign enumerated: 4;
} CORE;`;
const NAMES = ['one', 'two', 'seven', 'four', 'twenty', 'plain', 'big', 'across', 'odd', 'enumerated'];
/** Bit fields of one to eight bytes, some across the units of their type, some not at all. */
const KERNEL = `enum sign { MINUS = -1, PLUS = 1 };
struct flags {
  u8 pad: 3; u8 one: 4; u16 two: 11; u64 seven: 37; s8 four; s64 twenty: 51; s16 plain; u64 big: 60;
  struct __attribute__((packed)) { u8 more: 3; u32 across: 30; u32 odd: 17; } __attribute__((packed));
  enum sign enumerated: 2;
};`;
/** BYTE_OFFSET, BYTE_SIZE, SIGNED, LSHIFT_U64 and RSHIFT_U64 of `enum bpf_core_relo_kind`. */
const KINDS = [0, 1, 3, 4, 5];

/** Tests of relocations about fields. */
export function testCoreFields(t: Test, folder: string): void {
  for (const target of ['bpfel', 'bpfeb'] as const) {
    t.test(`bit fields of a ${target} object can be read in the kernel’s layout, by load and shifts`, (t) => {
      const statements = NAMES.flatMap((name) => KINDS.map((kind) => `FIELD(p->${name}, ${kind})`)).join(' ');
      const question = compileQuestions(folder, LOCAL, statements, { pointer: 'struct flags', target });
      const types = typesOf(folder, KERNEL, ['struct flags'], target);
      const values = answers(question, types);
      t.equal(values.length, NAMES.length * KINDS.length);
      const random = seededRandom(7);
      const memory = Uint8Array.from({ length: 64 }, () => random(256));
      for (const [index, name] of NAMES.entries()) {
        const [offset = 0, size = 0, signed = 0, left = 0, right = 0] = values
          .slice(index * KINDS.length, (index + 1) * KINDS.length)
          .map(Number);
        // What BPF_CORE_READ_BITFIELD of libbpf's bpf_core_read.h makes of the five numbers.
        const loaded = loadInteger(memory, offset, size, target) << BigInt(left);
        const wide = signed === 1 ? BigInt.asIntN(64, loaded) : BigInt.asUintN(64, loaded);
        t.equal(wide >> BigInt(right), readField(types, name, memory, target), `${name}: ${offset}, ${size}`);
        t.equal(offset % size, 0, `${name} is loaded from an aligned address`);
      }
      t.end();
    });
  }

  t.test('pointers and unsigned integers are loaded and stored as wide as the kernel has them', (t) => {
    const local = 'struct s { u32 grows; u64 shrinks; void *pointer; u8 byte; s32 kept; } CORE;';
    const types = typesOf(
      folder,
      'struct s { u64 shrinks_not; u16 byte; u64 grows; u16 shrinks; s32 *pointer; s32 kept; };',
      ['struct s'],
    );
    const question = compileQuestions(
      folder,
      local,
      'sink = p->grows; sink = p->shrinks; sink = (u64)p->pointer; sink = p->byte; sink = p->kept; p->grows = sink; *(volatile u8 *)&p->byte = 5;',
      { pointer: 'struct s' },
    );
    const { code, poisoned } = applyCoreRelocations(question.spec, question.program, kernel({ vmlinuxBtf: types }));
    t.strictSame(poisoned, []);
    const after = question.program.coreRelocations.map(({ slot }) => formatInstruction(code, slot));
    for (const [index, pattern] of [
      /\*\(u64 \*\)\(r\d \+16\)/,
      /\*\(u16 \*\)\(r\d \+24\)/,
      /\*\(u64 \*\)\(r\d \+32\)/,
      /\*\(u16 \*\)\(r\d \+8\)/,
      /\*\([su]32 \*\)\(r\d \+40\)/,
      /^\*\(u64 \*\)\(r\d \+16\) = r\d/,
    ].entries()) {
      t.match(after[index], pattern);
    }
    t.end();
  });

  t.test('a signed field of another size, and an integer for a bit field, are poisoned with the reason', (t) => {
    const types = typesOf(folder, 'struct s { s64 wide; u32 bits: 5; u64 turned; u32 words[4]; };', ['struct s']);
    const question = compileQuestions(
      folder,
      'struct s { s32 wide; u32 bits; s32 turned; u64 words[2]; } CORE;',
      'sink = p->wide; sink = p->bits; sink = p->turned; sink = p->words[1];',
      { pointer: 'struct s' },
    );
    const { poisoned } = applyCoreRelocations(question.spec, question.program, kernel({ vmlinuxBtf: types }));
    t.match(poisoned, [
      { text: 'struct s.wide', why: /8 bytes in the kernel, 4 bytes in the object, and only pointers and unsigned/ },
      { text: 'struct s.bits', why: /some bits in the kernel, 4 bytes in the object/ },
      { text: 'struct s.turned', why: /8 bytes in the kernel, 4 bytes/ },
    ]);
    // An element of 4 bytes for one of 8: unsigned, so it is read as it is.
    t.equal(poisoned.length, 3);
    t.end();
  });

  t.test('existence, offsets and sizes go through anonymous members, arrays and typedefs', (t) => {
    const types = typesOf(
      folder,
      `typedef struct { u64 first; struct { union { s32 deep; u8 alias; }; } inner; } hidden;
       struct s { u32 before; struct { hidden in; const volatile u32 last[]; }; };`,
      ['struct s *'],
    );
    const question = compileQuestions(
      folder,
      `struct hidden___mine { struct { s32 deep; u64 *gone; } inner; s32 *first; } CORE;
       struct s___mine { u32 last[4]; struct hidden___mine in; u8 before[4]; } CORE;`,
      `FIELD(p->in.inner.deep, 0) FIELD(p->in.inner.deep, 1) FIELD(p->in.inner.deep, 2) FIELD(p->in.inner.gone, 2) FIELD(p->in.first, 2)
       FIELD(p->last[3], 0) FIELD(p->last[3], 2) FIELD(p->before, 2) FIELD(p->before[1], 2) FIELD(p->in, 1) FIELD(p->in.inner.gone, 0)`,
      { pointer: 'struct s___mine' },
    );
    // before 0, in 8: first 8, inner.deep 16; last from 24 on, whose elements nobody counts.
    t.strictSame(answers(question, types), [16, 4, 1, 0, 0, 36, 1, 0, 0, 16, 'poison']);
    t.end();
  });
  t.end();
}

/** An unsigned integer in memory, in a byte order of choice. */
function loadInteger(memory: Uint8Array, offset: number, size: number, target: Target): bigint {
  const bytes = [...memory.subarray(offset, offset + size)];
  const fromHigh = target === 'bpfeb' ? bytes : bytes.reverse();
  return fromHigh.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** A member's value by what its place means: bits are counted from the lowest of each byte up, or from the highest down. */
function readField(btf: Btf, name: string, memory: Uint8Array, target: Target): bigint {
  const root = btf.find('flags', 'struct');
  const members = root?.members.flatMap((member) => {
    const type = btf.resolve(member.type);
    if (member.name !== '' || type.kind !== 'struct') return [member];
    return type.members.map((one) => ({ ...one, bitOffset: one.bitOffset + member.bitOffset }));
  });
  const member = members?.find((one) => one.name === name);
  if (member === undefined) throw new TypeError(`there is no ${name}`);
  const type = btf.resolve(member.type);
  const size = member.bitSize === 0 ? btf.sizeOf(type.id) * 8 : member.bitSize;
  let value = 0n;
  for (let index = 0; index < size; index += 1) {
    const bit = member.bitOffset + index;
    const byte = memory[bit >> 3] ?? 0;
    if (target === 'bpfel') value |= BigInt((byte >> (bit & 7)) & 1) << BigInt(index);
    else value = (value << 1n) | BigInt((byte >> (7 - (bit & 7))) & 1);
  }
  // clang before 15 does not say that an enum is signed.
  const signed = 'signed' in type && type.signed;
  return signed ? BigInt.asIntN(size, value) : value;
}
