import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readInstruction } from '../../insn/instruction.ts';
import { LoadError } from '../../load-error.ts';
import { parseObject } from '../../object/parse.ts';
import type { ObjectContent } from '../../object/spec.ts';
import { relocateProgram } from '../../programs/relocate.ts';
import { Kallsyms } from '../../resolve/kallsyms.ts';
import type { ExternOutcome, KernelFacts } from '../../resolve/outcome.ts';
import { FakeAgent, type SeenCall } from '../../syscall/test/fake-agent.ts';
import { loadObject } from '../load.ts';
import { testObjectParts } from './object-parts-tests.ts';

const [MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, TEST_RUN, BTF_LOAD, MAP_FREEZE] = [
  0, 1, 2, 5, 10, 18, 22,
] as const;

const SOURCE = `
typedef unsigned int u32; typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define ksym __attribute__((section(".ksyms")))
#define weak __attribute__((weak))
static long (*bpf_map_update_elem)(void *, const void *, const void *, u64) = (void *)2;
extern const void present ksym;
extern const void absent ksym weak;
extern void missing_kfunc(void) ksym weak;
u64 address = 0, nothing = 1; u32 answer = 42;
const volatile u32 limit = 7;
struct { int (*type)[1]; int (*max_entries)[16]; u32 *key; u64 *value; } counts SEC(".maps");
struct { int (*type)[6]; int (*max_entries)[1]; u32 *key; u32 *value; } percpu SEC(".maps");
struct { int (*type)[27]; int (*max_entries)[5000]; } ring SEC(".maps");
SEC("tc") int main_program(void *ctx) {
  u32 key = limit; u64 one = 1;
  bpf_map_update_elem(&counts, &key, &one, 0);
  address = (u64)&present; nothing = (u64)&absent;
  if (&absent) missing_kfunc();
  return answer;
}
SEC("?raw_tp/sched_switch") int second(void *ctx) { return 0; }
SEC("?tp_btf/sched_switch") int third(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
`;

async function compile(name: string, source: string): Promise<ObjectContent> {
  const path = join(folder, `${name}.c`);
  await writeFile(path, source);
  execFileSync('clang', ['-target', 'bpf', '-O2', '-g', '-c', path, '-o', join(folder, name)]);
  return parseObject(await readFile(join(folder, name)), name);
}

const folder = t.testdir();
const spec = await compile('small.bpf.o', SOURCE);
/** Stands in for a kernel's: it has types, and none of the names above. */
const { btf: kernelBtf } = await compile('kernel.o', 'int unrelated(void) { return 0; }');
const ADDRESS = 0xffffffff81234568n;
const facts: KernelFacts = {
  kallsyms: Kallsyms.parse(new TextEncoder().encode(`${ADDRESS.toString(16)} T present\n`)),
  vmlinuxBtf: kernelBtf,
  moduleBtfs: [],
  moduleBtfsUnavailable: null,
  btfIdLoads: true,
};

function outBuffer(call: SeenCall, offset: number, text: string): void {
  call.at(offset)?.set(new TextEncoder().encode(text));
}

/** The slot of the main program that refers to something. */
function slotOf(name: string): number {
  const references = spec.programs[0]?.references ?? [];
  const found = references.find((reference) => Object.values(reference).includes(name));
  return found?.slot ?? -1;
}

