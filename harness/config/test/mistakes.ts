import { PROGRAM } from './matrix-folder.ts';

/** Each: what is wrong, matrix.yaml, where it is (line:column, counted by hand from one), what is said about it. */
export const MATRIX_MISTAKES: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a key that is not known, with the nearest one',
    'kernels: [{debian: "6.12", flavor: cloud}]\nprograms: [one]\n',
    '1:28',
    /unknown key "flavor" \(did you mean "flavour"\?\)/,
  ],
  [
    'a key at the top that is not known',
    'kernels: [{debian: "6.12"}]\nprogramms: [one]\nprograms: [one]\n',
    '2:1',
    /unknown key "programms" \(did you mean "programs"\?\)/,
  ],
  [
    'a key deep inside that resembles none, with all that are known',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nmachine:\n  memory: 512\n  zzzzzzzz: 1\n',
    '5:3',
    /unknown key "zzzzzzzz" \(known: memory, cpus\)/,
  ],
  [
    'a range that is not understood',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - kernel: ">= six"\n    outcome: works\n    reason: for the sake of it\n',
    '4:13',
    /">=six" in the kernel range ">= six" is not understood/,
  ],
  [
    'a program that is not there',
    'kernels: [{debian: "6.12"}]\nprograms:\n  - one\n  - onne\n',
    '4:5',
    /unknown program "onne" \(did you mean "one"\?\)/,
  ],
  [
    'a program that is listed twice',
    'kernels: [{debian: "6.12"}]\nprograms: [one, one]\n',
    '2:17',
    /program "one" is listed twice/,
  ],
  [
    'a kernel that is listed twice',
    'kernels:\n  - debian: "6.12"\n  - debian: "6.12"\nprograms: [one]\n',
    '3:5',
    /kernel "6.12" is listed twice/,
  ],
  [
    'an exception for a variant that is not there',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants: {strict: {}}\nexceptions: [{variant: stirct, outcome: works, reason: for the sake of it}]\n',
    '4:24',
    /unknown variant "stirct" \(did you mean "strict"\?\)/,
  ],
  [
    'an exception for a program that the matrix does not run',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions: [{program: two, outcome: works, reason: for the sake of it}]\n',
    '3:24',
    /unknown program "two"/,
  ],
  [
    'an exception on a fact that is not there',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - btf.var: 0\n    outcome: works\n    reason: for the sake of it\n',
    '4:5',
    /unknown fact "btf.var" \(did you mean "btf.vars"\?\)/,
  ],
  [
    'an exception without a reason, at the exception',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - outcome: works\n',
    '4:5',
    /exceptions\[0\]\.reason: missing/,
  ],
  [
    'a version that YAML takes for a number',
    'kernels:\n  - debian: 6.10\nprograms: [one]\n',
    '2:13',
    /kernels\[0\]\.debian: .*write it in quotes/,
  ],
  [
    'a class of failure that is not known',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - outcome: {phase: load, class: verifier-rejects}\n    reason: for the sake of it\n',
    '4:35',
    /unknown value "verifier-rejects" \(did you mean "verifier-rejected"\?\)/,
  ],
  [
    'an outcome that is neither `works` nor a failure',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - {outcome: work, reason: for the sake of it}\n',
    '4:15',
    /outcome: unknown value "work" \(did you mean "works"\?\)/,
  ],
  [
    'an exception without an outcome, at the exception',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nexceptions:\n  - {reason: for the sake of it}\n',
    '4:5',
    /exceptions\[0\]\.outcome: missing/,
  ],
  [
    'the variant that changes nothing being redefined',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants:\n  default: {}\n',
    '4:3',
    /"default" changes nothing and cannot be redefined/,
  ],
  [
    'a capability that is not there',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants:\n  blind: {capabilities: {drop: [CAP_SYSLOGG]}}\n',
    '4:33',
    /unknown value "CAP_SYSLOGG" \(did you mean "CAP_SYSLOG"\?\)/,
  ],
  [
    'capabilities that are both dropped and kept',
    'kernels: [{debian: "6.12"}]\nprograms: [one]\nvariants:\n  blind: {capabilities: {drop: [CAP_BPF], only: []}}\n',
    '4:43',
    /unknown key "only"/,
  ],
  ['a list of kernels that is empty', 'kernels: []\nprograms: [one]\n', '1:10', /kernels: /],
];

