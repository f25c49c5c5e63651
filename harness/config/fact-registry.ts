/**
 * What kind of value a fact has:
 * - `number`: compared as in `5`, `">0"`, `">=1 <5"`, `"!=3"`; `true` and `false` ask whether it is more than zero
 * - `boolean`
 * - `text`: compared exactly, `"!=none"` for anything else
 * - `option`: a kernel option's value: `y`, `m`, `n`, or a number or text, compared like either
 */
export type FactType = 'number' | 'boolean' | 'text' | 'option';

/** A fact that conditions may name and results hold. */
export interface Fact {
  readonly name: string;
  readonly type: FactType;
  /** For people; docs/matrix-yaml.md has the same words. */
  readonly about: string;
  /** The texts that it can have, if they are known. */
  readonly values?: readonly string[];
}

/** Kernel options that matter to BPF, BTF, kallsyms and modules; ones that are not set are recorded as `n`. */
export const KERNEL_OPTIONS = [
  ...['BPF', 'BPF_SYSCALL', 'BPF_JIT', 'BPF_JIT_ALWAYS_ON', 'BPF_JIT_DEFAULT_ON', 'BPF_UNPRIV_DEFAULT_OFF'],
  ...['BPF_EVENTS', 'BPF_LSM', 'BPF_KPROBE_OVERRIDE', 'CGROUP_BPF', 'CGROUPS', 'SCHED_CLASS_EXT', 'TEST_BPF'],
  ...['NET', 'INET', 'NET_CLS_BPF', 'NET_ACT_BPF', 'XDP_SOCKETS', 'BPF_STREAM_PARSER'],
  ...['DEBUG_INFO', 'DEBUG_INFO_REDUCED', 'DEBUG_INFO_BTF', 'DEBUG_INFO_BTF_MODULES', 'MODULE_ALLOW_BTF_MISMATCH'],
  ...['PAHOLE_VERSION', 'PAHOLE_HAS_SPLIT_BTF', 'PAHOLE_HAS_BTF_TAG', 'CC_VERSION_TEXT', 'GCC_VERSION'],
  ...['CLANG_VERSION', 'LTO_CLANG', 'CFI_CLANG', 'KALLSYMS', 'KALLSYMS_ALL', 'KALLSYMS_ABSOLUTE_PERCPU'],
  ...['MODULES', 'MODULE_SIG', 'MODULE_SIG_FORCE', 'MODULE_UNLOAD', 'MODVERSIONS', 'TRIM_UNUSED_KSYMS'],
  ...['KPROBES', 'KPROBE_EVENTS', 'UPROBE_EVENTS', 'FPROBE', 'FTRACE', 'FUNCTION_TRACER', 'PERF_EVENTS'],
  ...['DYNAMIC_FTRACE_WITH_DIRECT_CALLS', 'FUNCTION_ERROR_INJECTION', 'TRACEPOINTS', 'IKCONFIG_PROC', 'IKHEADERS'],
  ...['SECURITY', 'SECURITY_LOCKDOWN_LSM', 'SECURITY_PERF_EVENTS_RESTRICT', 'LSM', 'RANDOMIZE_BASE', 'RANDSTRUCT'],
  ...['SMP', 'NR_CPUS', 'PREEMPT', 'PREEMPT_DYNAMIC', 'PREEMPT_RT', 'KASAN', 'PROVE_LOCKING', 'X86_KERNEL_IBT'],
] as const;

/** Settings that decide who may see kernel addresses and use BPF, by the name of their sysctl. */
export const SYSCTLS = [
  'kernel.kptr_restrict',
  'kernel.dmesg_restrict',
  'kernel.perf_event_paranoid',
  'kernel.unprivileged_bpf_disabled',
  'kernel.modules_disabled',
  'kernel.randomize_va_space',
  'net.core.bpf_jit_enable',
  'net.core.bpf_jit_harden',
  'net.core.bpf_jit_kallsyms',
  'net.core.bpf_jit_limit',
] as const;

