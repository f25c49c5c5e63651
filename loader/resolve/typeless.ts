import type { ExternSpec } from '../object/spec.ts';
import { essentialName } from './essential-name.ts';
import type { Kallsyms } from './kallsyms.ts';
import { DATA_SYMBOLS, listsFunctionsOnly, missing, wrong } from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';

/** Looks a typeless ksym up in kallsyms, by its full name. */
export function resolveTypeless(extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  const { kallsyms } = facts;
  const { name } = extern;
  if (kallsyms === null || kallsyms.count === 0) {
    const why = kallsyms === null ? 'could not be read' : 'is empty';
    return missing(
      extern,
      'KALLSYMS_UNREADABLE',
      `/proc/kallsyms ${why}, and a typeless extern is looked up nowhere else. The kernel needs CONFIG_KALLSYMS and /proc must be mounted.`,
    );
  }
  const entries = kallsyms.find(name);
  const [first] = entries;
  if (first === undefined) return missing(extern, 'NOT_IN_KALLSYMS', explainAbsence(extern, kallsyms));
  if (kallsyms.restricted) {
    return missing(
      extern,
      'KALLSYMS_RESTRICTED',
      `/proc/kallsyms lists ${name}, but the kernel hides all ${kallsyms.count} addresses. Set kernel.kptr_restrict to 0 or 1 and read it with CAP_SYSLOG.`,
    );
  }
  if (entries.length > 1) {
    const addresses = entries.map((entry) => entry.address);
    const list = entries.map((entry) => `${hex(entry.address)}${entry.module === null ? '' : ` [${entry.module}]`}`);
    return wrong(
      'AMBIGUOUS',
      `/proc/kallsyms has ${entries.length} symbols named ${name}, at ${list.join(', ')}, and nothing says which is meant. Use a symbol whose name is unique.`,
      addresses,
    );
  }
  return { result: 'address', address: first.address };
}

function explainAbsence({ name, weak }: ExternSpec, kallsyms: Kallsyms): string {
  const absence = `None of the ${kallsyms.count} symbols in /proc/kallsyms is named ${name}.`;
  if (essentialName(name) !== name) {
    return `${absence} Variables are looked up by their full name: a suffix such as ___x is cut off for kfuncs and types only.`;
  }
  if (listsFunctionsOnly(kallsyms)) {
    return `${absence} It lists neither ${DATA_SYMBOLS.join(' nor ')}: without CONFIG_KALLSYMS_ALL a kernel lists its functions, but hardly any variable.`;
  }
  return `${absence} This kernel does not have it, under this name at least${weak ? '' : '; declare it __weak if the program can do without'}.`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
