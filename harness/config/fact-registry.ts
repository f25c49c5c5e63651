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

/** Kernel options that matter to BPF and ksyms; ones that are not set are recorded as `n`. */
export const KERNEL_OPTIONS = [
  'BPF_SYSCALL',
  'BPF_JIT',
  'DEBUG_INFO_BTF',
  'DEBUG_INFO_BTF_MODULES',
  'KALLSYMS',
  'KALLSYMS_ALL',
  'MODULES',
  'SMP',
  'RANDOMIZE_BASE',
  'PAHOLE_VERSION',
  'SECURITY_LOCKDOWN_LSM',
  'IKCONFIG_PROC',
  'KPROBES',
  'FTRACE',
  'PREEMPT',
  'PREEMPT_RT',
] as const;

/** Settings that decide who may see kernel addresses and use BPF, by the name of their sysctl. */
export const SYSCTLS = [
  'kernel.kptr_restrict',
  'kernel.perf_event_paranoid',
  'kernel.unprivileged_bpf_disabled',
  'net.core.bpf_jit_enable',
] as const;

const fact = (name: string, type: FactType, about: string, values?: readonly string[]): Fact => ({
  name,
  type,
  about,
  ...(values === undefined ? {} : { values }),
});

/** Every fact there is. What is not here is recorded nowhere, and a condition on it is a mistake. */
export const FACTS: readonly Fact[] = [
  fact('release', 'text', 'as `uname -r` has it'),
  fact('machine', 'text', 'as `uname -m` has it'),
  fact('cpus', 'number', 'processors of the machine'),
  fact('btf.present', 'boolean', 'the kernel has BTF'),
  fact('btf.bytes', 'number', "size of vmlinux's BTF"),
  fact('btf.types', 'number', 'types in it'),
  fact('btf.vars', 'number', 'variables (VAR) in it'),
  fact('btf.datasecs', 'number', 'sections of variables (DATASEC) in it'),
  fact('btf.funcs', 'number', 'functions (FUNC) in it'),
  fact('btf.modules', 'number', 'modules with BTF that are loaded'),
  fact('kallsyms.readable', 'boolean', '/proc/kallsyms can be read'),
  fact('kallsyms.symbols', 'number', 'lines in it'),
  fact('kallsyms.restricted', 'boolean', 'every address in it reads as zero'),
  fact('probe.btf-id-loads', 'boolean', 'the kernel takes `BPF_PSEUDO_BTF_ID`'),
  fact('lockdown', 'text', 'the mode of the lockdown LSM', ['none', 'integrity', 'confidentiality', 'absent']),
  ...SYSCTLS.map((name) => fact(`sysctl.${name}`, 'number', 'its value after the boot')),
  ...KERNEL_OPTIONS.map((name) => fact(`config.${name}`, 'option', `CONFIG_${name} of the kernel's build`)),
];

/** The fact of that name. */
export function findFact(name: string): Fact | undefined {
  return byName.get(name);
}

const byName = new Map(FACTS.map((one) => [one.name, one]));
