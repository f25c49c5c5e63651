import t from 'tap';
import { compileBpf, mutate, seededRandom } from '../../elf/test/compile.ts';
import { ExplainedError, ObjectError } from '../../errors.ts';
import { formatInstruction } from '../../insn/format.ts';
import { isCall, isLoadImm64, readImm64, readInstruction, slotCount } from '../../insn/instruction.ts';
import { parseObject } from '../parse.ts';
import type { ObjectContent, ProgramSpec } from '../spec.ts';
import { checkCalls, find, listing, readelfObjects, readInt } from './inspect.ts';
import { testKconfig } from './kconfig-tests.ts';
import { testMapDefinitions } from './map-definition-tests.ts';
import { testOddObjects } from './odd-object-tests.ts';
import { REFUSALS } from './refusals.ts';
import { testSectionNames } from './section-name-tests.ts';
import { HEADER, INCLUDE, PROGRAMS } from './sources.ts';

t.test('an object of several programs, maps and variables', (t) => {
  const { bytes, path } = compileBpf(t.testdir(), 'programs', PROGRAMS, { flags: ['-g', '-O2', INCLUDE] });
  const spec = parseObject(bytes, path);

  t.test('gives every program with what its section says', (t) => {
    t.equal(spec.license, 'GPL');
    t.equal(spec.byteOrder, 'little');
    t.match(spec.programs, [
      { name: 'one', section: 'socket', type: 'socket_filter', attachType: null, sleepable: false, autoload: true },
      { name: 'two', section: 'socket', type: 'socket_filter', attachTarget: null },
      // BPF_TRACE_FENTRY is 24 in enum bpf_attach_type.
      {
        name: 'three',
        type: 'tracing',
        attachType: 24,
        attachTarget: 'do_nanosleep',
        sleepable: true,
        autoload: false,
      },
    ]);
    t.end();
  });

  t.test('appends every function once, in the order it is met, and leads every call there', (t) => {
    const names = (program: ProgramSpec) => program.functions.map(({ name, linkage }) => `${linkage} ${name}`);
    t.strictSame(names(find(spec, 'one')), [
      'global one',
      'static callback',
      'global in_text',
      'static beside',
      'static innermost',
    ]);
    t.strictSame(names(find(spec, 'two')), ['global two', 'global in_text', 'static beside', 'static innermost']);
    t.strictSame(names(find(spec, 'three')), ['global three']);
    let calls = 0;
    for (const program of spec.programs) calls += checkCalls(t, program);
    t.equal(calls, 4 + 3, 'bpf_loop’s callback and three calls in `one`, three calls in `two`');
    t.end();
  });

  t.test('moves line and function information with the code', (t) => {
    for (const program of spec.programs) {
      for (const one of program.functions) {
        // The kernel refuses a program whose function has no line information at its start.
        const start = program.lines.find((line) => line.slot === one.slot);
        t.ok(start, `${program.name}: ${one.name} has a line at its start`);
        t.equal(spec.btf?.type(one.typeId ?? 0).name, one.name);
        t.equal(spec.btf?.type(one.typeId ?? 0).kind, 'func');
      }
      const slots = program.lines.map((line) => line.slot);
      t.strictSame(
        slots,
        [...slots].sort((a, b) => a - b),
        'lines ascend',
      );
      t.ok(slots.every((slot) => slot < slotCount(program.code)));
    }
    t.end();
  });

  t.test('reads BTF-defined maps as they were written', (t) => {
    const maps = spec.maps.filter((map) => map.data === null);
    // Numbers of enum bpf_map_type: HASH 1, PERCPU_ARRAY 6, RINGBUF 27; BPF_F_NO_PREALLOC is 1.
    t.match(maps, [
      { name: 'by_number', type: 1, keySize: 4, valueSize: 16, maxEntries: 10, flags: 1, frozen: false },
      { name: 'ring', type: 27, keySize: 0, valueSize: 0, maxEntries: 4096, keyTypeId: null, valueTypeId: null },
      { name: 'sized', type: 6, keySize: 4, valueSize: 24, maxEntries: 3, keyTypeId: null },
    ]);
    t.equal(spec.btf?.type(maps[0]?.valueTypeId ?? 0).name, 'pair');
    t.equal(spec.btf?.type(maps[0]?.keyTypeId ?? 0).name, '__u32');
    t.end();
  });

  t.test('makes a map of each data section, with its variables at the offsets readelf gives', (t) => {
    const data = spec.maps.filter((map) => map.data !== null);
    t.strictSame(data.map((map) => map.name).sort(), ['.bss', '.data', '.data.mine', '.rodata']);
    for (const map of data) {
      t.match(map, { type: 2, keySize: 4, maxEntries: 1, valueSize: map.data?.length });
      t.equal(map.frozen, map.name === '.rodata');
      t.equal(map.flags, map.name === '.rodata' ? 0x80 : 0, 'BPF_F_RDONLY_PROG');
      t.equal(spec.btf?.type(map.valueTypeId ?? 0).name, map.name);
    }
    t.strictSame(
      spec.variables.map(({ name, offset, size }) => `${name} ${offset} ${size}`).sort(),
      readelfObjects(path, ['.bss', '.data', '.data.mine', '.rodata']),
    );
    t.equal(readInt(spec, 'first_static'), 5);
    t.equal(readInt(spec, 'second_static'), 7);
    t.equal(readInt(spec, 'one.inner'), 3, 'a static variable within a function');
    t.equal(readInt(spec, 'constant'), 9);
    t.equal(readInt(spec, 'custom'), 11);
    t.equal(readInt(spec, 'zeroed'), 0);
    for (const variable of spec.variables) {
      t.equal(spec.btf?.sizeOf(variable.typeId ?? 0), variable.size, `the type of ${variable.name}`);
    }
    t.end();
  });

  t.test('refers to maps and variables, static ones and string constants included', (t) => {
    const two = find(spec, 'two');
    const maps = two.references.filter((one) => one.kind === 'map').map((one) => one.map);
    t.strictSame(maps, ['by_number']);
    t.strictSame(
      find(spec, 'three').references.flatMap((one) => (one.kind === 'map' ? [one.map] : [])),
      ['ring', 'sized'],
    );
    for (const program of spec.programs) {
      for (const reference of program.references) {
        const { slot } = reference;
        t.ok(isLoadImm64(readInstruction(program.code, slot)), `${program.name} ${slot} is a ld_imm64`);
        if (reference.kind !== 'data') continue;
        t.equal(readImm64(program.code, slot), 0n, 'the addend went into the reference');
        const variable = spec.variables.find((one) => one.map === reference.map && one.offset === reference.offset);
        const { source } = program.lines.findLast((line) => line.slot <= slot) ?? { source: '' };
        const name = variable?.name.replace(/^.*\./, '').replace('____fmt', 'bpf_printk') ?? '?';
        t.match(source, name, `${program.name}: ${reference.map}+${reference.offset} is ${name}`);
      }
    }
    t.end();
  });

  t.test('gives copies: changing the file’s bytes changes nothing in the specification', (t) => {
    const copy = bytes.slice();
    const before = parseObject(copy, path);
    copy.fill(0);
    t.strictSame(before.programs[0]?.code, spec.programs[0]?.code);
    t.strictSame(before.maps, spec.maps);
    t.end();
  });
  t.end();
});

