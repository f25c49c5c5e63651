import t from 'tap';
import { parseElf } from '../../elf/elf.ts';
import { compileBpf } from '../../elf/test/compile.ts';
import { ObjectError } from '../../errors.ts';
import { formatInstruction, formatInstructions } from '../format.ts';
import {
  patchInstruction,
  readImm64,
  readInstruction,
  setImm,
  setImm64,
  setSource,
  slotCount,
  writeInstruction,
} from '../instruction.ts';
import { testDecoding } from './decode-tests.ts';

testDecoding(t);

/**
 * LLVM's assembler text on the left is what clang encodes, so clang is the oracle for the encoding. On the right is the same
 * instruction in this library's text, which follows `kernel/bpf/disasm.c`, where it differs.
 */
const ASSEMBLER: readonly (readonly [llvm: string, kernel?: string])[] = [
  ['r1 = r2'],
  ['w1 = w2'],
  ['r1 = -7'],
  ['r3 += 8'],
  ['r3 -= r4'],
  ['w3 *= w4'],
  ['r5 /= 3'],
  ['r5 &= 255'],
  ['r5 |= r6'],
  ['r5 ^= -1'],
  ['r5 <<= 32'],
  ['r5 >>= r1'],
  ['r5 s>>= 32'],
  ['w5 s>>= 3'],
  ['r5 = -r5'],
  ['w5 = -w5'],
  ['r5 = be16 r5'],
  ['r5 = le64 r5'],
  ['r1 = *(u8 *)(r2 + 0)', 'r1 = *(u8 *)(r2 +0)'],
  ['r1 = *(u16 *)(r2 - 2)', 'r1 = *(u16 *)(r2 -2)'],
  ['r1 = *(u32 *)(r2 + 4)', 'r1 = *(u32 *)(r2 +4)'],
  ['r1 = *(u64 *)(r10 - 8)', 'r1 = *(u64 *)(r10 -8)'],
  ['*(u64 *)(r10 - 8) = r1', '*(u64 *)(r10 -8) = r1'],
  ['*(u8 *)(r1 + 3) = r0', '*(u8 *)(r1 +3) = r0'],
  ['r0 = *(u8 *)skb[14]'],
  ['r0 = *(u16 *)skb[r7]', 'r0 = *(u16 *)skb[r7 + 0]'],
  ['r1 = 81985529216486895 ll', 'r1 = 0x123456789abcdef'],
  ['r1 = 0 ll', 'r1 = 0x0'],
  ['goto +2', 'goto pc+2'],
  ['goto -1', 'goto pc-1'],
  ['if r1 == 0 goto +1', 'if r1 == 0x0 goto pc+1'],
  ['if r1 != r2 goto +1', 'if r1 != r2 goto pc+1'],
  ['if w1 > 5 goto +1', 'if w1 > 0x5 goto pc+1'],
  ['if r1 >= 5 goto +1', 'if r1 >= 0x5 goto pc+1'],
  ['if r1 < r2 goto +1', 'if r1 < r2 goto pc+1'],
  ['if r1 <= -1 goto +1', 'if r1 <= 0xffffffff goto pc+1'],
  ['if w1 s> 5 goto +1', 'if w1 s> 0x5 goto pc+1'],
  ['if r1 s>= r2 goto +1', 'if r1 s>= r2 goto pc+1'],
  ['if r1 s< 5 goto +1', 'if r1 s< 0x5 goto pc+1'],
  ['if w1 s<= w2 goto +1', 'if w1 s<= w2 goto pc+1'],
  ['call 1', 'call bpf_map_lookup_elem#1'],
  ['call 153', 'call bpf_per_cpu_ptr#153'],
  ['call 154', 'call bpf_this_cpu_ptr#154'],
  ['call 9999', 'call unknown#9999'],
  ['lock *(u64 *)(r1 + 8) += r2', 'lock *(u64 *)(r1 +8) += r2'],
  ['lock *(u32 *)(r1 + 0) |= w2', 'lock *(u32 *)(r1 +0) |= r2'],
  ['exit'],
];

t.test('instructions that clang assembled are disassembled as they were written', (t) => {
  const source = `asm(".section prog,\\"ax\\",@progbits\\n${ASSEMBLER.map(([llvm]) => `${llvm}\\n`).join('')}");`;
  for (const target of ['bpfel', 'bpfeb'] as const) {
    const { bytes } = compileBpf(t.testdir(), 'insn', source, { target, flags: ['-O2', '-mcpu=v3'] });
    const elf = parseElf(bytes, 'insn.o');
    const code = elf.sections.find((section) => section.name === 'prog')?.data ?? new Uint8Array();
    const lines = formatInstructions(code, elf.byteOrder).split('\n');
    t.strictSame(
      lines.map((line) => line.replace(/^\d+: /, '')),
      ASSEMBLER.map(([llvm, kernel]) => kernel ?? llvm),
      target,
    );
    t.match(lines.at(-1), `${slotCount(code) - 1}: `, 'ld_imm64 counts for two slots');
  }
  t.end();
});