t.test('an object becomes maps, BTF and a program, each told to the kernel as bpf.h lays it out', async (t) => {
  const agent = new FakeAgent();
  const object = await loadObject(spec, { agent, facts });
  t.same(object.resolutions.map(({ name, outcome }) => [name, outcome.result]).sort(), [
    ['absent', 'null'],
    ['missing_kfunc', 'null'],
    ['present', 'address'],
  ]);
  // map_type, key_size, value_size, max_entries at offsets 0, 4, 8, 12; map_name at 28.
  const maps = agent.bpfCalls(MAP_CREATE).map(({ attr }) => ({
    name: new TextDecoder().decode(new Uint8Array(attr.buffer).subarray(28, 44)).replace(/\0.*$/, ''),
    numbers: [0, 4, 8, 12].map((offset) => attr.getUint32(offset, true)),
  }));
  t.same(
    maps.slice(0, 3),
    [
      { name: 'counts', numbers: [1, 4, 8, 16] },
      { name: 'percpu', numbers: [6, 4, 4, 1] },
      { name: 'ring', numbers: [27, 0, 0, 8192] },
    ],
    'ring buffers are rounded up to a power of two',
  );
  t.same(
    maps
      .map(({ name }) => name)
      .slice(3)
      .sort(),
    ['small.bss', 'small.data', 'small.rodata'],
  );

  t.equal(agent.bpfCalls(BTF_LOAD).length, 1);
  t.equal(agent.bpfCalls(MAP_FREEZE).length, 1, 'only .rodata is frozen');
  const filled = agent.bpfCalls(MAP_UPDATE).map((call) => call.at(16));
  t.ok(
    filled.some((value) => Buffer.from(value ?? []).equals(Buffer.from([7, 0, 0, 0]))),
    '.rodata has its value',
  );

  const [load] = agent.bpfCalls(PROG_LOAD);
  t.ok(load !== undefined && load.length <= 120, `${load?.length} bytes: 5.10 knows 120`);
  t.equal(load?.attr.getUint32(0, true), 3, 'BPF_PROG_TYPE_SCHED_CLS');
  t.equal(load?.attr.getUint32(4, true), (load?.at(8)?.length ?? 0) / 8, 'insn_cnt');
  t.equal(Buffer.from(load?.at(16) ?? []).toString(), 'GPL\0');
  t.equal(load?.attr.getUint32(24, true), 0, 'no log was asked for');
  t.equal(load?.attr.getUint32(76, true), 8, 'func_info_rec_size');
  t.equal(load?.attr.getUint32(92, true), 16, 'line_info_rec_size');
  t.equal(load?.attr.getUint32(104, true), (load?.at(96)?.length ?? 0) / 16, 'line_info_cnt');

  const code = load?.at(8) ?? new Uint8Array();
  const present = slotOf('present');
  t.match(readInstruction(code, present), { src: 0, imm: 0x81234568 | 0 });
  t.match(readInstruction(code, present + 1), { imm: -1 }, 'the high half is ffffffff');
  t.match(readInstruction(code, slotOf('absent')), { src: 0, imm: 0 });
  t.match(readInstruction(code, slotOf('counts')), { src: 1, imm: 101 }, 'the fd after the BTF’s');
  t.match(readInstruction(code, slotOf('.rodata')), { src: 2 });
  const kfunc = object.resolutions.findIndex(({ name }) => name === 'missing_kfunc');
  t.match(readInstruction(code, slotOf('missing_kfunc')), { opcode: 0x85, src: 0, dst: 0, imm: 2002000000 + kfunc });

  t.notOk(agent.open.has(100), 'the BTF was closed: maps and programs hold it');
  await object.close();
  await object.close();
  t.same([...agent.open], [], 'everything was closed, once');
  t.equal(agent.calls.filter(({ number }) => number === 302).length, 1, 'the limit on locked memory was lifted once');
});

