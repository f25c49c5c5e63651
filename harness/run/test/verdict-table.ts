import type { Expectation } from '../../config/schema.ts';
import type { Verdict } from '../../results/verdicts.ts';
import type { Outcome } from '../outcome.ts';
import { OK } from './samples.ts';

/** What the verifier says to a write into a read-only per-CPU variable, on 6.12. */
export const REFUSED: Outcome = {
  phase: 'load',
  class: 'verifier-rejected',
  errno: 'EACCES',
  message: 'the verifier refused the program',
  resolutions: [
    {
      name: 'bpf_prog_active',
      kind: 'typed',
      weak: false,
      outcome: { result: 'btf-id', id: 7, module: null, type: 'int', declaration: 'extern int x;' },
    },
  ],
  verifierLog: '2: (63) *(u32 *)(r0 +0) = r1\nR0 cannot write into rdonly_mem\n',
};
const MISSING: Outcome = {
  phase: 'resolve',
  class: 'ksym-not-in-btf',
  extern: 'nowhere',
  message: 'nowhere: not in BTF',
  resolutions: [],
};
export const failure = (kind: Outcome['class'], phase: Outcome['phase'] = 'run'): Outcome => ({
  phase,
  class: kind,
  message: `it was ${kind}`,
  resolutions: [],
});

// Each: what happens, what was expected of it, the verdict, and what the reason must say.
export const TABLE: readonly (readonly [string, Outcome, Omit<Expectation, 'reason'> | undefined, Verdict, RegExp])[] =
  [
    ['what works, as expected', OK, { outcome: 'works' }, 'pass', /because I say so/],
    [
      'what fails, exactly as expected',
      REFUSED,
      { outcome: { phase: 'load', class: 'verifier-rejected' } },
      'xfail',
      /because I say so/,
    ],
    [
      'a failure that matches in everything that is named',
      REFUSED,
      { outcome: { phase: 'load', class: 'verifier-rejected', errno: 'EACCES', log: ['R0', 'rdonly_mem'] } },
      'xfail',
      /verifier refused/,
    ],
    [
      'a missing extern that was named',
      MISSING,
      { outcome: { phase: 'resolve', class: 'ksym-not-in-btf', extern: 'nowhere' } },
      'xfail',
      /nowhere/,
    ],
    ['a failure of what should work', REFUSED, { outcome: 'works' }, 'fail', /the verifier refused/],
    [
      'success of what should fail',
      OK,
      { outcome: { phase: 'load', class: 'verifier-rejected' } },
      'xpass',
      /works, but verifier-rejected in phase load was expected/,
    ],
    [
      'a failure in the wrong phase',
      REFUSED,
      { outcome: { phase: 'run', class: 'verifier-rejected' } },
      'fail',
      /expected verifier-rejected in phase run, but it was verifier-rejected in phase load/,
    ],
    [
      'a failure of the wrong class',
      MISSING,
      { outcome: { phase: 'resolve', class: 'ksym-not-in-kallsyms' } },
      'fail',
      /but it was ksym-not-in-btf/,
    ],
    [
      'the wrong errno',
      REFUSED,
      { outcome: { phase: 'load', class: 'verifier-rejected', errno: 'EINVAL' } },
      'fail',
      /errno EINVAL, but it was EACCES/,
    ],
    [
      'an errno where there is none',
      MISSING,
      { outcome: { phase: 'resolve', class: 'ksym-not-in-btf', errno: 'ENOENT' } },
      'fail',
      /errno ENOENT, but it was none/,
    ],
    [
      'a log without the text',
      REFUSED,
      { outcome: { phase: 'load', class: 'verifier-rejected', log: ['rdonly_mem', 'R7'] } },
      'fail',
      /"R7" in the verifier log/,
    ],
    [
      'the wrong extern',
      MISSING,
      { outcome: { phase: 'resolve', class: 'ksym-not-in-btf', extern: 'other' } },
      'fail',
      /extern other, but it was nowhere/,
    ],
    [
      'an extern resolved as expected',
      { ...OK, resolutions: REFUSED.resolutions },
      { outcome: 'works', externs: { bpf_prog_active: 'btf-id' } },
      'pass',
      /./,
    ],
    [
      'an extern resolved otherwise',
      { ...OK, resolutions: REFUSED.resolutions },
      { outcome: 'works', externs: { bpf_prog_active: 'null' } },
      'fail',
      /to null, but it resolved to btf-id/,
    ],
    [
      'an extern that the object lacks',
      OK,
      { outcome: 'works', externs: { gone: 'address' } },
      'fail',
      /no such extern/,
    ],
    [
      'a failure as expected with an extern resolved otherwise',
      REFUSED,
      { outcome: { phase: 'load', class: 'verifier-rejected' }, externs: { bpf_prog_active: 'address' } },
      'fail',
      /to address/,
    ],
    ['a panic of what should work', failure('kernel-panic'), { outcome: 'works' }, 'panic', /kernel-panic/],
    ['an oops of what should work', failure('kernel-oops'), { outcome: 'works' }, 'panic', /kernel-oops/],
    [
      'a panic where a refusal was expected',
      failure('kernel-panic'),
      { outcome: { phase: 'load', class: 'verifier-rejected' } },
      'panic',
      /but it was kernel-panic/,
    ],
    [
      'a panic that was expected',
      failure('kernel-panic'),
      { outcome: { phase: 'run', class: 'kernel-panic' } },
      'xfail',
      /./,
    ],
    ['silence', failure('vm-silent'), { outcome: 'works' }, 'timeout', /vm-silent/],
    [
      'silence where a refusal was expected',
      failure('vm-silent'),
      { outcome: { phase: 'load', class: 'verifier-rejected' } },
      'timeout',
      /./,
    ],
    [
      'a fault of the harness, even where something else was expected',
      failure('infra'),
      { outcome: { phase: 'load', class: 'verifier-rejected' } },
      'infra',
      /./,
    ],
    ['a fault of the harness in a cell that nothing covers', failure('infra'), undefined, 'infra', /./],
    [
      'a panic in a cell that nothing covers',
      failure('kernel-panic'),
      undefined,
      'panic',
      /no expectation covers this cell/,
    ],
    ['success in a cell that nothing covers', OK, undefined, 'fail', /no expectation covers this cell/],
    [
      'a failure in a cell that nothing covers',
      REFUSED,
      undefined,
      'fail',
      /no expectation covers this cell.*the verifier refused/,
    ],
  ];