t.test('instructions that clang 14 cannot assemble are disassembled by the tables of instruction-set.rst', (t) => {
  // Encodings by hand from Documentation/bpf/standardization/instruction-set.rst: opcode, registers (source in the high half),
  // offset, immediate, little-endian.
  const cases: readonly (readonly [hex: string, text: string])[] = [
    ['9c65000000000000', 'w5 %= w6'],
    ['db21080001000000', 'r2 = atomic64_fetch_add((u64 *)(r1 +8), r2)'],
    ['c3210000a1000000', 'r2 = atomic_fetch_xor((u32 *)(r1 +0), r2)'],
    ['db210000e1000000', 'r2 = atomic64_xchg((u64 *)(r1 +0), r2)'],
    ['c3210400f1000000', 'r0 = atomic_cmpxchg((u32 *)(r1 +4), r0, r2)'],
    ['3f21010000000000', 'r1 s/= r2'],
    ['9701010005000000', 'r1 s%= 5'],
    ['bf21080000000000', 'r1 = (s8)r2'],
    ['bf21200000000000', 'r1 = (s32)r2'],
    ['d701000010000000', 'r1 = bswap16 r1'],
    ['9121fcff00000000', 'r1 = *(s8 *)(r2 -4)'],
    ['8121040000000000', 'r1 = *(s32 *)(r2 +4)'],
    ['0600000070110100', 'gotol pc+70000'],
    ['e500030000000000', 'may_goto pc+3'],
    ['8510000003000000', 'call pc+3'],
    ['8520000007000000', 'call kernel-function#7'],
    ['8520010007000000', 'call kernel-function#7'],
    ['6301080000000000', '*(u32 *)(r1 +8) = r0'],
    ['6201080005000000', '*(u32 *)(r1 +8) = 5'],
    ['db21080000010000', 'r1 = load_acquire((u64 *)(r2 +8))'],
    ['db21080010010000', 'store_release((u64 *)(r1 +8), r2)'],
    ['18110000050000000000000000000000', 'r1 = map[fd:5]'],
    ['18210000050000000000000008000000', 'r1 = map[fd:5][0]+8'],
    ['18310000050000000000000000000000', 'r1 = btf_id[id:5]'],
    ['18310000050000000000000009000000', 'r1 = btf_id[fd:9,id:5]'],
    ['18410000ffffffff0000000000000000', 'r1 = subprog[-1]'],
    ['fffe010002000000', '(opcode ff) dst=14 src=15 off=1 imm=2'],
  ];
  for (const [hex, text] of cases) t.equal(formatInstruction(fromHex(hex), 0), text);
  t.match(
    formatInstruction(fromHex('1801000005000000'), 0),
    'without its second slot',
    'a cut-off load is no reason to throw',
  );
  t.end();
});

t.test('fields are read and written without touching their neighbours, in both byte orders', (t) => {
  for (const byteOrder of ['little', 'big'] as const) {
    const code = new Uint8Array(24).fill(0xaa);
    const instruction = { opcode: 0x18, dst: 10, src: 1, offset: -2, imm: -3 };
    writeInstruction(code, 1, instruction, byteOrder);
    t.strictSame(readInstruction(code, 1, byteOrder), instruction);
    t.strictSame([...code.subarray(0, 8), ...code.subarray(16)], Array(16).fill(0xaa), 'other slots');
    setSource(code, 1, 3, byteOrder);
    setImm(code, 1, 0xffff_fffe, byteOrder);
    t.strictSame(readInstruction(code, 1, byteOrder), { ...instruction, src: 3, imm: -2 });
    setImm64(code, 1, 0xffff_ffff_8123_4567n, byteOrder);
    t.equal(readImm64(code, 1, byteOrder), 0xffff_ffff_8123_4567n);
    patchInstruction(code, 2, { imm: 1 }, byteOrder);
    t.equal(readImm64(code, 1, byteOrder), 0x1_8123_4567n, 'the second slot holds the high half');
  }
  // struct bpf_insn in include/uapi/linux/bpf.h: on little-endian machines dst_reg is the low half of the second byte.
  t.strictSame(readInstruction(fromHex('bf21000000000000'), 0), { opcode: 0xbf, dst: 1, src: 2, offset: 0, imm: 0 });
  t.strictSame(readInstruction(fromHex('bf12000000000000'), 0, 'big'), {
    opcode: 0xbf,
    dst: 1,
    src: 2,
    offset: 0,
    imm: 0,
  });
  t.end();
});

t.test('a slot outside of the code is refused with its number', (t) => {
  for (const slot of [-1, 2, 0.5]) {
    try {
      readInstruction(new Uint8Array(17), slot);
      t.fail(`slot ${slot} was read`);
    } catch (error) {
      t.ok(error instanceof ObjectError);
      t.match(error, { code: 'instruction-outside-code', instruction: slot });
    }
  }
  t.end();
});

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
