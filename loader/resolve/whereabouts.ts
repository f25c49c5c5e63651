import type { Kallsyms } from './kallsyms.ts';
import type { KernelFacts } from './outcome.ts';

/** Where kallsyms has a name, for explanations only. */
export type Whereabouts =
  /** kallsyms could not be read, or was not. */
  | { readonly at: 'unknown' }
  /** kallsyms lists functions only, and this is a variable. */
  | { readonly at: 'unlisted' }
  | { readonly at: 'nowhere' }
  /** `perCpu`: its address is an offset into each CPU's area. */
  | { readonly at: 'kernel'; readonly perCpu: boolean }
  | { readonly at: 'module'; readonly module: string };

/** Data symbols of every kernel; a kallsyms without them lists functions only (no CONFIG_KALLSYMS_ALL). */
export const DATA_SYMBOLS: readonly string[] = ['jiffies', 'init_task'];

/**
 * Whether a kallsyms lists functions, but no variables. By names and not by type letters: those of the same symbol change from kernel to
 * kernel (`jiffies` is `D` in 6.12 and `T` in 6.16), and kernels without CONFIG_KALLSYMS_ALL list some bounds of data sections.
 */
export function listsFunctionsOnly(kallsyms: Kallsyms): boolean {
  return DATA_SYMBOLS.every((symbol) => kallsyms.find(symbol).length === 0);
}

/** Asks kallsyms where a symbol is; the kernel itself goes before modules. */
export function whereabouts(name: string, kind: 'function' | 'variable', facts: KernelFacts): Whereabouts {
  const { kallsyms } = facts;
  if (kallsyms === null || kallsyms.count === 0) return { at: 'unknown' };
  const entries = kallsyms.find(name);
  const [first] = entries;
  if (first === undefined) {
    return { at: kind === 'variable' && listsFunctionsOnly(kallsyms) ? 'unlisted' : 'nowhere' };
  }
  const own = entries.filter(({ module }) => module === null || isGenerated(module));
  if (own.length === 0) return { at: 'module', module: first.module ?? '' };
  return { at: 'kernel', perCpu: kind === 'variable' && own.some(({ address }) => isPerCpu(address, kallsyms)) };
}

/** What the kernel lists in place of a module for code that it made itself: BPF programs, trampolines of ftrace, kprobes (kernel/kallsyms.c, get_ksymbol_bpf and get_ksymbol_ftrace_mod). */
function isGenerated(module: string): boolean {
  return module === 'bpf' || module.startsWith('__builtin__');
}

/**
 * Whether an address lies in the kernel's per-CPU section: an offset from 0 on x86-64 before 6.15 (the letter is `A` then), and between its two
 * bounds wherever those are listed.
 */
function isPerCpu(address: bigint, kallsyms: Kallsyms): boolean {
  const start = kallsyms.find('__per_cpu_start')[0]?.address;
  const end = kallsyms.find('__per_cpu_end')[0]?.address;
  return start !== undefined && end !== undefined && start < end && address >= start && address < end;
}
