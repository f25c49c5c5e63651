import type { Test } from 'tap';
import { ObjectError } from '../../errors.ts';
import { assemble } from '../assemble.ts';
import * as build from '../build.ts';
import { decodeInstruction, decodeInstructions } from '../decode.ts';
import { type DecodedInstruction, slotsOf, type ValidInstruction } from '../decoded.ts';
import { encodeInstruction } from '../encode.ts';
import { formatInstruction } from '../format.ts';

/** One of each kind, with its text: what encodes to bytes that decode to the same again. */
const EVERY_KIND: readonly (readonly [instruction: ValidInstruction | build.ToLabel, text: string])[] = [
  [build.mov64(1, 2), 'r1 = r2'],
  [build.mov64Imm(1, -7), 'r1 = -7'],
  [build.mov32(1, 2), 'w1 = w2'],
  [build.mov32Imm(1, 5), 'w1 = 5'],
  [build.add64Imm(10, 8), 'r10 += 8'],
  [build.alu64('arsh', 1, 2), 'r1 s>>= r2'],
  [build.alu64Imm('sdiv', 1, 3), 'r1 s/= 3'],
  [build.alu32('smod', 1, 2), 'w1 s%= w2'],
  [build.alu32Imm('xor', 1, -1), 'w1 ^= -1'],
  [build.neg(3), 'r3 = -r3'],
  [build.neg(3, 32), 'w3 = -w3'],
  [build.movSigned(1, 2, 32), 'r1 = (s32)r2'],
  [build.movSigned(1, 2, 8, 32), 'w1 = (s8)w2'],
  [build.byteOrder(1, 'big', 16), 'r1 = be16 r1'],
  [build.byteOrder(1, 'little', 64), 'r1 = le64 r1'],
  [build.byteOrder(1, 'swapped', 32), 'r1 = bswap32 r1'],
  [{ kind: 'address-space-cast', dst: 1, src: 2, to: 0, from: 1 }, 'r1 = addr_space_cast(r2, 0, 1)'],
  [{ kind: 'address-space-cast', dst: 1, src: 2, to: 1, from: 0 }, 'r1 = addr_space_cast(r2, 1, 0)'],
  [build.loadImm64(1, 0xffff_ffff_8123_4567n), 'r1 = 0xffffffff81234567'],
  [build.loadMap(1, 5), 'r1 = map[fd:5]'],
  [build.loadMapValue(1, 5, 8), 'r1 = map[fd:5][0]+8'],
  [build.loadBtfId(1, 7), 'r1 = btf_id[id:7]'],
  [build.loadBtfId(1, 7, 9), 'r1 = btf_id[fd:9,id:7]'],
  [build.loadFunction(2, -3), 'r2 = subprog[-3]'],
  [{ kind: 'load-immediate', dst: 1, immediate: { source: 'map-index', index: 2 } }, 'r1 = map[idx:2]'],
  [
    { kind: 'load-immediate', dst: 1, immediate: { source: 'map-index-value', index: 2, offset: 4 } },
    'r1 = map[idx:2]+4',
  ],
  [build.load(4, 1, 2, -4), 'r1 = *(u32 *)(r2 -4)'],
  [build.loadSigned(2, 1, 2, 4), 'r1 = *(s16 *)(r2 +4)'],
  [build.store(8, 10, -8, 1), '*(u64 *)(r10 -8) = r1'],
  [build.storeImm(1, 10, -1, 9), '*(u8 *)(r10 -1) = 9'],
  [build.atomic('add', 8, 1, 8, 2), 'lock *(u64 *)(r1 +8) += r2'],
  [build.atomic('or', 4, 1, 0, 2, true), 'r2 = atomic_fetch_or((u32 *)(r1 +0), r2)'],
  [build.atomic('xchg', 8, 1, 0, 2), 'r2 = atomic64_xchg((u64 *)(r1 +0), r2)'],
  [build.atomic('cmpxchg', 4, 1, 0, 2), 'r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)'],
  [build.atomic('load-acquire', 1, 2, 3, 1), 'r1 = load_acquire((u8 *)(r2 +3))'],
  [build.atomic('store-release', 2, 1, 3, 2), 'store_release((u16 *)(r1 +3), r2)'],
  [{ kind: 'load-packet', bytes: 2, offset: 12, index: null }, 'r0 = *(u16 *)skb[12]'],
  [{ kind: 'load-packet', bytes: 1, offset: 4, index: 6 }, 'r0 = *(u8 *)skb[r6 + 4]'],
  [build.jump(-2), 'goto pc-2'],
  [build.jumpLong(70000), 'gotol pc+70000'],
  [build.jumpIf(1, '&', 2, 3), 'if r1 & r2 goto pc+3'],
  [build.jumpIfImm(1, 's<=', -1, 3, 32), 'if w1 s<= 0xffffffff goto pc+3'],
  [{ kind: 'may-goto', distance: 4 }, 'may_goto pc+4'],
  [{ kind: 'jump-register', register: 3 }, 'gotox r3'],
  [build.callHelper('map_lookup_elem'), 'call bpf_map_lookup_elem#1'],
  [build.callHelper('bpf_per_cpu_ptr'), 'call bpf_per_cpu_ptr#153'],
  [build.callFunction(5), 'call pc+5'],
  [build.callKfunc(1234, 2), 'call kernel-function#1234'],
  [{ kind: 'call-register', register: 4 }, 'callx r4'],
  [build.exit(), 'exit'],
];

