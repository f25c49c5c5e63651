import { join } from 'node:path';
import t from 'tap';
import type { LineInfo } from '../../../loader/btf/ext.ts';
import type { ObjectContent } from '../../../loader/object/spec.ts';
import type { SourceLocation } from '../../results/results.ts';
import { CSource } from '../c-source.ts';
import type { Outcome } from '../outcome.ts';
import { SourceFiles } from '../source-files.ts';
import { locateInSource } from '../source-line.ts';
import { SPEC } from './fake-machine.ts';
import { sampleProgram } from './samples.ts';

/** Line by line, from 1. */
const SOURCE = `// extern const int commented __ksym;
#include <linux/bpf.h>
#include "shared.h"

/* extern const int commented __ksym; { */
extern const struct {
	int nested;
} several,
  lines
  __ksym __weak;
DECLARE_KSYM(by_macro);
__u32 value = 100, jiffies_read;
struct { int x; } table SEC(".maps");

SEC("raw_tp")
int main_program(void *ctx)
{
	int jiffies = 1; // extern int jiffies
	const int *pointer = bpf_this_cpu_ptr(&several);

	value = *pointer;
	value = *pointer;
	return "extern int text __ksym;"[0] + inlined(pointer);
}

extern unsigned long volatile jiffies __ksym;

static int BPF_PROG(other, int argument)
{
	return main_program(0);
}
`;

const HEADER = 'extern const int in_header __ksym;\nstatic inline int inlined(const int *p) { return *p; }\n';

/** Logs as kernels wrote them, shortened; the refused instruction is the fifth. */
const LOGS = {
  '5.10': `arg#0 type is not a struct
Unrecognized arg#0 type PTR
; const int *pointer = bpf_this_cpu_ptr(&several);
0: (18) r1 = 0x0
2: (85) call bpf_this_cpu_ptr#154
R1 type=inv expected=percpu_ptr_
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
  '6.1': `0: R1=ctx(off=0,imm=0) R10=fp0
; const int *pointer = bpf_this_cpu_ptr(&several);
1: (18) r1 = 0x2c3f0                  ; R1_w=percpu_ptr_int(off=0,imm=0)
4: (85) call bpf_per_cpu_ptr#153      ; R0_w=rdonly_mem_or_null(id=1,off=0,imm=0)
; value = *pointer;
5: (61) r1 = *(u32 *)(r0 +0)
R0 invalid mem access 'rdonly_mem_or_null'
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
  '6.12': `0: R1=ctx() R10=fp0
; const int *pointer = bpf_this_cpu_ptr(&several); @ p.bpf.c:19
1: (18) r1 = 0x2f470                  ; R1_w=percpu_ptr_int()
; value = *pointer; @ p.bpf.c:22
5: (61) r1 = *(u32 *)(r0 +0)
R0 invalid mem access 'rdonly_mem_or_null'
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
  '7.3': `0: R1=ctx() R10=fp0
; value = *pointer; @ p.bpf.c:22
5: (61) r1 = *(u32 *)(r0 +0)
R0 invalid mem access 'rdonly_mem_or_null'

Verification failed: Register Type Safety: Invalid dereference

At:
  main_program @ p.bpf.c:22:10
  Instruction context:
       3 | (bc) w2 = w0
>>> 5 | (61) r1 = *(u32 *)(r0 +0)

Causal path:
; value = *pointer; @ p.bpf.c:21
6: (18) r2 = 0xffff8ecbc1e4c328

processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
} as const;

function lineInfo(slot: number, line: number, file: string): LineInfo {
  return { slot, line, file, column: 1, source: '', fileNameOffset: 0, sourceOffset: 0 };
}

/** An object whose program has its instructions on these lines. */
function specWith(lines: readonly LineInfo[], names: readonly string[] = ['main_program']): ObjectContent {
  const [program] = SPEC.programs;
  if (program === undefined) throw new TypeError('there is a program');
  return { ...SPEC, programs: names.map((name) => ({ ...program, name, lines })) };
}