/** What is tried on the kernel with a small program each; one whose answer says neither yes nor no is not recorded. */
export const PROBES = [
  ['btf-id-loads', 'the kernel takes `BPF_PSEUDO_BTF_ID`, whatever it says of the id (5.10)'],
  ['variable-loads', "a variable of vmlinux's BTF can be loaded: it is there, and the kernel finds its address"],
  ['this-cpu-ptr', 'socket filters have the helper bpf_this_cpu_ptr'],
  ['per-cpu-ptr', 'socket filters have the helper bpf_per_cpu_ptr'],
  ['kfunc-calls', 'the kernel takes calls of kernel functions (5.13), and its JIT can make them'],
  ['kfunc-addresses', 'the kernel takes the BTF id of a function in a 64-bit load (6.4)'],
  ['fd-array', '`fd_array` of BPF_PROG_LOAD, which module kfuncs need (5.14)'],
  ['module-btf', 'the BTF of modules can be found by its id and name (5.11)'],
  ['run-sched-cls', 'a tc program can be test-run'],
  ['run-xdp', 'an XDP program can be test-run'],
  ['run-raw-tp', 'a raw tracepoint program can be test-run (5.10)'],
  ['run-syscall', 'a syscall program can be test-run (5.14)'],
  ['run-fentry', 'a program on the entry of a kernel function can be test-run'],
] as const;

/** The name of a probe. */
export type ProbeName = (typeof PROBES)[number][0];

const fact = (name: string, type: FactType, about: string, values?: readonly string[]): Fact => ({
  name,
  type,
  about,
  ...(values === undefined ? {} : { values }),
});

/** Every fact there is. What is not here is recorded nowhere, and a condition on it is a mistake. */
export const FACTS: readonly Fact[] = [
  fact('release', 'text', 'as `uname -r` has it'),
  fact('build', 'text', 'as `uname -v` has it: number, kind and date of the build'),
  fact('machine', 'text', 'as `uname -m` has it'),
  fact('compiler', 'text', 'what it was compiled with, such as `gcc 14.2.0`, from /proc/version'),
  fact('cpus', 'number', 'processors of the machine'),
  fact('modules.loaded', 'number', 'modules that are loaded, those of virtio among them'),
  fact('modules.available', 'boolean', 'the kernel has every module that the program wants, as a file or built in'),
  fact('btf.present', 'boolean', 'the kernel has BTF'),
  fact('btf.bytes', 'number', "size of vmlinux's BTF"),
  fact('btf.types', 'number', 'types in it'),
  fact('btf.vars', 'number', 'variables (VAR) in it'),
  fact('btf.datasecs', 'number', 'sections of variables (DATASEC) in it'),
  fact('btf.datasec-names', 'text', 'their names, with a space between'),
  fact('btf.funcs', 'number', 'functions (FUNC) in it'),
  fact('btf.sorted', 'boolean', 'its types are in the order of their names'),
  fact('btf.modules', 'number', 'modules with BTF that are loaded'),
  fact('kallsyms.readable', 'boolean', '/proc/kallsyms can be read'),
  fact('kallsyms.symbols', 'number', 'lines in it'),
  fact('kallsyms.module-symbols', 'number', 'lines of modules, and of BPF programs'),
  fact('kallsyms.all', 'boolean', "the kernel's variables are in it, and not functions alone"),
  fact('kallsyms.restricted', 'boolean', 'every address in it reads as zero'),
  fact('lockdown', 'text', 'the mode of the lockdown LSM', ['none', 'integrity', 'confidentiality', 'absent']),
  fact('lsm', 'text', 'the security modules that are active, with a comma between; `absent` without securityfs'),
  ...PROBES.map(([name, about]) => fact(`probe.${name}`, 'boolean', about)),
  ...SYSCTLS.map((name) => fact(`sysctl.${name}`, 'number', 'its value after the boot')),
  ...KERNEL_OPTIONS.map((name) => fact(`config.${name}`, 'option', `CONFIG_${name} of the kernel's build`)),
];

/** The fact of that name. */
export function findFact(name: string): Fact | undefined {
  return byName.get(name);
}

const byName = new Map(FACTS.map((one) => [one.name, one]));