t.test('typed ksyms and kfuncs become BTF ids, with a module’s BTF fd where they need one', (t) => {
  const program = spec.programs.find(({ name }) => name === 'main_program');
  if (program === undefined) throw new Error('the object has no main_program');
  const outcomes: Record<string, ExternOutcome> = {
    present: { result: 'btf-id', id: 321, module: null, type: 'int', declaration: 'extern int present;' },
    absent: { result: 'btf-id', id: 654, module: 'nf_conntrack', type: 'int', declaration: 'extern int absent;' },
    missing_kfunc: {
      result: 'btf-id',
      id: 987,
      module: 'nf_conntrack',
      type: 'void ()',
      declaration: 'extern void missing_kfunc(void);',
    },
  };
  const resolutions = spec.externs.map(({ name, kind, weak }) => {
    const outcome =
      outcomes[name] ?? ({ result: 'null', reason: 'NOT_IN_KALLSYMS', explanation: '', fix: '' } as const);
    return { name, kind, weak, outcome };
  });
  const maps = new Map(spec.maps.map((map, index) => [map.name, 50 + index]));
  const moduleBtfs = new Map([['nf_conntrack', 77]]);
  const { code, fdArray } = relocateProgram(program, { maps, resolutions, moduleBtfs });
  t.match(readInstruction(code, slotOf('present')), { src: 3, imm: 321 });
  t.match(readInstruction(code, slotOf('present') + 1), { imm: 0 }, 'vmlinux');
  t.match(readInstruction(code, slotOf('absent')), { src: 3, imm: 654 });
  t.match(readInstruction(code, slotOf('absent') + 1), { imm: 77 });
  t.match(readInstruction(code, slotOf('missing_kfunc')), { src: 2, imm: 987, offset: 1 });
  t.same(fdArray, [0, 77], 'kfunc calls name the BTF by its index, and 0 is vmlinux');
  t.not(code, program.code, 'the specification stays as it was');
  t.throws(() => relocateProgram(program, { maps, resolutions, moduleBtfs: new Map() }), {
    code: 'unresolved-reference',
  });
  t.throws(() => relocateProgram(program, { maps: new Map(), resolutions, moduleBtfs }), {
    code: 'unresolved-reference',
  });
  t.end();
});

t.test('an extern without outcome stops the load before the kernel is asked for anything', async (t) => {
  const agent = new FakeAgent();
  const error = await loadObject(spec, { agent, facts: { ...facts, kallsyms: null } }).catch(
    (reason: unknown) => reason,
  );
  t.ok(error instanceof LoadError);
  t.match(error, {
    phase: 'resolve',
    code: 'extern-unresolved',
    errno: null,
    message: 'cannot resolve extern present',
  });
  t.match(error, { summary: /^KALLSYMS_UNREADABLE: /, fix: /^Mount \/proc, .* declare it __weak/ });
  t.match(error instanceof LoadError && error.explain(), /looked up nowhere else\.\n {2}→ Mount \/proc/);
  t.equal(error instanceof LoadError && error.resolutions.length, 3, 'all resolutions are attached');
  t.equal(agent.calls.length, 0);
  await t.rejects(loadObject(spec, { agent, facts, programs: ['nope'] }), {
    code: 'no-such-program',
    why: /main_program/,
  });
});

