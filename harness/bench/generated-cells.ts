import type { CellResult, ExternResult, KernelResult, ObservedValue, ProgramResult } from '../results/results.ts';
import type { Verdict } from '../results/verdicts.ts';

const RED: readonly Verdict[] = ['fail', 'fail', 'fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky'];

const NO_EVIDENCE = { console: null, cellConsole: null, resolution: null, verifierLog: null, values: null };

const PANIC_LINES = [
  '[   12.301114] BUG: unable to handle page fault for address: ffff888003a91000',
  '[   12.301220] Oops: 0000 [#1] SMP',
  '[   12.302900] RIP: 0010:bpf_prog_run+0x2a/0x80',
  '[   12.304117] Kernel panic - not syncing: Fatal exception',
];

/** Facts that all generated kernels share: as many as a real one has. */
export const GENERATED_FACTS: Readonly<Record<string, string | number | boolean>> = {
  build: '#1 SMP Debian',
  compiler: 'gcc 10.2.1',
  'btf.present': true,
  'kallsyms.readable': true,
  'kallsyms.symbols': 98_210,
  lsm: 'lockdown,capability,yama,apparmor,tomoyo',
  ...Object.fromEntries(
    Array.from({ length: 80 }, (_, index) => [`config.OPTION_${index + 1}`, index % 3 === 0 ? 'n' : 'y']),
  ),
};

/** What makes a cell. */
export interface GeneratedCellOptions {
  readonly kernel: KernelResult;
  readonly program: ProgramResult;
  readonly loader: string;
  /** Whether the program is meant to work on the kernel. */
  readonly works: boolean;
  readonly redEvery: number;
  readonly random: () => number;
}

/** A cell as a run would have found it. */
export function generatedCell({ kernel, program, loader, works, redEvery, random }: GeneratedCellOptions): CellResult {
  const red = random() * redEvery < 1;
  const verdict = red ? (RED[Math.floor(random() * RED.length)] ?? 'fail') : works ? 'pass' : 'xfail';
  const shared = sharedParts(program);
  const ended = verdict === 'pass' || verdict === 'xpass' || verdict === 'flaky';
  const crashed = verdict === 'panic' || verdict === 'timeout';
  const refused = !ended && !crashed && verdict !== 'infra';
  return {
    kernel: kernel.name,
    loader,
    program: program.name,
    variant: 'default',
    outcome: outcomeOf(verdict, shared),
    verdict,
    why: red ? 'it ended otherwise than expected' : works ? WORKS : shared.reason,
    expected: works ? shared.expectedToWork : shared.expectedToFail,
    durationMs: 20 + Math.floor(random() * 400) / 10,
    externs: refused ? shared.missing : shared.externs,
    values: ended ? shared.values : NONE,
    verifierLog: refused ? shared.verifierLog : null,
    console: crashed ? PANIC_LINES : NONE,
    location: red ? shared.location : null,
    evidence: NO_EVIDENCE,
    splats: verdict === 'panic' ? SPLATS : NONE,
    leftovers: verdict === 'timeout' ? LEFTOVERS : NONE,
    ...(verdict === 'flaky' ? { attempts: ATTEMPTS } : {}),
  };
}

const NONE: readonly never[] = [];

const WORKS = 'BTF lists the variable, and the kernel resolves it.';

const SPLATS: CellResult['splats'] = [
  { rule: 'page-fault', kind: 'oops', text: 'BUG: unable to handle page fault', allowed: null, lines: PANIC_LINES },
];

const LEFTOVERS = ['the agent did not answer'];

const ATTEMPTS: CellResult['attempts'] = [
  { verdict: 'fail', class: 'wrong-value', why: 'value was 3', durationMs: 12, console: null, evidence: NO_EVIDENCE },
  { verdict: 'pass', class: 'ok', why: 'as expected', durationMs: 13, console: null, evidence: NO_EVIDENCE },
];

/** What the cells of one program have in common. */
interface SharedParts {
  readonly reason: string;
  readonly expectedToWork: CellResult['expected'];
  readonly expectedToFail: CellResult['expected'];
  readonly externs: readonly ExternResult[];
  readonly missing: readonly ExternResult[];
  readonly values: readonly ObservedValue[];
  readonly verifierLog: string;
  readonly location: CellResult['location'];
  readonly outcomes: Map<Verdict, CellResult['outcome']>;
}

const madeParts = new WeakMap<ProgramResult, SharedParts>();

function sharedParts(program: ProgramResult): SharedParts {
  const made = madeParts.get(program) ?? makeParts(program);
  madeParts.set(program, made);
  return made;
}

function makeParts({ name, source }: ProgramResult): SharedParts {
  const symbol = `symbol_${Number(name.slice(-3))}`;
  const reason = `This kernel does not list ${symbol} in its BTF: it was built with a pahole that knows no variables (before 1.22).`;
  const failure = { phase: 'load', class: 'verifier-rejected', errno: 'EACCES' };
  const address = `0xffffffff81${Number(name.slice(-3)).toString(16).padStart(6, '0')}`;
  const value = {
    program: name,
    cpu: 0,
    variable: 'address',
    value: address,
    relation: 'equals',
    truth: address,
  } as const;
  return {
    reason,
    expectedToWork: { outcome: 'works', reason: WORKS, source: `programs/${name}.yaml expect[0]` },
    expectedToFail: { outcome: failure, reason, source: `programs/${name}.yaml expect[1]` },
    externs: [{ name: symbol, kind: 'typeless', weak: false, result: 'address', address }],
    missing: [
      { name: symbol, kind: 'typed', weak: true, result: 'null', reason: 'NO_VARS_IN_KERNEL_BTF', explanation: reason },
    ],
    values: [{ ...value, holds: true }],
    verifierLog: [
      'arg#0 type is not a struct',
      `; address = (__u64)&${symbol};`,
      '0: (18) r1 = 0x0',
      '2: (85) call bpf_this_cpu_ptr#154',
      'R1 type=inv expected=percpu_ptr_',
      'processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0',
      '',
    ].join('\n'),
    location: {
      path: source,
      line: 5,
      text: `extern const int ${symbol} __ksym;`,
      about: 'the extern is declared here',
    },
    outcomes: new Map(),
  };
}

function outcomeOf(verdict: Verdict, { outcomes }: SharedParts): CellResult['outcome'] {
  const made = outcomes.get(verdict) ?? makeOutcome(verdict);
  outcomes.set(verdict, made);
  return made;
}

function makeOutcome(verdict: Verdict): CellResult['outcome'] {
  switch (verdict) {
    case 'pass':
    case 'xpass':
    case 'flaky':
      return { phase: 'check', class: 'ok', message: '1 value is as it should be' };
    case 'panic':
      return { phase: 'run', class: 'kernel-panic', message: 'the kernel panicked: Fatal exception' };
    case 'timeout':
      return { phase: 'run', class: 'vm-silent', message: 'the machine said nothing for 30 s' };
    case 'infra':
      return { phase: 'boot', class: 'infra', fault: 'qemu-ended', message: 'QEMU ended with exit code 1' };
    case 'fail':
    case 'xfail':
      return {
        phase: 'load',
        class: 'verifier-rejected',
        message: 'the kernel refuses the program: EACCES: R1 type=inv expected=percpu_ptr_',
        errno: 'EACCES',
      };
  }
}