/** Tests of decoding, encoding and building instructions. */
export function testDecoding(t: Test): void {
  t.test('every kind of instruction comes back from its bytes, in both byte orders', (t) => {
    for (const [part, text] of EVERY_KIND) {
      if (part.kind === 'to-label') throw new Error('a distance was given');
      for (const byteOrder of ['little', 'big'] as const) {
        const bytes = encodeInstruction(part, byteOrder);
        t.same(decodeInstruction(bytes, 0, byteOrder), part, `${text} (${byteOrder})`);
        t.equal(formatInstruction(bytes, 0, byteOrder), text);
        t.equal(bytes.length, 8 * slotsOf(part));
      }
    }
    t.end();
  });

  t.test('any bytes either are an instruction that encodes to the same bytes, or are invalid for a reason', (t) => {
    const code = new Uint8Array(16);
    let state = 1;
    // A linear congruential generator, so that a failure can be repeated.
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 8;
    };
    let valid = 0;
    for (let count = 0; count < 50_000; count++) {
      for (let at = 0; at < 16; at++) code[at] = (random() & 3) === 0 ? random() : 0;
      code[0] = random();
      code[1] = random() & 0x7 & random();
      const decoded: DecodedInstruction = decodeInstruction(code, 0);
      if (decoded.kind === 'invalid') {
        if (decoded.reason === '') t.fail('an invalid instruction without a reason');
        continue;
      }
      // Clang before 19 put the register of callx into the immediate, the standard puts it into the first register.
      if (decoded.kind === 'call-register') continue;
      valid++;
      const again = encodeInstruction(decoded);
      if (!Buffer.from(again).equals(Buffer.from(code.subarray(0, again.length)))) {
        t.same(again, code.subarray(0, again.length), JSON.stringify(decoded.kind));
      }
    }
    t.ok(valid > 5_000, `${valid} of 50000 were instructions`);
    t.end();
  });

  t.test('what is no instruction says why', (t) => {
    const cases: readonly (readonly [hex: string, reason: RegExp])[] = [
      ['ff00000000000000', /unknown opcode 0xff/],
      ['b70b000000000000', /no register r11/],
      ['b710000000000000', /arithmetic uses reserved fields/],
      ['bf21000001000000', /reserved/],
      ['bf21070000000000', /a move uses reserved fields/],
      ['d701000011000000', /17 bits/],
      ['9500000001000000', /exit uses reserved fields/],
      ['8530000001000000', /a call of unknown kind 3/],
      ['9921000000000000', /unknown opcode 0x99/],
      ['db21000002000000', /unknown atomic operation 0x2/],
      ['d321000000000000', /atomic operation on 1 bytes/],
      ['db21000001010000', /unknown atomic operation 0x101/],
      ['1801000000000000', /only one left/],
      ['18010000000000000100000000000000', /reserved/],
      ['18110000000000000000000001000000', /reserved/],
      ['18710000000000000000000000000000', /unknown kind 7/],
      ['8d00000005000000', /^$/],
    ];
    for (const [hex, reason] of cases) {
      const decoded = decodeInstruction(Uint8Array.from(Buffer.from(hex, 'hex')), 0);
      t.match(decoded.kind === 'invalid' ? decoded.reason : '', reason, hex);
    }
    const two = Uint8Array.from(Buffer.from('18710000000000000000000000000000b700000000000000', 'hex'));
    t.same(
      decodeInstructions(two).map(({ slot, instruction }) => [slot, instruction.kind]),
      [
        [0, 'invalid'],
        [2, 'alu'],
      ],
      'a load that is refused takes two slots all the same',
    );
    t.end();
  });

  t.test('a program is assembled from instructions and labels', (t) => {
    const code = assemble([
      build.load(4, 0, 1),
      build.jumpIfImm(0, '==', 0, 'out'),
      build.loadImm64(0, 1n),
      build.loadFunction(2, 'callback'),
      build.callFunction('callback'),
      build.label('out'),
      build.exit(),
      build.label('callback'),
      build.mov64Imm(0, 0),
      build.exit(),
    ]);
    t.same(
      decodeInstructions(code).map(({ slot }) => `${slot}: ${formatInstruction(code, slot)}`),
      [
        '0: r0 = *(u32 *)(r1 +0)',
        '1: if r0 == 0x0 goto pc+5',
        '2: r0 = 0x1',
        '4: r2 = subprog[+3]',
        '6: call pc+1',
        '7: exit',
        '8: r0 = 0',
        '9: exit',
      ],
      'a callback’s distance counts from the second slot of its load, as the kernel counts',
    );
    t.throws(() => assemble([build.jump('nowhere')]), { code: 'label-unknown', symbol: 'nowhere' });
    t.throws(() => assemble([build.label('a'), build.label('a')]), { code: 'label-twice' });
    t.throws(() => build.callHelper('nope'), { code: 'helper-unknown' });
    for (const wrong of [
      build.mov64Imm(0, 2 ** 33),
      build.mov64(11, 0),
      build.load(4, 0, 1, 40_000),
      build.mov64Imm(0, 0.5),
    ]) {
      t.throws(() => assemble([wrong]), ObjectError, 'what does not fit its field is refused');
      t.throws(() => assemble([wrong]), { code: 'instruction-field-range' });
    }
    t.end();
  });
}
