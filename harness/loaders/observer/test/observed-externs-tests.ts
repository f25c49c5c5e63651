import type { Test } from 'tap';
import { writeInstruction } from '../../../../loader/insn/instruction.ts';
import type { ExternSpec, ObjectContent, ProgramSpec, Reference } from '../../../../loader/object/spec.ts';
import type { Observation, ObservedLoad } from '../../observation.ts';
import { observedExterns } from '../observed-externs.ts';

/** Opcode, source register, immediate, offset. */
type Slot = readonly [opcode: number, src?: number, imm?: number, offset?: number];

const [LOAD, CALL, MOVE, EXIT] = [0x18, 0x85, 0xb7, 0x95];
const exit: Slot = [EXIT];
/** ld_imm64: both immediates, and BPF_PSEUDO_BTF_ID or nothing as the source. */
const load64 = (low = 0, high = 0, src = 0): Slot[] => [
  [LOAD, src, low],
  [0, 0, high],
];

function code(slots: readonly Slot[]): Uint8Array {
  const bytes = new Uint8Array(slots.length * 8);
  slots.forEach(([opcode, src = 0, imm = 0, offset = 0], slot) => {
    writeInstruction(bytes, slot, { opcode, dst: 0, src, offset, imm: imm | 0 });
  });
  return bytes;
}

function program(
  slots: readonly Slot[],
  references: readonly Reference[],
  more: Partial<ProgramSpec> = {},
): ProgramSpec {
  return {
    name: 'program_with_a_long_name',
    section: 'tc',
    type: 'sched_cls',
    attachType: null,
    attachTarget: null,
    sleepable: false,
    autoload: true,
    code: code(slots),
    references,
    functions: [{ name: 'main', slot: 0, typeId: null, linkage: 'global', origin: { section: 'tc', slot: 0 } }],
    lines: [],
    coreRelocations: [],
    ...more,
  };
}

const NAMES: readonly [string, ExternSpec['kind'], boolean][] = [
  ['typeless', 'typeless', false],
  ['typed', 'typed', false],
  ['weak', 'typed', true],
  ['kfunc', 'kfunc', false],
];

function object(...programs: ProgramSpec[]): ObjectContent {
  return {
    name: 'test.bpf.o',
    byteOrder: 'little',
    license: 'GPL',
    btf: null,
    datasecLayout: new Map(),
    programs,
    maps: [],
    variables: [],
    externs: NAMES.map(([name, kind, weak]) => ({ name, kind, weak, typeId: 0 })),
  };
}

function observed(slots: readonly Slot[], more: Partial<ObservedLoad> = {}): ObservedLoad {
  return {
    name: 'program_with_a_',
    programType: 3,
    slots: slots.length,
    instructions: code(slots),
    errno: 0,
    verifierLog: '',
    descriptors: [],
    btfIds: new Map(),
    ...more,
  };
}

/** What the externs of an object were resolved to, in short. */
function resolve(content: ObjectContent, ...loads: ObservedLoad[]): Record<string, string> {
  const observation: Observation = { loads, maps: [], btfIds: new Map(), btfLoads: [], left: 0, complete: true };
  const results = observedExterns(content, observation, (id) => (id === 1 ? 'vmlinux' : `module${id}`));
  return Object.fromEntries(
    results.map(({ name, result, address, btfId, module, reason }) => [
      name,
      [result, address, btfId, module, reason].filter((part) => part !== undefined).join(' '),
    ]),
  );
}

const refer = (slot: number, extern: string): Reference => ({ kind: 'extern', slot, extern });
const referCall = (slot: number, extern: string): Reference => ({ kind: 'extern-call', slot, extern });

const FOUR = program(
  [...load64(), ...load64(), ...load64(), [CALL, 2, -1], exit],
  [refer(0, 'typeless'), refer(2, 'typed'), refer(4, 'weak'), referCall(6, 'kfunc')],
);
const RESOLVED = [...load64(0x8123_4567, 0xffff_ffff), ...load64(77, 0, 3), ...load64(), [CALL, 2, 99], exit] as const;