t.test('a big-endian object says the same, in its own byte order', (t) => {
  const flags = ['-g', '-O2', INCLUDE];
  const little = parseObject(compileBpf(t.testdir(), 'programs', PROGRAMS, { flags }).bytes, 'el');
  const big = parseObject(compileBpf(t.testdir(), 'programs', PROGRAMS, { flags, target: 'bpfeb' }).bytes, 'eb');
  t.equal(big.byteOrder, 'big');
  const text = (spec: ObjectContent) =>
    spec.programs.map((one) => [...listing(one, spec.byteOrder), JSON.stringify([one.references, one.functions])]);
  t.strictSame(text(big), text(little));
  t.strictSame(big.variables, little.variables);
  t.strictSame([...(big.maps.find((map) => map.name === '.data.mine')?.data ?? [])], [0, 0, 0, 11]);
  t.end();
});

t.test('externs of .ksyms: typeless means void below all modifiers, weak means STB_WEAK', (t) => {
  const source = `${HEADER}
typedef const volatile void nothing;
struct rq;
extern const void plain __ksym;
extern nothing hidden_void __ksym __weak;
extern const struct rq runqueues __ksym;
extern const int number __ksym __weak;
extern int kfunc(int x) __ksym;
extern void weak_kfunc(void) __ksym __weak;
SEC("socket") int all(void *ctx)
{
  if (weak_kfunc) weak_kfunc();
  return (&plain == &hidden_void) + (long)&runqueues + (&number == 0) + kfunc(1);
}`;
  const spec = parseObject(
    compileBpf(t.testdir(), 'externs', source, { flags: ['-g', '-O2', INCLUDE] }).bytes,
    'externs.o',
  );
  const externs = [...spec.externs].sort((a, b) => a.name.localeCompare(b.name));
  t.match(externs, [
    { name: 'hidden_void', kind: 'typeless', weak: true, typeId: 0 },
    { name: 'kfunc', kind: 'kfunc', weak: false },
    { name: 'number', kind: 'typed', weak: true },
    { name: 'plain', kind: 'typeless', weak: false, typeId: 0 },
    { name: 'runqueues', kind: 'typed', weak: false },
    { name: 'weak_kfunc', kind: 'kfunc', weak: true },
  ]);
  t.equal(externs.length, 6);
  t.equal(spec.btf?.type(externs[1]?.typeId ?? 0).kind, 'func_proto', 'a kfunc’s type is its prototype');
  const program = find(spec, 'all');
  const uses = program.references.map((one) => `${one.kind} ${'extern' in one ? one.extern : ''}`);
  for (const use of [
    'extern plain',
    'extern hidden_void',
    'extern number',
    'extern runqueues',
    'extern-call kfunc',
    'extern weak_kfunc',
    'extern-call weak_kfunc',
  ]) {
    t.ok(uses.includes(use), use);
  }
  for (const reference of program.references) {
    const instruction = readInstruction(program.code, reference.slot);
    t.ok(
      reference.kind === 'extern-call' ? isCall(instruction) : isLoadImm64(instruction),
      formatInstruction(program.code, reference.slot),
    );
  }
  t.end();
});

