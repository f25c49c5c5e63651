import type { ExternSpec } from '../object/spec.ts';
import { essentialName } from './essential-name.ts';
import type { Kallsyms } from './kallsyms.ts';
import { missing, orDoWithout, wrong } from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';
import { DATA_SYMBOLS, listsFunctionsOnly } from './whereabouts.ts';

/**
 * Looks a typeless ksym up in kallsyms, by its full name. Symbols of modules count as well, and several lines with one address are one symbol.
 */
export function resolveTypeless(extern: ExternSpec, facts: KernelFacts): ExternOutcome {
  const { kallsyms } = facts;
  const { name } = extern;
  if (kallsyms === null || kallsyms.count === 0) {
    const why = kallsyms === null ? 'could not be read' : 'is empty';
    return missing(
      extern,
      'KALLSYMS_UNREADABLE',
      `/proc/kallsyms ${why}, and a typeless extern such as ${name} is looked up nowhere else.`,
      `Mount /proc, and use a kernel that was built with CONFIG_KALLSYMS=y.${orDoWithout(extern)}`,
    );
  }
  const entries = kallsyms.find(name);
  const [first] = entries;
  if (first === undefined) return notListed(extern, kallsyms);
  if (kallsyms.restricted) {
    return missing(
      extern,
      'KALLSYMS_RESTRICTED',
      `/proc/kallsyms lists ${name}, but the kernel hides all ${kallsyms.count} addresses.`,
      `Set kernel.kptr_restrict to 0 or 1 and read it with CAP_SYSLOG.${typedAdvice(name, facts)}${orDoWithout(extern)}`,
    );
  }
  if (entries.length > 1) {
    const addresses = entries.map((entry) => entry.address);
    const list = entries.map((entry) => `${hex(entry.address)}${entry.module === null ? '' : ` [${entry.module}]`}`);
    return wrong(
      'AMBIGUOUS',
      `/proc/kallsyms has ${entries.length} symbols named ${name}, at ${list.join(', ')}, and nothing says which is meant.`,
      `Use a symbol whose name is unique.${typedAdvice(name, facts)}`,
      addresses,
    );
  }
  return { result: 'address', address: first.address };
}

function notListed(extern: ExternSpec, kallsyms: Kallsyms): ExternOutcome {
  const { name } = extern;
  const absence = `None of the ${kallsyms.count} symbols in /proc/kallsyms is named ${name}.`;
  const essential = essentialName(name);
  if (essential !== name && kallsyms.find(essential).length > 0) {
    return missing(
      extern,
      'NOT_IN_KALLSYMS',
      `${absence} There is ${essential}, but variables are looked up by their full name: a suffix such as ___x is cut off for kfuncs and types only.`,
      `Name it ${essential}.`,
    );
  }
  if (listsFunctionsOnly(kallsyms)) {
    return missing(
      extern,
      'NOT_IN_KALLSYMS',
      `${absence} It lists neither ${DATA_SYMBOLS.join(' nor ')}: this kernel was built without CONFIG_KALLSYMS_ALL and lists its functions, but hardly any variable, and no struct of function pointers such as bpf_prog_fops.`,
      `If ${name} is a variable, use a kernel that was built with CONFIG_KALLSYMS_ALL=y: on this one no loader finds it.${orDoWithout(extern)}`,
    );
  }
  return missing(
    extern,
    'NOT_IN_KALLSYMS',
    `${absence} It lists variables as well, so this kernel does not have it, under this name at least: it may be of another version, compiled out by the kernel's configuration, inlined, or in a module that is not loaded.`,
    `Look for a similar name: \`grep -i ${name} /proc/kallsyms\`.${orDoWithout(extern)}`,
  );
}

/** Typed externs want neither addresses nor unique names in /proc/kallsyms: the kernel looks for itself. */
function typedAdvice(name: string, { vmlinuxBtf }: KernelFacts): string {
  const listed = vmlinuxBtf?.find(name, 'var') !== undefined;
  return listed ? " The kernel's BTF lists it: a typed extern does without /proc/kallsyms." : '';
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