t.test(
  'a refused program is loaded again with a log that grows until it fits, and leaves nothing behind',
  async (t) => {
    const text = `0: (b7) r0 = 0\nR1 !read_ok\nprocessed 1 insns (limit 1000000)\n`;
    const agent = new FakeAgent((call) => {
      if (call.command !== PROG_LOAD) return undefined;
      const size = call.attr.getUint32(28, true);
      outBuffer(call, 32, text);
      return size > 0 && size < 1 << 20 ? 'ENOSPC' : 'EACCES';
    });
    const error = await loadObject(spec, { agent, facts }).catch((reason: unknown) => reason);
    t.match(error, {
      phase: 'load',
      program: 'main_program',
      errnoName: 'EACCES',
      verifierLog: text,
      summary: 'R1 !read_ok',
    });
    const tries = agent.bpfCalls(PROG_LOAD).map(({ attr }) => [attr.getUint32(24, true), attr.getUint32(28, true)]);
    t.same(tries, [
      [0, 0],
      [1, 1 << 16],
      [1, 1 << 18],
      [1, 1 << 20],
    ]);
    t.same([...agent.open], []);

    let signals = 4;
    const interrupted = new FakeAgent((call) => (call.command === PROG_LOAD && signals-- > 0 ? 'EAGAIN' : undefined));
    await (await loadObject(spec, { agent: interrupted, facts, programs: ['main_program'] })).close();
    t.equal(interrupted.bpfCalls(PROG_LOAD).length, 5, 'a signal that comes in between refuses nothing');
    const always = new FakeAgent((call) => (call.command === PROG_LOAD ? 'EAGAIN' : undefined));
    await t.rejects(loadObject(spec, { agent: always, facts, programs: ['main_program'] }), {
      code: 'program-rejected',
      why: /^EAGAIN/,
    });

    for (const [logSize, taken] of [
      [0, 128],
      [-5, 128],
      [200.5, 200],
      [Number.POSITIVE_INFINITY, 0xffffff],
      [Number.NaN, 1 << 16],
    ]) {
      const sized = new FakeAgent();
      const options = {
        agent: sized,
        facts,
        programs: ['main_program'],
        logLevel: 1,
        ...(logSize === undefined ? {} : { logSize }),
      };
      await (await loadObject(spec, options)).close();
      t.equal(sized.bpfCalls(PROG_LOAD)[0]?.attr.getUint32(28, true), taken, `a log of ${logSize} bytes`);
    }

    const endless = new FakeAgent((call) =>
      call.command === PROG_LOAD ? (call.attr.getUint32(28, true) > 0 ? 'ENOSPC' : 'EINVAL') : undefined,
    );
    const second = await loadObject(spec, { agent: endless, facts }).catch((reason: unknown) => reason);
    t.match(second, { errnoName: 'EINVAL' }, 'the first answer counts if no log is long enough');
    t.equal(endless.bpfCalls(PROG_LOAD).at(-1)?.attr.getUint32(28, true), 0xffffff, 'the largest that 5.1 takes');

    const poison = new FakeAgent((call) => {
      if (call.command !== PROG_LOAD) return undefined;
      const index = spec.externs.findIndex(({ name }) => name === 'missing_kfunc');
      outBuffer(call, 32, `invalid func unknown#${2002000000 + index}\n`);
      return 'EINVAL';
    });
    const third = await loadObject(spec, { agent: poison, facts }).catch((reason: unknown) => reason);
    t.match(third, { summary: /kernel function missing_kfunc is weak and missing, and the program calls it/ });

    const forbidden = new FakeAgent((call) => (call.command === MAP_CREATE ? 'EPERM' : undefined));
    const fourth = await loadObject(spec, { agent: forbidden, facts }).catch((reason: unknown) => reason);
    t.match(fourth, { phase: 'map', errnoName: 'EPERM', where: 'small.bpf.o, map counts', fix: /CAP_BPF/ });
    t.same([...forbidden.open], []);
  },
);

t.test('a kernel that does not take the BTF gets an older form of it, or none', async (t) => {
  const older = new FakeAgent((call) =>
    call.command === BTF_LOAD && older.bpfCalls(BTF_LOAD).length < 3 ? 'EINVAL' : undefined,
  );
  await (await loadObject(spec, { agent: older, facts })).close();
  const forms = older.bpfCalls(BTF_LOAD).map((call) => Buffer.from(call.at(0) ?? []).toString('base64'));
  t.equal(new Set(forms).size, 3, 'three different forms');
  t.not(older.bpfCalls(PROG_LOAD)[0]?.attr.getUint32(72, true), 0, 'prog_btf_fd');

  const without = new FakeAgent((call) => (call.command === BTF_LOAD ? 'EINVAL' : undefined));
  await (await loadObject(spec, { agent: without, facts })).close();
  const [load] = without.bpfCalls(PROG_LOAD);
  t.ok((load?.length ?? 0) <= 72, 'neither BTF nor function and line information');
  t.ok(
    without.bpfCalls(MAP_CREATE).every(({ length }) => length <= 48),
    'nor types of keys and values',
  );

  const picky = new FakeAgent((call) => (call.command === MAP_CREATE && call.length > 48 ? 'ENOTSUPP' : undefined));
  await (await loadObject(spec, { agent: picky, facts })).close();
  t.ok(picky.bpfCalls(MAP_CREATE).length > 6, 'maps are created again without their types');
});

