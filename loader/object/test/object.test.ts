import t, { type Test } from 'tap';
import { compileBpf, mutate, run, seededRandom } from '../../elf/test/compile.ts';
import { ExplainedError, ObjectError } from '../../errors.ts';
import { formatInstruction } from '../../insn/format.ts';
import { isCall, isLoadImm64, readImm64, readInstruction, slotCount } from '../../insn/instruction.ts';
import { parseObject } from '../parse.ts';
import { parseSectionName, programTypeIds } from '../section-names.ts';
import type { ObjectSpec, ProgramSpec } from '../spec.ts';

/** Where Debian and Ubuntu keep <asm/types.h>. */
const INCLUDE = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

const HEADER = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
`;

/** Every call and every address of a function stands on a line of its own that names the callee: an oracle for linking. */
const PROGRAMS = `${HEADER}
struct pair { long a, b; };
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, __u32);
  __type(value, struct pair);
  __uint(max_entries, 10);
  __uint(map_flags, BPF_F_NO_PREALLOC);
} by_number SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(key_size, 4);
  __uint(value_size, 24);
  __uint(max_entries, 3);
} sized SEC(".maps");

static volatile int first_static = 5;
static volatile int second_static = 7;
int zeroed;
static volatile long zeroed_static;
const volatile int constant = 9;
int custom SEC(".data.mine") = 11;

static __noinline int innermost(int x) { return x * second_static; }
__noinline int in_text(int x)
{
  int y = innermost(x);
  return y + first_static;
}
static long callback(__u32 i, void *ctx)
{
  zeroed += i;
  return 0;
}
static __noinline __attribute__((section("socket"))) int beside(int x) { return x + zeroed_static; }

