import type { ExternSpec } from '../object/spec.ts';
import type { Kallsyms } from './kallsyms.ts';
import type { ExternOutcome, KernelFacts, ReasonCode } from './outcome.ts';

/** The outcome of an extern that the kernel cannot give: NULL if it is weak, else an error. */
export function missing(extern: ExternSpec, reason: ReasonCode, explanation: string): ExternOutcome {
  return { result: extern.weak ? 'null' : 'error', reason, explanation };
}

/** The outcome of an extern that nothing excuses, weak or not. */
export function wrong(reason: ReasonCode, explanation: string, addresses?: readonly bigint[]): ExternOutcome {
  return { result: 'error', reason, explanation, ...(addresses === undefined ? {} : { addresses }) };
}

/** Where kallsyms has a name, for explanations only. */
export type Whereabouts =
  /** kallsyms could not be read. */
  | { readonly at: 'unknown' }
  /** kallsyms lists functions only, and this is a variable. */
  | { readonly at: 'unlisted' }
  | { readonly at: 'nowhere' }
  | { readonly at: 'kernel' }
  | { readonly at: 'module'; readonly module: string };

/** Data symbols of every kernel; a kallsyms without them lists functions only (no CONFIG_KALLSYMS_ALL). */
export const DATA_SYMBOLS: readonly string[] = ['jiffies', 'init_task'];

/** Whether a kallsyms lists functions, but no variables. */
export function listsFunctionsOnly(kallsyms: Kallsyms): boolean {
  return DATA_SYMBOLS.every((symbol) => kallsyms.find(symbol).length === 0);
}

/** Asks kallsyms where a symbol is; the kernel itself goes before modules. */
export function whereabouts(name: string, kind: 'function' | 'variable', facts: KernelFacts): Whereabouts {
  if (facts.kallsyms === null || facts.kallsyms.count === 0) return { at: 'unknown' };
  const entries = facts.kallsyms.find(name);
  const [first] = entries;
  if (first === undefined) {
    return { at: kind === 'variable' && listsFunctionsOnly(facts.kallsyms) ? 'unlisted' : 'nowhere' };
  }
  const inModule = entries.every((entry) => entry.module !== null);
  return inModule ? { at: 'module', module: first.module ?? '' } : { at: 'kernel' };
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
      `${where}, but the BTF of modules could not be read: that takes CAP_SYS_ADMIN. Run as root.`,
    );
  }
  return missing(
    extern,
    'MODULE_BTF_UNSUPPORTED',
    `${where}, but this kernel has no BTF for modules: it takes Linux 5.11 and CONFIG_DEBUG_INFO_BTF_MODULES.`,
  );
}

/** The kernel lists a module's BTF only if it took it: a module that was built without, or whose BTF is for another vmlinux, has none. */
function withoutModuleBtf(extern: ExternSpec, place: Whereabouts, facts: KernelFacts): ExternOutcome | null {
  if (place.at !== 'module' || facts.moduleBtfs.some(({ name }) => name === place.module)) return null;
  const advice = extern.kind === 'typed' ? ` ${typelessAdvice(extern.name)}` : '';
  return missing(
    extern,
    'MODULE_HAS_NO_BTF',
    `${extern.name} is in module ${place.module}, which has no BTF: kernel and module need CONFIG_DEBUG_INFO_BTF_MODULES, and the module's BTF has to be made for this kernel.${advice}`,
  );
}

/** The outcome on a kernel without BTF. */
export function withoutKernelBtf(extern: ExternSpec): ExternOutcome {
  const advice = extern.kind === 'typed' ? ` ${typelessAdvice(extern.name)}` : '';
  return missing(
    extern,
    'NO_KERNEL_BTF',
    `This kernel has no BTF (/sys/kernel/btf/vmlinux), which lists what ${extern.name} is; it takes CONFIG_DEBUG_INFO_BTF.${advice}`,
  );
}

/** How to do without BTF. */
export function typelessAdvice(name: string): string {
  return `To get its address alone, declare it typeless: \`extern const void ${name} __ksym\`.`;
}