const FAILED: Outcome = { phase: 'resolve', class: 'ksym-not-in-btf', message: '', resolutions: [] };

t.test('the line of the C source that decided a cell is found', async (t) => {
  const folder = t.testdir({
    repository: { bpf: { 'p.bpf.c': SOURCE, 'shared.h': HEADER } },
    outside: { 'o.h': '\n\n' },
  });
  const root = join(folder, 'repository');
  const source = join(root, 'bpf', 'p.bpf.c');
  const files = new SourceFiles(root);
  const locate = (
    outcome: Partial<Outcome>,
    spec: ObjectContent | null = specWith([]),
    warnings = '',
  ): Promise<SourceLocation | null> =>
    locateInSource({ program: { ...sampleProgram('p'), source }, spec, warnings }, { ...FAILED, ...outcome }, files);

  t.same(
    await locate({ extern: 'several' }),
    { path: 'bpf/p.bpf.c', line: 8, text: '} several,', about: 'extern several is declared here' },
    'a declaration of several lines: the one with the name',
  );
  const lineOf = async (...cell: Parameters<typeof locate>): Promise<string | null> => {
    const found = await locate(...cell);
    return found === null ? null : `${found.path}:${found.line} ${found.about}`;
  };
  t.equal(
    await lineOf({ extern: 'jiffies' }),
    'bpf/p.bpf.c:26 extern jiffies is declared here',
    'not the variable of a function',
  );
  t.equal(await lineOf({ extern: 'by_macro' }), 'bpf/p.bpf.c:11 extern by_macro is named here');
  t.equal(await lineOf({ extern: 'in_header' }), 'bpf/shared.h:1 extern in_header is declared here');
  const unknown = "failed to find the address for kernel symbol 'lines'\n";
  t.match(await lineOf({ phase: 'load', class: 'ksym-address-unavailable', verifierLog: unknown }), /:9 extern lines /);
  const nowhere = await lineOf({ extern: 'commented' }, specWith([], ['main_program', 'other']));
  t.equal(nowhere, null, 'comments declare nothing, and which of two functions it was is not known');

  const refused = { phase: 'load', class: 'verifier-rejected', program: 'main_program' } as const;
  const spec = specWith([
    lineInfo(0, 19, 'p.bpf.c'),
    lineInfo(5, 22, './p.bpf.c'),
    lineInfo(7, 2, 'shared.h'),
    lineInfo(9, 9, '/usr/include/x.h'),
  ]);
  for (const kernel of ['6.1', '6.12', '7.3'] as const) {
    const found = await lineOf({ ...refused, verifierLog: LOGS[kernel] }, spec);
    t.equal(found, 'bpf/p.bpf.c:22 the verifier refuses this', `by the instruction's number on ${kernel}`);
  }
  t.equal(await lineOf({ ...refused, verifierLog: LOGS['5.10'] }, spec), 'bpf/p.bpf.c:19 the verifier refuses this');
  t.match(
    await lineOf({ ...refused, verifierLog: '8: (61) r1 = *(u32 *)(r0 +0)\nno\n' }, spec),
    /^bpf\/shared\.h:2 the verifier refuses this/,
  );
  t.match(
    await lineOf(
      { ...refused, verifierLog: '10: (61) r1 = *(u32 *)(r0 +0)\nno\n' },
      specWith([lineInfo(5, 22, 'p.bpf.c'), lineInfo(9, 9, '/usr/include/x.h')]),
    ),
    'bpf/p.bpf.c:22 the verifier refuses what this line calls',
    'a header of the system is no line to write at',
  );
  const last = 'the last line that the verifier speaks of';
  t.equal(
    await lineOf({ ...refused, verifierLog: LOGS['6.12'] }),
    `bpf/p.bpf.c:22 ${last}`,
    'without line information',
  );
  t.equal(await lineOf({ ...refused, verifierLog: LOGS['5.10'] }), `bpf/p.bpf.c:19 ${last}`);
  const loaded = 'bpf/p.bpf.c:16 main_program was loaded when it happened';
  t.equal(await lineOf({ ...refused, verifierLog: LOGS['6.1'] }), loaded, 'two lines read so');
  t.equal(await lineOf({ ...refused, verifierLog: 'unknown opcode 00\n' }, spec), loaded);

  const values = [
    {
      program: 'main_program',
      cpu: 0,
      variable: 'jiffies_read',
      value: '0x1',
      relation: 'equals',
      truth: '0x2',
      holds: false,
    },
  ] as const;
  t.match(
    await lineOf({ phase: 'check', class: 'wrong-value', values }),
    ':12 jiffies_read, which is wrong, is declared here',
  );
  t.equal(
    await lineOf({ phase: 'run', class: 'kernel-panic' }),
    'bpf/p.bpf.c:16 main_program was loaded or run when it happened',
  );
  t.match(await lineOf({ phase: 'run', class: 'test-run-failed', program: 'other' }), ':28 other was loaded or run');
  for (const silent of [{ class: 'ok' }, { class: 'infra' }, { phase: 'boot', class: 'vm-silent' }] as const)
    t.equal(await lineOf(silent), null);

  const compile = { phase: 'compile', class: 'compile-failed' } as const;
  const printed = "p.bpf.c:3:1: warning: odd\np.bpf.c:21:10: error: use of undeclared identifier 'x'\n\tvalue = x;\n";
  t.equal(await lineOf(compile, null, printed), "bpf/p.bpf.c:21 clang: use of undeclared identifier 'x'");
  t.equal(
    await lineOf(compile, null, 'In file included from p.bpf.c:3:\n./shared.h:2:1: error: no\n'),
    'bpf/shared.h:2 clang: no',
  );
  const system = 'In file included from p.bpf.c:2:\n/usr/include/linux/bpf.h:11:10: fatal error: file not found\n';
  t.equal(await lineOf(compile, null, system), 'bpf/p.bpf.c:2 clang, in a header included here: file not found');
  t.equal(await lineOf(compile, null, 'clang: error: no such file\n'), null);

  const outside = new SourceFiles(join(folder, 'outside'));
  const told = await locateInSource(
    { program: { ...sampleProgram('p'), source }, spec: null, warnings: '' },
    { ...FAILED, extern: 'jiffies' },
    outside,
  );
  t.equal(told?.path, '../repository/bpf/p.bpf.c', 'outside of the repository, and yet no path of this machine');
  const gone = await locateInSource(
    { program: sampleProgram('gone'), spec: null, warnings: '' },
    { ...FAILED, extern: 'x' },
    files,
  );
  t.equal(gone, null);
});

t.test('C is read as far as lines need it, whatever the file holds', (t) => {
  const hostile = new CSource(`int a; /* never closed\nextern int b __ksym;`);
  t.same([hostile.findExtern('b'), hostile.findVariable('a'), hostile.findWord('b')], [null, 1, null]);
  const odd = new CSource(
    '}}} {{\nextern int deep __ksym;\n}}\nextern int after __ksym; // "\n#define OPEN {\n#define MORE \\\n  {\nextern int last __ksym;',
  );
  t.same(
    ['deep', 'after', 'last'].map((name) => odd.findExtern(name)),
    [null, 4, 8],
    'braces of macros open nothing',
  );
  t.equal(new CSource('extern int a$b __ksym;').findExtern('b'), null);
  t.equal(new CSource('extern int x;').findExtern('.*'), null);
  const started = performance.now();
  const large = new CSource(`${'/*'.repeat(50_000)}\n${'"'.repeat(50_000)}\n${'{'.repeat(50_000)}extern int x __ksym;`);
  t.equal(large.findExtern('x'), null);
  t.ok(performance.now() - started < 2000, 'in no time');
  t.end();
});
