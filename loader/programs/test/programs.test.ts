import t from 'tap';
import { compileBpf } from '../../elf/test/compile.ts';
import { assemble } from '../../insn/assemble.ts';
import * as build from '../../insn/build.ts';
import { formatInstruction } from '../../insn/format.ts';
import { formatListing } from '../../insn/listing.ts';
import { LoadError } from '../../load-error.ts';
import { ObjectSpec } from '../../object/object-spec.ts';
import { describeProgramInstruction, disassembleProgram } from '../describe-program.ts';
import { functionSignature } from '../function-signature.ts';
import { annotateVerifierLog, explainPoisons } from '../poison.ts';
import { relocateProgram } from '../relocate.ts';
import { refusedSlot, summarizeVerifierLog, verifierStatistics } from '../verifier-log.ts';
import { testInfo } from './info-tests.ts';
import { testRefusals } from './refusal-tests.ts';

testInfo(t);
testRefusals(t);

const SOURCE = `typedef unsigned int u32; typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
extern const void present __attribute__((section(".ksyms")));
extern void kfunc(void) __attribute__((section(".ksyms"), weak));
struct { int (*type)[1]; int (*max_entries)[16]; u32 *key; u64 *value; } counts SEC(".maps");
static void *(*bpf_map_lookup_elem)(void *, const void *) = (void *)1;
u64 address = 1;
static __attribute__((noinline)) int reads(u32 key) {
  u64 *value = bpf_map_lookup_elem(&counts, &key);
  return *value;
}
SEC("tc") int main_program(void *ctx) {
  address = (u64)&present;
  kfunc();
  return reads(3);
}
char LICENSE[] SEC("license") = "GPL";
`;
const spec = ObjectSpec.parse(
  compileBpf(t.testdir(), 'programs', SOURCE, { flags: ['-O2', '-g', '-mcpu=v2'] }).bytes,
  'programs.o',
);
const program = spec.program('main_program');
const slotOf = (name: string): number =>
  program.references.find((reference) => Object.values(reference).includes(name))?.slot ?? -1;

