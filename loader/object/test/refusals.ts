import { HEADER, INCLUDE } from './sources.ts';

const inProgram = (declarations: string, statement: string) =>
  `${HEADER}${declarations}\nSEC("socket") int prog(void *ctx) { ${statement} }`;
/** What is refused, and how. */
export const REFUSALS: readonly {
  title: string;
  source: string;
  flags?: readonly string[];
  error: { code: string; section?: string; symbol?: string; instruction?: number; why?: RegExp; fix?: RegExp };
}[] = [
  {
    title: 'a __kconfig extern of a type that holds no such value',
    source: inProgram('struct two { int a, b; }; extern struct two CONFIG_HZ __kconfig;', '\nreturn CONFIG_HZ.a;'),
    error: {
      code: 'kconfig-type',
      section: 'socket',
      symbol: 'CONFIG_HZ',
      instruction: 0,
      why: /struct two \(used by `r1 = 0x0.*` \(refused\.c:7: return CONFIG_HZ\.a;/,
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
      why: /`r1 = 0x0`/,
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
    error: { code: 'pointer-in-data', section: 'socket', symbol: 'pointer', instruction: 0, why: /address of target/ },
  },
  {
    title: 'a call into the middle of a function',
    source: inProgram('', 'asm volatile("r1 = 1\\n.byte 0x85, 0x10, 0, 0, 1, 0, 0, 0\\nr1 = 2" ::: "r0"); return 0;'),
    error: {
      code: 'not-a-function',
      section: 'socket',
      symbol: 'prog',
      instruction: 1,
      why: /`call pc\+1`.* leads to slot 3/,
    },
  },
  {
    title: 'legacy maps',
    source: inProgram('struct { int a[5]; } old SEC("maps") = { { 1, 4, 8, 100, 1 } };', 'return 0;'),
    error: {
      code: 'legacy-maps',
      section: 'maps',
      symbol: 'old',
      fix: /struct { __uint\(type, BPF_MAP_TYPE_HASH\); __uint\(key_size, 4\); __uint\(value_size, 8\); __uint\(max_entries, 100\); __uint\(map_flags, 1\); } old SEC\("\.maps"\);/,
    },
  },
  {
    title: 'maps of iproute2',
    source: inProgram('struct { int a[9]; } old SEC("maps") = { { 2, 4, 4, 1, 0, 7, 2 } };', 'return 0;'),
    error: { code: 'legacy-maps', section: 'maps', why: /bpf_elf_map/, fix: /BPF_MAP_TYPE_ARRAY/ },
  },
  {
    title: 'an attribute that no map has',
    source: inProgram('struct { __uint(type, 1); __uint(colour, 3); } odd SEC(".maps");', 'return 0;'),
    error: { code: 'map-attribute-unsupported', section: '.maps', symbol: 'odd', fix: /map_extra, pinning/ },
  },
  {
    title: 'a way of pinning that there is not',
    source: inProgram('struct { __uint(type, 1); __uint(pinning, 2); } pinned SEC(".maps");', 'return 0;'),
    error: { code: 'map-pinning', section: '.maps', symbol: 'pinned' },
  },
  {
    title: 'values of a map that holds none with a name',
    source: inProgram(
      'struct { __uint(type, 1); __array(values, struct { int a; }); } flat SEC(".maps");',
      'return 0;',
    ),
    error: { code: 'map-values', symbol: 'flat', why: /maps of maps and program arrays/ },
  },
  {
    title: 'maps of maps of maps',
    source: inProgram(
      'struct inner { __uint(type, 12); __array(values, struct { __uint(type, 2); }); }; struct { __uint(type, 12); __array(values, struct inner); } outer SEC(".maps");',
      'return 0;',
    ),
    error: { code: 'map-values', symbol: 'outer', why: /two levels/ },
  },
  {
    title: 'a subprogram in a program array',
    source: inProgram(
      'int helper(void *ctx) { return 1; } struct { __uint(type, 3); __uint(key_size, 4); __array(values, int (void *)); } jumps SEC(".maps") = { .values = { [1] = &helper } };',
      'return helper(ctx);',
    ),
    error: { code: 'map-values', section: '.maps', symbol: 'jumps', why: /helper is a subprogram/ },
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
    title: 'a map whose value has no size',
    source: inProgram(
      'struct later; struct { __uint(type, 1); __type(value, struct later); } sizeless SEC(".maps");',
      'return 0;',
    ),
    error: { code: 'map-definition', symbol: 'sizeless', why: /struct later/ },
  },
  {
    title: 'maps without BTF',
    source: inProgram('struct { __uint(type, 1); } bare SEC(".maps");', 'return 0;'),
    flags: ['-O2', INCLUDE],
    error: { code: 'maps-without-btf', symbol: 'bare' },
  },
];