t.test('maps, variables and test runs of a loaded object', async (t) => {
  const values = new Map<string, Uint8Array>();
  const agent = new FakeAgent((call) => {
    const key = `${call.attr.byteLength > 0 ? call.attr.getUint32(0, true) : 0}`;
    if (call.command === MAP_UPDATE) values.set(key, call.at(16)?.slice() ?? new Uint8Array());
    if (call.command === MAP_LOOKUP) {
      const value = values.get(key);
      if (value === undefined) return 'ENOENT';
      call.at(16)?.set(value);
    }
    if (call.command === TEST_RUN) {
      call.attr.setUint32(4, 42, true);
      call.attr.setUint32(36, 1700, true);
      call.attr.setUint32(12, 14, true);
    }
    return undefined;
  });
  const object = await loadObject(spec, { agent, facts, programs: ['main_program', 'second'] });
  const counts = object.map('counts');
  const key = Uint8Array.of(1, 0, 0, 0);
  t.equal(await counts.lookup(key), null);
  await counts.update(key, Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0));
  t.same(await counts.lookup(key), Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0));
  await t.rejects(counts.update(key, new Uint8Array(4)), { code: 'map-value-size', where: 'map counts' });
  await t.rejects(counts.lookup(new Uint8Array(8)), { code: 'map-key-size' });
  await t.rejects(counts.lookupPerCpu(key), { code: 'map-per-cpu' });

  const percpu = object.map('percpu');
  const four = [1, 2, 3, 4].map((value) => Uint8Array.of(value, 0, 0, 0));
  await percpu.updatePerCpu(key, four);
  t.equal(
    agent.bpfCalls(MAP_UPDATE).at(-1)?.at(16)?.length,
    32,
    'four possible CPUs, eight bytes each for a value of four',
  );
  t.same(await percpu.lookupPerCpu(key), four);
  await t.rejects(percpu.updatePerCpu(key, four.slice(1)), { code: 'map-per-cpu' });
  await t.rejects(percpu.lookup(key), { code: 'map-per-cpu' });

  t.same(await object.variable('answer').read(), Uint8Array.of(42, 0, 0, 0));
  await object.variable('answer').write(Uint8Array.of(43, 0, 0, 0));
  t.same(await object.variable('answer').read(), Uint8Array.of(43, 0, 0, 0));
  await t.rejects(object.variable('answer').write(new Uint8Array(8)), { code: 'variable-size' });
  t.throws(() => object.variable('nope'), { code: 'no-such-variable', why: /answer/ });
  t.throws(() => object.program('third'), { code: 'no-such-program', why: 'it has main_program, second' });

  const result = await object.program('main_program').testRun({ cpu: 9 });
  t.match(result, { retval: 42, durationNs: 1700 });
  t.equal(result.dataOut.length, 14);
  const affinity = agent.calls.find(({ number }) => number === 203);
  t.match(affinity?.args[2], { bytes: Uint8Array.of(0, 2, 0, 0, 0, 0, 0, 0) }, 'bit 9');
  const second = agent.calls.length;
  await Promise.all([1, 2].map((cpu) => object.program('main_program').testRun({ cpu })));
  t.same(
    agent.calls.slice(second).map(({ number, args }) => (number === 203 ? args[2] : 'run')),
    [
      { bytes: Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0) },
      'run',
      { bytes: Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0) },
      'run',
    ].map((step) => (typeof step === 'string' ? step : { ...step, direction: 'in' })),
    'neither of two at the same time moves the other away from its CPU',
  );
  await object.program('second').testRun();
  const run = agent.bpfCalls(TEST_RUN).at(-1);
  t.equal(run?.length, 72, 'test.cpu ends there, and 5.10 with it');
  t.same(
    [8, 12, 32].map((offset) => run?.attr.getUint32(offset, true)),
    [0, 0, 0],
    'a raw tracepoint takes no packet and no repeat',
  );
  t.equal(run?.at(48)?.length, 96, 'but its arguments');
  await object.close();

  const tracing = { ...facts, vmlinuxBtf: null };
  await t.rejects(loadObject(spec, { agent, facts: tracing, programs: ['third'] }), {
    code: 'attach-without-kernel-btf',
  });
  await t.rejects(loadObject(spec, { agent, facts, programs: ['third'] }), {
    code: 'attach-target-not-found',
    why: /btf_trace_sched_switch/,
  });
});

t.test('parts of objects that are special', (t) => testObjectParts(t, compile, facts));