/** Where the expectations come from: libbpf's bpf_object__relocate_data, cilium/ebpf's linker.go, and the kernel's meaning of the instructions. */
export async function testObservedExterns(t: Test): Promise<void> {
  t.test('addresses, BTF ids and nulls are read from the instructions', async (t) => {
    t.same(resolve(object(FOUR), observed(RESOLVED)), {
      typeless: 'address 0xffffffff81234567',
      typed: 'btf-id 77',
      weak: 'null',
      kfunc: 'btf-id 99',
    });
    for (const [why, imm, src] of [
      ['libbpf 1.3 and later', 2_002_000_003, 0],
      ['cilium/ebpf', 0xdedc0de, 0],
      ['libbpf before 1.3', 0, 2],
    ] as const) {
      const poisoned = RESOLVED.with(6, [CALL, src, imm]);
      t.equal(resolve(object(FOUR), observed(poisoned)).kfunc, 'null', why);
    }
    t.notOk('kfunc' in resolve(object(FOUR), observed(RESOLVED.with(6, [CALL, 2, -1]))), 'was not resolved at all');
  });

  t.test('a module is known by the descriptor that was open when the program was loaded', async (t) => {
    const slots = [...load64(), ...load64(5, 30, 3), ...load64(6, 31, 3), [CALL, 2, 8, 1], exit] as const;
    const loads = observed(slots, {
      descriptors: [0, 32],
      btfIds: new Map([...[30, 31, 32].map((fd) => [fd, fd + 10] as const)]),
    });
    t.same(resolve(object(FOUR), loads), {
      typeless: 'null',
      typed: 'btf-id 5 module40',
      weak: 'btf-id 6 module41',
      kfunc: 'btf-id 8 module42',
    });
    const vmlinux = observed(slots, { descriptors: [0], btfIds: new Map([[30, 1]]) });
    t.same(resolve(object(FOUR), vmlinux), { typeless: 'null', typed: 'btf-id 5' }, 'what is not known is left out');
  });

  t.test('the last load of a program counts, and no probe', async (t) => {
    const first = observed(RESOLVED.with(2, [LOAD, 3, 1]), { errno: 22 });
    const probe = observed([[MOVE], exit], { name: 'libbpf_nametest' });
    t.equal(resolve(object(FOUR), first, observed(RESOLVED), probe).typed, 'btf-id 77');
    t.same(resolve(object(FOUR), probe, observed([[MOVE], exit])), {}, 'its name is not enough');
    t.same(resolve(object(FOUR), observed(RESOLVED, { instructions: new Uint8Array() })), {}, 'left out of the record');
    t.equal(resolve(object(FOUR), observed(RESOLVED, { name: '' })).typed, 'btf-id 77', 'a kernel without names');
    t.equal(resolve(object(FOUR), observed(RESOLVED, { name: 'another' })).typed, 'btf-id 77', 'a name of its own');
    const changed = observed(RESOLVED.with(7, [MOVE]));
    t.same(resolve(object(FOUR), changed), {}, 'other code');
  });

  t.test('programs that look alike are told apart by their names, or not at all', async (t) => {
    const one = program([...load64(), exit], [refer(0, 'typed')], { name: 'one' });
    const other = program([...load64(), exit], [refer(0, 'weak')], { name: 'other' });
    const loads = [
      observed([...load64(1, 0, 3), exit], { name: 'one' }),
      observed([...load64(2, 0, 3), exit], { name: 'other' }),
    ];
    t.same(resolve(object(one, other), ...loads), { typed: 'btf-id 1', weak: 'btf-id 2' });
    t.same(resolve(object(one, other), ...loads.map((load) => ({ ...load, name: '' }))), {});
    t.same(resolve(object(one, other), ...loads.slice(0, 1)), { typed: 'btf-id 1' }, 'the other one was not loaded');
  });

  t.test('functions are followed to where the loader put them', async (t) => {
    const functions = [0, 3, 6].map((slot) => ({
      name: `f${slot}`,
      slot,
      typeId: null,
      linkage: 'static' as const,
      origin: { section: '.text', slot },
    }));
    const calls = program(
      [[CALL, 1, 2], [CALL, 1, 4], exit, ...load64(), exit, ...load64(), exit],
      [refer(3, 'typed'), refer(6, 'weak')],
      { functions },
    );
    const same = [[CALL, 1, 2], [CALL, 1, 4], exit, ...load64(1, 0, 3), exit, ...load64(2, 0, 3), exit] as const;
    t.same(resolve(object(calls), observed(same)), { typed: 'btf-id 1', weak: 'btf-id 2' });
    const moved = same.with(0, [CALL, 1, 5]).with(1, [CALL, 1, 1]);
    t.same(resolve(object(calls), observed(moved)), { typed: 'btf-id 2', weak: 'btf-id 1' });
    const lost = same.with(3, [MOVE]);
    t.same(resolve(object(calls), observed(lost)), { weak: 'btf-id 2' }, 'another instruction stands there');
    const outside = same.with(0, [CALL, 1, 50]);
    t.same(resolve(object(calls), observed(outside)), { weak: 'btf-id 2' });
  });

  t.test("what a relocation for the kernel's types changes is no other program", async (t) => {
    const relocation = { slot: 0, typeId: 1, accessString: '0', kind: 0 };
    const read = program([[0x61], ...load64(), exit], [refer(1, 'typed')], { coreRelocations: [relocation] });
    t.same(resolve(object(read), observed([[CALL, 0, 195896080], ...load64(3, 0, 3), exit])), { typed: 'btf-id 3' });
  });

  t.test('references to one extern that were resolved differently are an error', async (t) => {
    const twice = program([...load64(), ...load64(), exit], [refer(0, 'typed'), refer(2, 'typed')]);
    t.same(resolve(object(twice), observed([...load64(1, 0, 3), ...load64(1, 0, 3), exit])), { typed: 'btf-id 1' });
    const split = observed([...load64(1, 0, 3), ...load64(), exit]);
    t.same(resolve(object(twice), split), { typed: 'error references-disagree' });
    const both = program([...load64(), [CALL, 2, -1], exit], [refer(0, 'kfunc'), referCall(2, 'kfunc')]);
    const number = observed([...load64(99), [CALL, 2, 99], exit]);
    t.same(resolve(object(both), number), { kfunc: 'btf-id 99' }, 'cilium/ebpf loads the id of a kfunc as a number');
    const missing = observed([...load64(), [CALL, 2, 99], exit]);
    t.same(resolve(object(both), missing), { kfunc: 'error references-disagree' });
  });
}
