import { summarizeVerifierLog, verifierLogText } from '../../../loader/programs/verifier-log.ts';
import { resolveExterns } from '../../../loader/resolve/externs.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import { kconfigData, resolveKconfig } from '../../../loader/resolve/kconfig.ts';
import { KernelConfig } from '../../../loader/resolve/kernel-config.ts';
import { kernelVersionCode } from '../../../loader/resolve/kernel-version.ts';
import { type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

/** Every input is held against as many objects, the fuzzer's own first. */
const MOST_OBJECTS = 10;

/** `/proc/kallsyms`, searched for every extern of the seeds. */
export function kallsymsTarget({ kallsyms: bytes, specs, facts }: Context): Target {
  const objects = specs.filter(({ externs }) => externs.length > 0).slice(0, MOST_OBJECTS);
  return {
    name: 'kallsyms',
    seeds: [{ name: 'kallsyms', bytes, fields: [] }],
    words: ['\t[module]', '\n', ' ', 'ffffffff81000000 T ', '.llvm.1', '[', ']', '0000000000000000'].map(encode),
    run: (input, refusals) => {
      const kallsyms = refusals.attemptTwice(() => Kallsyms.parse(input));
      if (kallsyms === undefined) return;
      refusals.accepted = true;
      for (const name of ['jiffies', 's_show', 'hashed', 'f1', '', '\n']) kallsyms.find(name);
      for (const spec of objects) refusals.attempt(() => resolveExterns(spec, { ...facts, kallsyms }));
      const hidden = kallsyms.withoutAddresses();
      if (hidden.count !== kallsyms.count)
        throw new Violation('wrong-count', `${hidden.count} of ${kallsyms.count} lines`);
      const shown = hidden.find('jiffies').find(({ address }) => address !== 0n);
      if (shown !== undefined) throw new Violation('not-hidden', `${shown.address}`);
    },
  };
}

/** A kernel's configuration and its version, asked for every `__kconfig` extern of the seeds. */
export function kconfigTarget({ specs }: Context): Target {
  const objects = specs.filter(({ kconfig }) => kconfig.length > 0).slice(0, MOST_OBJECTS);
  return {
    name: 'kconfig',
    seeds: [{ name: 'config', bytes: encode(CONFIG), fields: [] }],
    words: ['CONFIG_HZ=', 'CONFIG_BPF_JIT=', '"', '\\', '0x', '-', '=y', '=m', '\n', '18446744073709551616'].map(
      encode,
    ),
    run: (input, refusals) => {
      const text = new TextDecoder().decode(input);
      const config = KernelConfig.parse(text, 'config');
      refusals.accepted = true;
      const version = kernelVersionCode({ release: text.slice(0, 64), version: text, signature: text });
      if (version !== null && (!Number.isSafeInteger(version) || version < 0))
        throw new Violation('wrong-version', `${version}`);
      const facts = { configs: [config], missingConfigs: [], version, bpfCookie: null, syscallWrapper: null };
      for (const spec of objects) {
        const resolutions = refusals.attempt(() => resolveKconfig(spec, facts));
        if (resolutions === undefined) throw new Violation('not-resolved', 'a configuration was refused');
        kconfigData(spec, resolutions);
      }
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

const CONFIG = `6.1.0-18-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.76-1 (2024-02-01)
# Automatically generated file; DO NOT EDIT.
CONFIG_HZ=250
CONFIG_BPF_JIT=y
# CONFIG_BPF_PRELOAD is not set
CONFIG_DEFAULT_HOSTNAME="(none)"
CONFIG_ILLEGAL_POINTER_VALUE=0xdead000000000000
CONFIG_NET=m
`;

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