SEC("socket") int one(void *ctx)
{
  static volatile int inner = 3;
  long sum;
  bpf_loop(3, callback, 0, 0);
  sum = in_text(constant);
  sum += beside(3);
  return sum + inner;
}
SEC("socket") int two(void *ctx)
{
  __u32 key = 1;
  void *value = bpf_map_lookup_elem(&by_number, &key);
  int sum = in_text(4);
  sum += beside(sum);
  bpf_printk("hello %d", custom);
  return sum + (value != 0);
}
SEC("?fentry.s/do_nanosleep") int three(void *ctx)
{
  bpf_ringbuf_output(&ring, &(long){ 1 }, 8, 0);
  return bpf_map_lookup_elem(&sized, &(int){ 0 }) != 0;
}
`;

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
  const text = (spec: ObjectSpec) =>
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
  const inProgram = (declarations: string, statement: string) =>
    `${HEADER}${declarations}\nSEC("socket") int prog(void *ctx) { ${statement} }`;
  const cases: readonly {
    title: string;
    source: string;
    flags?: readonly string[];
    error: { code: string; section?: string; symbol?: string; instruction?: number; why?: RegExp; fix?: RegExp };
  }[] = [
    {
      title: 'a __kconfig extern',
      source: inProgram('extern int CONFIG_HZ __kconfig;', 'return CONFIG_HZ;'),
      error: {
        code: 'kconfig-extern',
        section: 'socket',
        symbol: 'CONFIG_HZ',
        instruction: 0,
        why: /configuration.*`r1 = 0x0 ll`/,
      },
    },
    {
      title: 'an extern without BTF',
      source: inProgram('extern const void somewhere __ksym;', 'return (long)&somewhere;'),
      flags: ['-O2', INCLUDE],
      error: { code: 'extern-without-btf', symbol: 'somewhere', instruction: 0, why: /no BTF/, fix: /-g/ },
    },
    {
      title: 'an extern without a section',
      source: inProgram('extern int elsewhere;', 'return elsewhere;'),
      error: { code: 'extern-not-ksym', section: 'socket', symbol: 'elsewhere', instruction: 0, fix: /__ksym/ },
    },
    {
      title: 'an undefined function',
      source: inProgram('extern int nowhere(int);', 'return nowhere(7);'),
      error: { code: 'extern-not-ksym', symbol: 'nowhere', instruction: 1, why: /`call/ },
    },
    {
      title: 'a call of a ksym variable',
      source: inProgram(
        'extern const int number __ksym;',
        'asm volatile("r1 = 1\\ncall number" ::: "r0"); return (long)&number;',
      ),
      error: { code: 'call-of-variable', section: 'socket', symbol: 'number', instruction: 1 },
    },
    {
      title: 'a reference into the licence',
      source: inProgram('', 'return *(volatile char *)LICENSE;'),
      error: {
        code: 'reference-to-section',
        section: 'socket',
        symbol: 'LICENSE',
        instruction: 0,
        why: /`r1 = 0x0 ll`/,
      },
    },
    {
      title: 'an address past the end of a variable’s section',
      source: inProgram('int array[4];', 'asm volatile("r1 = array + 16 ll" ::: "r1"); return array[0];'),
      error: { code: 'data-outside-section', symbol: 'array', instruction: 0, why: /byte 16 of 16/ },
    },
    {
      title: 'a pointer in initialised data',
      source: inProgram('int target = 1; int *pointer = &target;', 'return *pointer;'),
      error: { code: 'pointer-in-data', section: '.data', symbol: 'pointer', why: /address of target/ },
    },
    {
      title: 'a call into the middle of a function',
      source: inProgram('', 'asm volatile("r1 = 1\\n.byte 0x85, 0x10, 0, 0, 1, 0, 0, 0\\nr1 = 2" ::: "r0"); return 0;'),
      error: {
        code: 'not-a-function',
        section: 'socket',
        symbol: 'prog',
        instruction: 1,
        why: /`call pc\+1` leads to slot 3/,
      },
    },
    {
      title: 'legacy maps',
      source: inProgram('struct { int a; } old SEC("maps");', 'return 0;'),
      error: { code: 'legacy-maps', section: 'maps', fix: /\.maps/ },
    },
    {
      title: 'a pinned map',
      source: inProgram(
        'struct { __uint(type, 1); __uint(pinning, LIBBPF_PIN_BY_NAME); } pinned SEC(".maps");',
        'return 0;',
      ),
      error: { code: 'map-attribute-unsupported', section: '.maps', symbol: 'pinned', why: /pinned maps/ },
    },
    {
      title: 'a map of maps',
      source: inProgram(
        'struct inner { __uint(type, 1); }; struct { __uint(type, 12); __array(values, struct inner); } outer SEC(".maps");',
        'return 0;',
      ),
      error: { code: 'map-attribute-unsupported', symbol: 'outer', why: /maps of maps/ },
    },
    {
      title: 'a map without a type',
      source: inProgram('struct { __uint(max_entries, 1); } vague SEC(".maps");', 'return 0;'),
      error: { code: 'map-without-type', symbol: 'vague' },
    },
    {
      title: 'a map that contradicts itself',
      source: inProgram(
        'struct { __uint(type, 1); __type(key, int); __uint(key_size, 8); } odd SEC(".maps");',
        'return 0;',
      ),
      error: { code: 'map-attribute-conflict', symbol: 'odd', why: /key_size gives 8.* 4/ },
    },
    {
      title: 'maps without BTF',
      source: inProgram('struct { __uint(type, 1); } bare SEC(".maps");', 'return 0;'),
      flags: ['-O2', INCLUDE],
      error: { code: 'maps-without-btf', symbol: 'bare' },
    },
    {
      title: 'an unknown section name',
      source: `${HEADER}SEC("fentri/x") int prog(void *ctx) { return 0; }`,
      error: { code: 'unknown-program-section', section: 'fentri/x', symbol: 'prog', fix: /Did you mean fentry/ },
    },
    {
      title: 'a known section name that is not supported',
      source: `${HEADER}SEC("ksyscall/read") int prog(void *ctx) { return 0; }`,
      error: { code: 'unsupported-program-section', section: 'ksyscall/read', symbol: 'prog', why: /system call/ },
    },
    {
      title: 'fentry without a target',
      source: `${HEADER}SEC("fentry") int prog(void *ctx) { return 0; }`,
      error: { code: 'program-section-target', section: 'fentry', symbol: 'prog', fix: /SEC\("fentry\/NAME"\)/ },
    },
  ];
  for (const { title, source, flags = ['-g', '-O2', INCLUDE], error } of cases) {
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

t.test('section names select what libbpf documents', (t) => {
  // Documentation/bpf/libbpf/program_types.rst; numbers from enum bpf_prog_type and enum bpf_attach_type.
  const cases: readonly (readonly [string, number, number | null, string | null, boolean])[] = [
    ['socket', 1, null, null, false],
    ['kprobe/do_exit', 2, null, 'do_exit', false],
    ['tc', 3, null, null, false],
    ['classifier', 3, null, null, false],
    ['tcx/ingress', 3, null, null, false],
    ['action', 4, null, null, false],
    ['tp/sched/sched_switch', 5, null, 'sched/sched_switch', false],
    ['tracepoint/sched/sched_switch', 5, null, 'sched/sched_switch', false],
    ['xdp', 6, null, null, false],
    ['perf_event', 7, null, null, false],
    ['raw_tp/sys_enter', 17, null, 'sys_enter', false],
    ['tp_btf/sched_switch', 26, 23, 'sched_switch', false],
    ['fentry/x', 26, 24, 'x', false],
    ['fexit.s/x', 26, 25, 'x', true],
    ['fmod_ret/x', 26, 26, 'x', false],
    ['lsm/file_open', 29, 27, 'file_open', false],
    ['lsm.s/file_open', 29, 27, 'file_open', true],
    ['syscall', 31, null, null, true],
  ];
  for (const [section, type, attachType, target, sleepable] of cases) {
    const found = parseSectionName(section);
    t.strictSame(
      [programTypeIds[found.type], found.attachType, found.target, found.sleepable],
      [type, attachType, target, sleepable],
      section,
    );
  }
  for (const section of ['xdp.s', 'tp_btf.s/x', 'tc/other', 'syscall/x', '', 'prog']) {
    t.match(
      catchError(() => parseSectionName(section)),
      { code: 'unknown-program-section' },
      `“${section}”`,
    );
  }
  t.end();
});

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

function find(spec: ObjectSpec, name: string): ProgramSpec {
  const program = spec.programs.find((one) => one.name === name);
  if (program === undefined) throw new TypeError(`no program ${name}`);
  return program;
}

/** Checks that each call leads to a function that its source line names; returns how many there were. */
function checkCalls(t: Test, program: ProgramSpec): number {
  let calls = 0;
  for (let slot = 0; slot < slotCount(program.code); slot++) {
    const instruction = readInstruction(program.code, slot);
    const call = isCall(instruction) && instruction.src === 1;
    const address = isLoadImm64(instruction) && instruction.src === 4;
    if (call || address) {
      calls++;
      const callee = program.functions.find((one) => one.slot === slot + 1 + instruction.imm);
      const { source } = program.lines.findLast((line) => line.slot <= slot) ?? { source: '' };
      t.match(
        source,
        callee?.name ?? 'a function',
        `${program.name} ${slot}: ${formatInstruction(program.code, slot)}`,
      );
    }
    if (isLoadImm64(instruction)) slot++;
  }
  return calls;
}

function listing(program: ProgramSpec, byteOrder: 'little' | 'big'): string[] {
  const lines: string[] = [];
  for (let slot = 0; slot < slotCount(program.code); slot++) {
    lines.push(formatInstruction(program.code, slot, byteOrder));
    if (isLoadImm64(readInstruction(program.code, slot, byteOrder))) slot++;
  }
  return lines;
}

function readInt(spec: ObjectSpec, name: string): number | undefined {
  const variable = spec.variables.find((one) => one.name === name);
  const data = spec.maps.find((map) => map.name === variable?.map)?.data;
  if (variable === undefined || data === null || data === undefined) return undefined;
  return new DataView(data.buffer, data.byteOffset).getInt32(variable.offset, true);
}

/** Name, offset and size of all objects in some sections, as readelf prints them. */
function readelfObjects(path: string, sections: readonly string[]): string[] {
  const indices = new Set<string>();
  for (const line of run('readelf', ['-SW', path]).split('\n')) {
    const match = /^\s*\[\s*(\d+)\]\s+(\S+)/.exec(line);
    if (match?.[1] !== undefined && sections.includes(match[2] ?? '')) indices.add(match[1]);
  }
  return run('readelf', ['-sW', path])
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === 'OBJECT' && indices.has(fields[6] ?? ''))
    .map((fields) => `${fields[7]} ${Number.parseInt(fields[1] ?? '', 16)} ${Number(fields[2])}`)
    .sort();
}

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
