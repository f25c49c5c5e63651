import type { Btf } from '../btf/btf.ts';
import type { ExternSpec } from '../object/spec.ts';
import { essentialName } from './essential-name.ts';
import { hiddenInModule, missing, orDoWithout, typelessAdvice } from './missing.ts';
import type { ExternOutcome, KernelFacts } from './outcome.ts';
import { type Whereabouts, whereabouts } from './whereabouts.ts';

/** The first pahole whose lists of per-CPU variables the kernel's build takes: it skips those of 1.18 to 1.21 (scripts/pahole-flags.sh, Linux 5.13 and later). */
const PAHOLE = '1.22';

/** The outcome of a variable that is not in the kernel's BTF, with what kallsyms knows of it. */
export function explainVariableAbsence(extern: ExternSpec, vmlinux: Btf, facts: KernelFacts): ExternOutcome {
  const { name } = extern;
  const place = whereabouts(name, 'variable', facts);
  const hidden = hiddenInModule(extern, place, facts);
  if (hidden !== null) return hidden;
  const count = vmlinux.count('var');
  if (count === 0 && place.at !== 'module') return withoutVariables(extern, place);
  const essential = essentialName(name);
  if (essential !== name && vmlinux.find(essential, 'var') !== undefined) {
    const full = `There is ${essential}, but variables are looked up by their full name: a suffix such as ___x is cut off for kfuncs and types only.`;
    return missing(
      extern,
      'VAR_NOT_IN_BTF',
      `${describeSearch(name, count, place, facts)} ${full}`,
      `Name it ${essential}.`,
    );
  }
  return missing(
    extern,
    'VAR_NOT_IN_BTF',
    describeSearch(name, count, place, facts),
    `${adviseVariable(name, place)}${orDoWithout(extern)}`,
  );
}

function withoutVariables(extern: ExternSpec, place: Whereabouts): ExternOutcome {
  const listed =
    place.at === 'kernel'
      ? `, though /proc/kallsyms has ${extern.name}`
      : place.at === 'nowhere'
        ? `; nor does /proc/kallsyms have ${extern.name}`
        : '';
  const advice = place.at === 'nowhere' ? '' : ` ${typelessAdvice(extern.name, isPerCpu(place))}`;
  return missing(
    extern,
    'NO_VARS_IN_KERNEL_BTF',
    `The BTF of this kernel lists no variable at all, so no typed extern can be found${listed}: it was built with a pahole that does not list per-CPU variables, or lists them wrongly (before ${PAHOLE}).`,
    `Use a kernel that was built with pahole ${PAHOLE} or later.${advice}${orDoWithout(extern)}`,
  );
}

function describeSearch(name: string, count: number, place: Whereabouts, facts: KernelFacts): string {
  const modules = facts.moduleBtfs.length;
  const also = modules === 0 ? '' : `, nor in that of ${modules} ${modules === 1 ? 'module' : 'modules'}`;
  const searched = `${name} is not among the ${count} variables in the BTF of vmlinux${also}`;
  switch (place.at) {
    case 'kernel':
      return place.perCpu
        ? `${searched}, though /proc/kallsyms has it, and it is a per-CPU variable: the pahole that made this BTF left it out.`
        : `${searched}, though /proc/kallsyms has it: kernels list only per-CPU variables there.`;
    case 'module':
      return `${searched}, though /proc/kallsyms has it in module ${place.module}.`;
    case 'nowhere':
      return `${searched}, and /proc/kallsyms does not have it either.`;
    case 'unlisted':
      return `${searched}; /proc/kallsyms lists functions alone (no CONFIG_KALLSYMS_ALL).`;
    case 'unknown':
      return `${searched}; /proc/kallsyms was not asked.`;
  }
}

function adviseVariable(name: string, place: Whereabouts): string {
  if (isPerCpu(place)) {
    return `Use a kernel whose BTF was made by a current pahole (${PAHOLE} at least). ${typelessAdvice(name, true)}`;
  }
  if (place.at === 'kernel' || place.at === 'module') return typelessAdvice(name);
  if (place.at === 'unlisted')
    return `Use a kernel that was built with CONFIG_KALLSYMS_ALL=y, or one that has ${name}.`;
  return `Use a kernel that has it, or load the module that does.`;
}

function isPerCpu(place: Whereabouts): boolean {
  return place.at === 'kernel' && place.perCpu;
}