t.test('CO-RE relocations move with the function they are in', (t) => {
  const source = `${HEADER}
struct rq___local { int cpu; long idle; } __attribute__((preserve_access_index));
static __noinline long sub(struct rq___local *rq) { return rq->idle; }
SEC("raw_tp/x") int prog(void **ctx) { struct rq___local *rq = ctx[0]; return rq->cpu + sub(rq); }`;
  const spec = parseObject(compileBpf(t.testdir(), 'core', source, { flags: ['-g', '-O2', INCLUDE] }).bytes, 'core.o');
  const program = find(spec, 'prog');
  t.match(
    program.coreRelocations.map((one) => one.accessString),
    ['0:0', '0:1'],
  );
  t.strictSame(
    program.coreRelocations.map((one) => program.functions.findLast((f) => f.slot <= one.slot)?.name),
    ['prog', 'sub'],
  );
  for (const { slot } of program.coreRelocations) t.match(formatInstruction(program.code, slot), /= \*\(u(32|64) \*\)/);
  t.end();
});

t.test('what cannot be loaded is refused, with section, symbol, instruction and reason', (t) => {
  for (const { title, source, flags = ['-g', '-O2', INCLUDE], error } of REFUSALS) {
    t.test(title, (t) => {
      const { bytes } = compileBpf(t.testdir(), 'refused', source, { flags: [...flags, '-Wno-everything'] });
      const thrown = catchError(() => parseObject(bytes, 'refused.o'));
      t.ok(thrown instanceof ObjectError, `an ObjectError, not ${thrown}`);
      t.match(thrown, error);
      t.match(thrown instanceof ObjectError ? thrown.explain() : '', /^refused\.o, /, 'the file stands in front');
      t.end();
    });
  }
  t.match(
    catchError(() => parseObject(compileNative(t.testdir()), 'native.o')),
    { code: 'not-bpf' },
  );
  t.match(
    catchError(() => parseObject(new Uint8Array(0), 'empty.o')),
    { code: 'not-elf' },
  );
  t.end();
});

t.test('section names select what libbpf’s table says', testSectionNames);
t.test('maps of maps, program arrays and the attributes of maps', testMapDefinitions);
t.test('__kconfig externs', testKconfig);
t.test('what objects are made of in odd cases', testOddObjects);

t.test('damaged objects are refused with an explanation, never with a crash', (t) => {
  const { bytes } = compileBpf(t.testdir(), 'programs', PROGRAMS, { flags: ['-g', '-O2', INCLUDE] });
  const random = seededRandom(1);
  let refused = 0;
  for (let round = 0; round < 1500; round++) {
    const error = catchError(() => parseObject(mutate(bytes, random), 'damaged.o'));
    if (error === undefined) continue;
    refused++;
    if (!(error instanceof ExplainedError)) t.fail(`round ${round}: ${error instanceof Error ? error.stack : error}`);
  }
  t.ok(refused > 100, `${refused} of 1500 were refused`);
  t.end();
});

function compileNative(folder: string): Uint8Array {
  const { bytes } = compileBpf(folder, 'machine', 'int x;');
  bytes[18] = 62; // e_machine: EM_X86_64
  bytes[19] = 0;
  return bytes;
}

function catchError(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
