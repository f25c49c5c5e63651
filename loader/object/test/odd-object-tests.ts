import type { Test } from 'tap';
import { compileBpf } from '../../elf/test/compile.ts';
import { parseObject } from '../parse.ts';
import { find } from './inspect.ts';
import { HEADER, INCLUDE } from './sources.ts';

const FLAGS = ['-g', '-O2', INCLUDE, '-Wno-everything'];

/** Tests of objects that are unlike what most sources give. */
export function testOddObjects(t: Test): void {
  const compile = (name: string, source: string, flags: readonly string[] = FLAGS) =>
    compileBpf(t.testdir(), name, `${HEADER}${source}`, { flags }).bytes;
  const parse = (name: string, source: string, flags?: readonly string[]) =>
    parseObject(compile(name, source, flags), name);

  t.test('a program whose section name is not known is there, without a type', (t) => {
    const spec = parse('unknown', 'SEC("my_own") int prog(void *ctx) { return 0; }');
    t.match(spec.programs, [{ name: 'prog', section: 'my_own', type: 'unspecified', autoload: true }]);
    t.end();
  });

  t.test(
    'functions in .text are no programs, whatever else there is (prog_is_subprog in libbpf’s src/libbpf.c)',
    (t) => {
      t.same(parse('lone', 'int prog(void *ctx) { return 0; }').programs, []);
      t.same(parse('two', 'int one(void *ctx) { return 0; } int two(void *ctx) { return 0; }').programs, []);
      t.same(parse('none', 'int variable = 1;').programs, []);
      t.end();
    },
  );

  t.test('flags and optional loading come from the section name', (t) => {
    const spec = parse('flags', 'SEC("?xdp.frags/cpumap") int prog(void *ctx) { return 0; }');
    // BPF_XDP_CPUMAP is 35, BPF_F_XDP_HAS_FRAGS 1 << 5.
    t.match(spec.programs, [{ type: 'xdp', attachType: 35, autoload: false, flags: 32 }]);
    t.end();
  });

  t.test('symbols without type and size, as clang 7 writes them, are functions where no other is', (t) => {
    const source =
      'int helper(int x) { return x * 3; } SEC("socket") int one(void *ctx) { return helper(1); } SEC("socket") int two(void *ctx) { return 2; }';
    const bytes = compile('untyped', source.replace('int helper', '__attribute__((noinline)) int helper'), [
      '-O2',
      INCLUDE,
    ]);
    const before = parseObject(bytes, 'typed.o');
    const after = parseObject(withoutSymbolTypes(bytes), 'untyped.o');
    t.strictSame(after.programs, before.programs);
    t.strictSame(
      find(after, 'one').functions.map(({ name }) => name),
      ['one', 'helper'],
    );
    t.end();
  });

  t.test('sections of variables may have names of their own, and hold constants without one', (t) => {
    const source = `
int a SEC(".data.mine") = 1; const volatile int b SEC(".rodata.mine") = 2; int c SEC(".bss.mine"); __hidden int d = 4;
struct four { long a[4]; };
SEC("tc") int prog(void *ctx) { struct four table = { { 11, 22, 33, 44 } }; return a + b + c + d + table.a[*(unsigned *)ctx & 3]; }`;
    const spec = parse('sections', source);
    const data = spec.maps.map(({ name, frozen, flags, valueSize }) => [name, frozen, flags, valueSize]).sort();
    const constants = data.find(([name]) => `${name}`.startsWith('.rodata.cst') || name === '.rodata');
    t.strictSame(constants?.slice(1), [true, 0x80, 32], `the table is in ${constants?.[0]}`);
    t.strictSame(
      data.filter((one) => one !== constants),
      [
        ['.bss.mine', false, 0, 4],
        ['.data', false, 0, 4],
        ['.data.mine', false, 0, 4],
        ['.rodata.mine', true, 0x80, 4],
      ],
    );
    t.strictSame(spec.variables.map(({ name }) => name).sort(), ['a', 'b', 'c', 'd']);
    t.end();
  });

  t.test('an address in data that no program looks at is no obstacle', (t) => {
    const spec = parse('pointers', 'int x = 1; int *unused = &x; SEC("tc") int prog(void *ctx) { return x; }');
    t.strictSame(
      spec.variables.map(({ name }) => name),
      ['x', 'unused'],
    );
    t.end();
  });

  t.test('an exception callback that only a tag names is part of its program', (t) => {
    const source = `
__attribute__((noinline)) int caught(unsigned long long cookie) { return 1; }
__attribute__((btf_decl_tag("exception_callback:caught"))) SEC("tc") int throws(void *ctx) { return 0; }
SEC("tc") int quiet(void *ctx) { return 0; }`;
    const spec = parse('exceptions', source);
    t.same(
      spec.programs.map(({ name, functions }) => [name, functions.map((one) => one.name)]),
      [
        ['throws', ['throws', 'caught']],
        ['quiet', ['quiet']],
      ],
    );
    t.end();
  });

  t.test('struct_ops are maps of their type, and their programs have it', (t) => {
    const source = `
struct my_ops { int (*go)(void *); int flags; };
SEC("struct_ops/go") int go(void *ctx) { return 0; }
SEC(".struct_ops.link") struct my_ops mine = { .go = (void *)go, .flags = 3 };
SEC("?.struct_ops") struct my_ops other = { .flags = 4 };`;
    const spec = parse('ops', source);
    // BPF_MAP_TYPE_STRUCT_OPS is 26, BPF_F_LINK 1 << 13.
    t.match(spec.maps, [
      { name: 'mine', type: 26, keySize: 4, valueSize: 16, maxEntries: 1, flags: 8192 },
      { name: 'other', flags: 0, autocreate: false },
    ]);
    t.equal(spec.maps[0]?.autocreate, undefined);
    t.same(spec.maps[0]?.structOps, { type: 'my_ops', members: [{ name: 'go', program: 'go' }] });
    t.equal(spec.btf?.type(spec.maps[0]?.valueTypeId ?? 0).name, 'my_ops');
    t.match(spec.programs, [{ name: 'go', type: 'struct_ops', attachTarget: 'go' }]);
    t.end();
  });

  t.test('a few bytes that ask for much memory are refused', (t) => {
    const arena = 'struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, 1); } heap SEC(".maps");';
    const sources = {
      '.bss': 'char big[80 << 20];',
      '.addr_space.1': String.raw`${arena} __asm__(".section .addr_space.1,\"aw\",@nobits\nbig: .zero 0x5000000\n");`,
      '.kconfig': 'extern char CONFIG_LONG[80 << 20] __kconfig; SEC("tc") int p(void *c) { return CONFIG_LONG[1]; }',
    };
    for (const [section, source] of Object.entries(sources)) {
      const bytes = compile('big', source);
      t.ok(bytes.length < 10_000, 'it is small itself');
      t.throws(() => parseObject(bytes, 'big'), { code: 'data-too-large', where: new RegExp(`section ${section}`) });
    }
    t.end();
  });
  t.end();
}

/** Clears st_size, and the type in st_info, of all named symbols in the symbol table. */
function withoutSymbolTypes(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const headers = Number(view.getBigUint64(40, true));
  for (let index = 0; index < view.getUint16(60, true); index++) {
    const header = headers + 64 * index;
    if (view.getUint32(header + 4, true) !== 2) continue; // SHT_SYMTAB
    const [start, size] = [header + 24, header + 32].map((at) => Number(view.getBigUint64(at, true)));
    for (let at = start ?? 0; at < (start ?? 0) + (size ?? 0); at += 24) {
      const type = view.getUint8(at + 4) & 0xf;
      if (type !== 1 && type !== 2) continue; // STT_OBJECT, STT_FUNC
      view.setUint8(at + 4, view.getUint8(at + 4) & 0xf0);
      view.setBigUint64(at + 16, 0n, true);
    }
  }
  return copy;
}
