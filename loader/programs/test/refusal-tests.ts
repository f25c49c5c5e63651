import type { Test } from 'tap';
import { LoadError } from '../../load-error.ts';
import type { ExternResolution } from '../../resolve/outcome.ts';
import { adviseOnRefusal } from '../refusal-advice.ts';
import { kernelSuggestion, summarizeVerifierLog } from '../verifier-log.ts';

/** What the verifier wrote of a program that goes wrong in one way, on the kernels named, and what the advice says. */
const REFUSALS: readonly (readonly [kernels: string, objection: string, advice: RegExp])[] = [
  ['6.12, 7.3', "R0 invalid mem access 'ptr_or_null_'", /may be NULL there/],
  ['5.10', "R0 invalid mem access 'map_value_or_null'", /may be NULL there/],
  ['6.1 to 7.3', 'R1 is ptr_int access percpu memory: off=0', /bpf_this_cpu_ptr\(&variable\)/],
  ['5.10', "R1 invalid mem access 'percpu_ptr_'", /bpf_this_cpu_ptr\(&variable\)/],
  ['6.12, 7.3', "R1 cannot write into rdonly_mem; Caller passes invalid args into func#1 ('writes')", /make it static/],
  ['6.1 to 7.3', 'R0 cannot write into rdonly_mem', /not write/],
  ['6.1 to 7.3', 'only read is supported', /not write/],
  ['6.1 to 7.3', "R1 invalid mem access 'scalar'", /bpf_probe_read_kernel\(\)/],
  ['5.10', "R1 invalid mem access 'inv'", /bpf_probe_read_kernel\(\)/],
  ['5.10 to 7.3', 'cannot call GPL-restricted function from non-GPL compatible program', /"GPL"/],
  ['6.12', 'calling kernel function bpf_task_acquire is not allowed', /kernel\.features\.kfunc\(/],
  ['5.10', 'BPF_CALL uses reserved fields', /Linux 5\.13/],
  ['5.10', 'unknown func bpf_get_current_task#35', /kernel\.features\.helper\(/],
  ['7.3', 'program of this type cannot use helper bpf_get_current_task#35', /kernel\.features\.helper\(/],
  ['5.10 to 7.3', 'infinite loop detected at insn 3', /bound that the verifier sees/],
  [
    '5.10 to 7.3',
    'invalid access to map value, value_size=8 off=12 size=1; R1 min value is outside of the allowed memory range',
    /with the size/,
  ],
  ['5.10 to 7.3', 'Unreleased reference id=2 alloc_insn=4', /every path/],
  ['5.10 to 7.3', 'R5 !read_ok', /initialise/],
  ['5.10 to 7.3', 'invalid write to stack R10 off=-600 size=8', /512 bytes/],
  ['6.1 to 7.3', 'BPF program is too large. Processed 1000001 insn', /every path/],
];

/** Tests of what a person is told to do about a refusal. */
export function testRefusals(t: Test): void {
  t.test('what the verifier objects to most comes with advice', (t) => {
    for (const [kernels, objection, advice] of REFUSALS) {
      t.match(adviseOnRefusal(objection, []), advice, `${objection} (${kernels})`);
    }
    t.equal(
      adviseOnRefusal('R0 leaks addr as return value', []),
      null,
      'nothing is said that the verifier says itself',
    );
    t.end();
  });

  t.test('a number in place of a variable’s address is put down to the weak extern that is missing', (t) => {
    const outcome = { result: 'null', reason: 'VAR_NOT_IN_BTF', explanation: '', fix: '' } as const;
    const gone: ExternResolution = { name: 'gone', kind: 'typed', weak: true, outcome };
    // 6.12, typed-weak-unguarded.bpf.c.
    const objection = 'R1 type=scalar expected=percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_';
    t.match(adviseOnRefusal(objection, [gone]), /^gone is weak and missing .* `if \(&gone\)` before use\.$/);
    t.match(adviseOnRefusal(objection, [{ ...gone, kind: 'kfunc' }]), /`&variable`, of an extern/);
    t.match(adviseOnRefusal('R5 !read_ok', [gone]), /initialise/, 'other objections have nothing to do with it');
    t.end();
  });

  t.test('the kernel’s own suggestion is found, and registers of 5.10 are no objection', (t) => {
    const report =
      'x\n\nVerification failed: A: B\n\nReason:\n  R0.\n\nSuggestion:\n  Add a NULL check before the access and\n  dereference later.\n\nprocessed 4 insns\n';
    t.equal(kernelSuggestion(report), 'Add a NULL check before the access and dereference later.');
    t.equal(kernelSuggestion('R5 !read_ok\nprocessed 1 insns\n'), null);
    const log =
      '10: (71) r0 = *(u8 *)(r1 +12)\n R0_w=inv0 R1_w=map_value(id=0,off=0,ks=4,vs=8,imm=0) R10=fp0\ninvalid access to map value, value_size=8 off=12 size=1\n';
    t.equal(summarizeVerifierLog(log), 'invalid access to map value, value_size=8 off=12 size=1');
    t.end();
  });

  t.test('of several externs that cannot be had, each has its own line and what to do', (t) => {
    const missing = (name: string): ExternResolution => ({
      name,
      kind: 'typed',
      weak: false,
      outcome: {
        result: 'error',
        reason: 'VAR_NOT_IN_BTF',
        explanation: `${name} is not there.`,
        fix: `Do without ${name}.`,
      },
    });
    const error = new LoadError('resolve', 'cannot resolve externs a, b', {
      object: 'x.o',
      resolutions: [missing('a'), missing('b')],
      summary: 'one and the other',
      fix: 'this and that',
    });
    t.equal(
      error.explain(),
      [
        'x.o: cannot resolve externs a, b:',
        '  VAR_NOT_IN_BTF: a is not there.',
        '    → Do without a.',
        '  VAR_NOT_IN_BTF: b is not there.',
        '    → Do without b.',
      ].join('\n'),
    );
    t.end();
  });
}
