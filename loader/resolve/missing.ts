import type { ExternSpec } from '../object/spec.ts';
import type { ExternOutcome, KernelFacts, ReasonCode } from './outcome.ts';
import type { Whereabouts } from './whereabouts.ts';

/** The outcome of an extern that the kernel cannot give: NULL if it is weak, else an error. */
export function missing(extern: ExternSpec, reason: ReasonCode, explanation: string, fix: string): ExternOutcome {
  return { result: extern.weak ? 'null' : 'error', reason, explanation, fix };
}

/** The outcome of an extern that nothing excuses, weak or not. */
export function wrong(
  reason: ReasonCode,
  explanation: string,
  fix: string,
  addresses?: readonly bigint[],
): ExternOutcome {
  return { result: 'error', reason, explanation, fix, ...(addresses === undefined ? {} : { addresses }) };
}

/**
 * The outcome of something that vmlinux BTF lacks, where module BTF is not there or could not be read and may have it; null where it was
 * read, or where kallsyms says that the symbol is in no module.
 */
export function hiddenInModule(extern: ExternSpec, place: Whereabouts, facts: KernelFacts): ExternOutcome | null {
  if (place.at === 'kernel' || place.at === 'nowhere') return null;
  if (facts.moduleBtfsUnavailable === null) return withoutModuleBtf(extern, place, facts);
  const where =
    place.at === 'module'
      ? `${extern.name} is in module ${place.module}`
      : `${extern.name} is not in the BTF of vmlinux and may be in a module`;
  if (facts.moduleBtfsUnavailable === 'permission') {
    return missing(
      extern,
      'MODULE_BTF_EPERM',
      `${where}, but the BTF of modules could not be read: that takes CAP_SYS_ADMIN, though loading the program does not.`,
      `Run as root, or give the agent CAP_SYS_ADMIN beside CAP_BPF and CAP_PERFMON.${orDoWithout(extern)}`,
    );
  }
  return missing(
    extern,
    'MODULE_BTF_UNSUPPORTED',
    `${where}, but this kernel has no BTF for modules: that takes CONFIG_DEBUG_INFO_BTF_MODULES and Linux 5.12 for variables, 5.16 for kfuncs.`,
    `${extern.kind === 'typed' ? typelessAdvice(extern.name) : 'Use a kernel that has it.'}${orDoWithout(extern)}`,
  );
}

/** The kernel lists a module's BTF only if it took it: a module that was built without, or whose BTF is for another vmlinux, has none. */
function withoutModuleBtf(extern: ExternSpec, place: Whereabouts, facts: KernelFacts): ExternOutcome | null {
  if (place.at !== 'module' || facts.moduleBtfs.some(({ name }) => name === place.module)) return null;
  const advice = extern.kind === 'typed' ? ` ${typelessAdvice(extern.name)}` : '';
  return missing(
    extern,
    'MODULE_HAS_NO_BTF',
    `${extern.name} is in module ${place.module}, which has no BTF: kernel and module need CONFIG_DEBUG_INFO_BTF_MODULES, and the module's BTF has to be made for this kernel.`,
    `Build the module against this very kernel, with its vmlinux beside it.${advice}${orDoWithout(extern)}`,
  );
}

/** The outcome on a kernel without BTF. */
export function withoutKernelBtf(extern: ExternSpec): ExternOutcome {
  const advice = extern.kind === 'typed' ? ` ${typelessAdvice(extern.name)}` : '';
  return missing(
    extern,
    'NO_KERNEL_BTF',
    `This kernel has no BTF (/sys/kernel/btf/vmlinux), which lists what ${extern.name} is.`,
    `Use a kernel that was built with CONFIG_DEBUG_INFO_BTF=y.${advice}${orDoWithout(extern)}`,
  );
}

/** How to do without BTF. A per-CPU symbol's address is the same for all CPUs: what is there for one of them lies further. */
export function typelessAdvice(name: string, perCpu = false): string {
  const typeless = `To get its address alone, declare it typeless: \`extern const void ${name} __ksym\``;
  return perCpu
    ? `${typeless}, add the CPU's entry of the typeless __per_cpu_offset, and read with bpf_probe_read_kernel().`
    : `${typeless}, and read with bpf_probe_read_kernel().`;
}

/** For strong externs: that there is another way. Begins with a space. */
export function orDoWithout({ weak, kind }: ExternSpec): string {
  if (weak) return '';
  const test = kind === 'kfunc' ? 'bpf_ksym_exists()' : 'its address';
  return ` If the program can do without, declare it __weak and test ${test} before use.`;
}
