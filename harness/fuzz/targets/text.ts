import { summarizeVerifierLog, verifierLogText } from '../../../loader/programs/verifier-log.ts';
import { resolveExterns } from '../../../loader/resolve/externs.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import { type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

/** `/proc/kallsyms`, searched for every extern of the seeds. */
export function kallsymsTarget({ kallsyms: bytes, specs, facts }: Context): Target {
  return {
    name: 'kallsyms',
    seeds: [{ name: 'kallsyms', bytes, fields: [] }],
    words: ['\t[module]', '\n', ' ', 'ffffffff81000000 T ', '.llvm.1', '[', ']', '0000000000000000'].map(encode),
    run: (input, refusals) => {
      const kallsyms = refusals.attemptTwice(() => Kallsyms.parse(input));
      if (kallsyms === undefined) return;
      refusals.accepted = true;
      for (const name of ['jiffies', 's_show', 'hashed', 'f1', '', '\n']) kallsyms.find(name);
      for (const spec of specs) refusals.attempt(() => resolveExterns(spec, { ...facts, kallsyms }));
      const hidden = kallsyms.withoutAddresses();
      if (hidden.count !== kallsyms.count)
        throw new Violation('wrong-count', `${hidden.count} of ${kallsyms.count} lines`);
      const shown = hidden.find('jiffies').find(({ address }) => address !== 0n);
      if (shown !== undefined) throw new Violation('not-hidden', `${shown.address}`);
    },
  };
}

/** The verifier's log, which is text that a program's author has a hand in: names and source lines stand in it. */
export function verifierLogTarget(): Target {
  return {
    name: 'verifier-log',
    seeds: [{ name: 'log', bytes: encode(LOG), fields: [] }],
    words: ['processed 12 insns', '\n', '; ', '0: (', 'Verification failed:', 'R0=', '\0'].map(encode),
    run: (input, refusals) => {
      refusals.accepted = true;
      const text = verifierLogText(input);
      if (summarizeVerifierLog(text).length > text.length * 2) throw new Violation('wrong-size', 'more than there was');
    },
  };
}

const LOG = `func#0 @0
0: R1=ctx(off=0,imm=0) R10=fp0
; const struct rq *rq = bpf_per_cpu_ptr(&runqueues, 0);
0: (18) r1 = 0x0                      ; R1_w=percpu_ptr_rq(off=0,imm=0)
2: (b7) r2 = 0                        ; R2_w=0
3: (85) call bpf_per_cpu_ptr#153      ; R0_w=ptr_or_null_rq(id=1,off=0,imm=0)
from 5 to 9: R0=scalar() R10=fp0
; return rq->cpu;
4: (61) r0 = *(u32 *)(r0 +2588)
R0 invalid mem access 'ptr_or_null_'
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