/** Each: what is wrong, the program's file, where, what is said. */
export const PROGRAM_MISTAKES: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a variant that matrix.yaml does not have',
    `${PROGRAM}variants: [default, strickt]\n`,
    '4:21',
    /unknown variant "strickt" \(did you mean "strict"\?\)/,
  ],
  [
    'an expectation that can never be reached',
    'title: A\nrun: []\nexpect:\n  - {outcome: works, reason: always and everywhere}\n  - {outcome: works, reason: never looked at at all}\n',
    '5:5',
    /never looked at/,
  ],
  [
    'a check that is never made',
    'title: A\nrun: []\nchecks: [{variable: a, equals: 1}]\nexpect:\n  - {outcome: works, reason: always and everywhere}\n',
    '3:1',
    /never made/,
  ],
  [
    'a range in an expectation',
    'title: A\nrun: []\nexpect:\n  - when: {kernel: 6.x}\n    outcome: works\n    reason: always and everywhere\n',
    '4:20',
    /"6.x" in the kernel range/,
  ],
  [
    'a check that compares with nothing',
    'title: A\nrun: []\nchecks:\n  - variable: a\nexpect: [{outcome: works, reason: always and everywhere}]\n',
    '4:5',
    /either `equals` or `differs`/,
  ],
  [
    'a check with a condition on a variant that is not there',
    'title: A\nrun: []\nchecks:\n  - {variable: a, equals: 1, when: {variant: nope}}\nexpect: [{outcome: works, reason: always and everywhere}]\n',
    '4:46',
    /unknown variant "nope"/,
  ],
  [
    'a condition on a fact that is not there',
    'title: A\nrun: []\nexpect:\n  - when: {kernel: "6.12", btf.vras: ">0"}\n    outcome: works\n    reason: always and everywhere\n',
    '4:28',
    /unknown fact "btf.vras" \(did you mean "btf.vars"\?\)/,
  ],
  [
    'a condition on an option that is not recorded, in a check',
    'title: A\nrun: []\nchecks:\n  - {variable: a, equals: 1, when: {config.KALSYMS_ALL: y}}\nexpect: [{outcome: works, reason: always and everywhere}]\n',
    '4:37',
    /unknown fact "config.KALSYMS_ALL" \(did you mean "config.KALLSYMS_ALL"\?\)/,
  ],
  [
    'a condition on a fact that resembles none',
    'title: A\nrun: []\nexpect:\n  - when: {weather.in.the.guest: fine}\n    outcome: works\n    reason: always and everywhere\n',
    '4:12',
    /unknown fact "weather.in.the.guest" \(docs\/matrix-yaml.md lists what is known\)/,
  ],
  [
    'a comparison that is none',
    'title: A\nrun: []\nexpect:\n  - when: {btf.vars: "> some"}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /btf\.vars is a number, and "> some" is no comparison with one/,
  ],
  [
    'a text where a fact is true or false',
    'title: A\nrun: []\nexpect:\n  - when: {btf.present: yes}\n    outcome: works\n    reason: always and everywhere\n',
    '4:25',
    /btf\.present is true or false, not "yes"/,
  ],
  [
    'a number where a fact is a text',
    'title: A\nrun: []\nexpect:\n  - when: {lockdown: 0}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /lockdown is a text, not 0/,
  ],
  [
    'a text that a fact never has',
    'title: A\nrun: []\nexpect:\n  - when: {lockdown: "!=integrty"}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /lockdown is never "integrty" \(did you mean "integrity"\?\)/,
  ],
  [
    'true and false for a kernel option, which YAML 1.1 makes of y and n',
    'title: A\nrun: []\nexpect:\n  - when: {config.SMP: true}\n    outcome: works\n    reason: always and everywhere\n',
    '4:24',
    /a kernel option is y, m, n or a value, not true/,
  ],
  [
    'several values for a fact',
    'title: A\nrun: []\nexpect:\n  - when: {btf.vars: [1, 2]}\n    outcome: works\n    reason: always and everywhere\n',
    '4:22',
    /btf\.vars is compared with one value, such as ">0" or 5/,
  ],
  [
    'one of several variants in a condition',
    'title: A\nrun: []\nexpect:\n  - {when: {variant: [strict, nope]}, outcome: works, reason: always and everywhere}\n',
    '4:31',
    /unknown variant "nope"/,
  ],
  [
    'an errno that is a number',
    'title: A\nrun: []\nexpect:\n  - outcome: {phase: load, class: verifier-rejected, errno: "13"}\n    reason: always and everywhere\n',
    '4:61',
    /an errno is written by name/,
  ],
  [
    'a key in a failure that is not known',
    'title: A\nrun: []\nexpect:\n  - outcome: {phase: load, class: verifier-rejected, exern: x}\n    reason: always and everywhere\n',
    '4:54',
    /unknown key "exern" \(did you mean "extern"\?\)/,
  ],
  [
    'a module that is named as a file',
    'title: A\nrun: []\nmodules: [dummy.ko]\nexpect:\n  - {outcome: works, reason: always and everywhere}\n',
    '3:11',
    /a module is named as in lsmod, without \.ko/,
  ],
  ['no expectation at all', 'title: A\nrun: []\nexpect: []\n', '3:9', /expect: /],
];