t.test('a program is listed before its load with the names of what it refers to', (t) => {
  const text = disassembleProgram(spec, program);
  t.match(text.split('\n')[0], 'int main_program(void * ctx):', 'as bpftool writes it');
  t.match(text, /^; address = \(u64\)&present;$/m);
  t.match(text, /^ +\d+: \(18\) r\d = ksym\[present\]$/m);
  t.match(text, /^ +\d+: \(18\) r\d = map\[\.data\]\[0\]\+0$/m);
  t.match(text, /^ +\d+: \(85\) call kfunc#ksym$/m);
  t.match(text, /^ +\d+: \(85\) call pc\+\d+#reads$/m);
  t.match(text, /^int reads\(u32 key\):$/m);
  t.match(text, /^ +\d+: \(85\) call bpf_map_lookup_elem#1$/m);
  const numbered = disassembleProgram(spec, program, { lineNumbers: true, opcodes: true });
  t.match(numbered, /^; kfunc\(\); \[file:.*programs\.c line_num:14 line_col:3\]$/m);
  t.match(numbered, /call bpf_map_lookup_elem#1\n {7}85 00 00 00 01 00 00 00\n/);
  t.end();
});

t.test('an instruction is described with its function and source line', (t) => {
  t.match(describeProgramInstruction(program, slotOf('counts')), {
    text: 'r1 = map[counts]',
    function: 'reads',
    source: { line: 9, text: 'u64 *value = bpf_map_lookup_elem(&counts, &key);', file: /programs\.c$/ },
  });
  t.match(describeProgramInstruction(program, 0), { function: 'main_program', source: { line: 13 } });
  t.equal(describeProgramInstruction(program, 10_000), null);
  t.equal(describeProgramInstruction(program, -1), null);
  const targets = { maps: new Map<string, number>(), resolutions: [], moduleBtfs: new Map<string, number>() };
  t.throws(() => relocateProgram(program, targets), {
    code: 'unresolved-reference',
    where: /symbol main_program, instruction \d+/,
    why: /it is used by `.*` \(programs\.c:\d+: .*\)/,
  });
  const outcome = { result: 'address', address: 1n } as const;
  const resolutions = spec.externs.map(({ name, kind, weak }) => ({ name, kind, weak, outcome }));
  const maps = new Map([['.data', 5]]);
  const object = { maps: spec.maps.map((map) => ({ ...map, autocreate: map.name !== 'counts' })) };
  const { code } = relocateProgram(program, { maps, resolutions, moduleBtfs: new Map<string, number>(), object });
  const index = object.maps.findIndex(({ name }) => name === 'counts');
  for (const slot of [0, 1]) {
    t.equal(
      formatInstruction(code, slotOf('counts') + slot),
      `call unknown#${2_001_000_000 + index}`,
      'a map that was not to be created: the program may do without',
    );
  }
  t.end();
});

t.test('a listing repeats no source line, and takes what is no instruction', (t) => {
  const code = assemble([build.loadImm64(1, 5n), build.mov64Imm(0, 0), build.exit()]);
  const line = { source: '\treturn 0;', file: 'a.c', line: 7, column: 3 };
  const lines = [
    { slot: 0, ...line, source: 'x' },
    { slot: 2, ...line },
  ];
  t.equal(
    formatListing({ code, lines, functions: [{ slot: 0, signature: 'int f()' }] }, { opcodes: true }),
    [
      'int f():',
      '; x',
      '   0: (18) r1 = 0x5',
      '       18 01 00 00 05 00 00 00 00 00 00 00 00 00 00 00',
      '; return 0;',
      '   2: (b7) r0 = 0',
      '       b7 00 00 00 00 00 00 00',
      '   3: (95) exit',
      '       95 00 00 00 00 00 00 00',
      '',
    ].join('\n'),
  );
  t.equal(formatListing({ code: Uint8Array.of(0x01, 0, 0, 0, 0, 0, 0, 0) }), '   0: BUG_ldx_01\n');
  t.equal(
    formatListing({ code: Uint8Array.of(0x18, 1, 0, 0, 0, 0, 0, 0) }).split('\n').length,
    2,
    'a load cut in half',
  );
  t.end();
});

t.test('signatures of functions are bpftool’s', (t) => {
  const source = `struct s; union u { int x; }; enum e { A }; typedef long l;
__attribute__((section("tc"))) int f(const struct s *a, union u *b, enum e c, volatile l *d) { return a && b && c && d; }
__attribute__((section("tc"))) int g(int (*g)(int, char *), int h[3][2]) { return g && h; }
__attribute__((section("tc"))) void v(void) {}`;
  const { btf } = ObjectSpec.parse(compileBpf(t.testdir(), 'signatures', source, { flags: ['-O2', '-g'] }).bytes);
  const signature = (name: string): string => {
    const found = btf?.find(name, 'func');
    return btf === null || found === undefined ? '' : functionSignature(btf, found.id);
  };
  // Expected by hand from __btf_dumper_type_only in tools/bpf/bpftool/btf_dumper.c.
  t.equal(signature('f'), 'int f(const struct s * a, union u * b, enum e c, volatile l * d)');
  t.equal(signature('g'), 'int g(int (int, char *)* g, int [2]* h)');
  t.equal(signature('v'), 'void v()');
  t.end();
});

/** A log as 6.18 and 7.3 write them: seen, shortened. */
const LOG = `arg#0 reference type('UNKNOWN ') size cannot be determined: -22
0: R1=ctx() R10=fp0
; SEC("?tc") int null_check(void *ctx) { u64 x = 3; return reads(&x); } @ bad.bpf.c:14
4: (85) call pc+1
caller:
 R10=fp0 fp-8=3
callee:
 frame1: R1=fp[0]-8 R10=fp0
6: (bf) r6 = r1                       ; frame1: R1=fp[0]-8 R6=fp[0]-8
14: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
`;
const COUNTS = 'processed 13 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0\n';
const REPORT = `
Verification failed: Register Type Safety: Invalid dereference

At:
  Instruction context:
      13 | (85) call bpf_map_lookup_elem#1
  >>> 14 | (79) r1 = *(u64 *)(r0 +0)

`;

t.test('the instruction that the verifier refused is found in its log', (t) => {
  const cases: readonly (readonly [title: string, log: string, slot: number | null])[] = [
    ['the last one that was walked through', LOG + COUNTS, 14],
    ['also with the report of 7.3', LOG + REPORT + COUNTS, 14],
    ['an instruction that the message names', `func#0 @0\nunreachable insn 2\n${COUNTS}`, 2],
    ['a jump out of the program', `0: (b7) r0 = 0\njump out of range from insn 3 to 77\n`, 3],
    [
      'an endless loop, which newer kernels report on the line of an instruction',
      `4: (61) r1 = *(u32 *)(r10 -4)\n8: (c6) if w1 s< 0xa goto pc-5 infinite loop detected at insn 4\ncur state: R1=0 R10=fp0\nold state: R1=0 R10=fp0\n${COUNTS}`,
      4,
    ],
    [
      'no instruction: the path before was found safe',
      `5: (95) exit\nFunc#1 ('x') is safe for any args that match its prototype\nsomething else is wrong\n`,
      null,
    ],
    ['no instruction: another path was found safe', '5: (95) exit\n\nfrom 3 to 4: safe\nsomething is wrong\n', null],
    ['nothing', '', null],
  ];
  for (const [title, log, slot] of cases) t.equal(refusedSlot(log), slot, title);
  t.equal(summarizeVerifierLog(cases[4]?.[1] ?? ''), 'infinite loop detected at insn 4', 'states are no objection');
  const error = new LoadError('load', 'the kernel refuses the program', {
    object: 'x.o',
    program: 'main_program',
    resolutions: [],
    verifierLog: LOG,
    summary: summarizeVerifierLog(LOG),
    ...describedAs(slotOf('counts')),
  });
  t.match(
    error.explain(),
    /invalid mem access 'map_value_or_null'\n {2}at instruction \d+ of reads, `r1 = map\[counts\]` \(programs\.c:9: u64 \*value = /,
  );
  t.end();
});

function describedAs(slot: number) {
  const instruction = describeProgramInstruction(program, slot);
  return instruction === null ? {} : { instruction };
}

t.test('what the verifier counted is read from the log’s end', (t) => {
  t.match(verifierStatistics(`verification time 251 usec\nstack depth 32+0+8\n${COUNTS}`), {
    processed: 13,
    limit: 1_000_000,
    maxStatesPerInstruction: 0,
    totalStates: 1,
    peakStates: 1,
    timeUs: 251,
    stackDepths: [32, 0, 8],
  });
  t.match(verifierStatistics('processed 5 insns, stack depth 0'), { processed: 5, limit: null, timeUs: null });
  // print_verification_stats of 7.3 (kernel/bpf/verifier.c).
  const lines =
    'subprog 0 (go) main insns_self 9 insns_total 13 stack 32\nsubprog 1 (sub) static insns_self 4 insns_total 4 stack 8\n';
  t.match(verifierStatistics(`stack depth max 40\n${lines}${COUNTS}`), { stackDepths: [32, 8] });
  t.equal(verifierStatistics('no such line'), null);
  t.end();
});

t.test('poisoned instructions are explained beside the kernel’s own lines, wherever in the log they stand', (t) => {
  const core = {
    poisoned: [
      { slot: 1, text: 'struct a.b', why: '' },
      { slot: 5, text: 'struct c.d', why: 'its struct c has no d' },
    ],
  };
  const outcome = { result: 'null', reason: 'KFUNC_NOT_FOUND', explanation: '', fix: '' } as const;
  const resolutions = [{ name: 'kfunc', kind: 'kfunc', weak: true, outcome }] as const;
  const context = { core, resolutions, maps: [{ name: 'first' }, { name: 'second' }] };
  const log = `0: (79) r1 = *(u64 *)(r1 +8)\n5: (85) call unknown#195896080\ninvalid func unknown#195896080\n${REPORT}${COUNTS}`;
  const explanation = 'this kernel lacks what the program reads: struct c.d (its struct c has no d)';
  t.equal(
    annotateVerifierLog(log, context),
    log.replace('invalid func unknown#195896080\n', (line) => `${line}↳ ${explanation}\n`),
    'nothing of the kernel’s is changed, and one explanation does for both lines',
  );
  t.match(explainPoisons(log, context), [{ explanation, fix: /bpf_core_field_exists/ }]);
  // The second half of a 64-bit load is poisoned, too.
  t.match(explainPoisons('6: (85) call unknown#195896080\n', context), [{ explanation: /struct c\.d/ }]);
  t.match(explainPoisons('invalid func unknown#2002000000\n', context), [
    {
      explanation: 'kernel function kfunc is weak and missing, and the program calls it',
      fix: /bpf_ksym_exists\(kfunc\)/,
    },
  ]);
  t.match(explainPoisons('invalid func unknown#2001000001\n', context), [
    { explanation: /^map second was not created/, fix: /autocreate of second/ },
  ]);
  t.same(explainPoisons('invalid func unknown#2002000001\n', context), [], 'no extern of ours');
  t.same(explainPoisons('invalid func unknown#99999\n', context), []);
  t.end();
});
