import { ObjectError } from '../errors.ts';
import { ATTACH_TYPES } from './attach-types.ts';
import { SECTION_RULES, type SectionRule } from './section-rules.ts';
import type { ProgramType } from './spec.ts';

/** What a program's section name (`SEC("…")`) says about it. */
export interface SectionMeaning {
  readonly type: ProgramType;
  /** `enum bpf_attach_type`, or null where loading wants none. */
  readonly attachType: number | null;
  /** What follows the rule's name and a slash, or null. */
  readonly target: string | null;
  /** BPF_F_SLEEPABLE: the name before the slash ends in `.s`, or the type is always sleepable (`syscall`). */
  readonly sleepable: boolean;
  /** False if the name begins with `?`: the author wants the program loaded only on request. */
  readonly autoload: boolean;
  /** Further BPF_F_… for loading. */
  readonly flags: number;
}

/**
 * Reads a program's section name by the conventions of libbpf (`section_defs` and sec_def_matches in its `src/libbpf.c`;
 * `Documentation/bpf/libbpf/program_types.rst`). A name that is not known gives the type `unspecified`, as libbpf and cilium/ebpf have it: the
 * user may still say what the program is. {@link refuseUnknownSection} says so to those who did not.
 */
export function parseSectionName(section: string): SectionMeaning {
  const autoload = !section.startsWith('?');
  const name = autoload ? section : section.slice(1);
  const whole = SECTION_RULES.get(name);
  if (whole !== undefined) return meaning(whole, null, autoload);
  const slash = name.indexOf('/');
  const rule = slash === -1 ? undefined : SECTION_RULES.get(name.slice(0, slash));
  if (rule?.target === true) return meaning(rule, name.slice(slash + 1), autoload);
  return { type: 'unspecified', attachType: null, target: null, sleepable: false, autoload, flags: 0 };
}

/** The refusal of a program whose section name selects no type: code `unknown-program-section`, with names that are alike. */
export function refuseUnknownSection(section: string, position: { file: string; symbol: string }): ObjectError {
  const name = section.replace(/^\?/, '');
  return new ObjectError(
    'unknown-program-section',
    `section name ${section} selects no program type`,
    { ...position, section },
    {
      why: 'the type of a program follows from the name of its section',
      fix: `${suggestion(name)} Or set \`type\` of the program's specification before the load.`,
    },
  );
}

function meaning(rule: SectionRule, target: string | null, autoload: boolean): SectionMeaning {
  const { type, attachType, sleepable, flags } = rule;
  return {
    type,
    attachType: attachType === null ? null : ATTACH_TYPES[attachType],
    target: target === '' ? null : target,
    sleepable,
    autoload,
    flags,
  };
}

/** Names within two changes of what was written, or that it is the beginning of; else all of them. */
function suggestion(name: string): string {
  const slash = name.indexOf('/');
  const head = slash === -1 ? name : name.slice(0, slash);
  const distance = (rule: SectionRule): number => {
    const begun = head !== '' && rule.name.startsWith(head) ? 2 : Number.POSITIVE_INFINITY;
    return Math.min(begun, editDistance(rule.name, name), rule.target ? editDistance(rule.name, head) : begun);
  };
  const near = [...SECTION_RULES.values()]
    .map((rule) => ({ rule, distance: distance(rule) }))
    .filter((one) => one.distance <= 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ rule }) => spell(rule));
  if (near.length > 0) return `Did you mean ${near.join(' or ')}?`;
  return `These are known: ${[...SECTION_RULES.values()].map(spell).join(', ')}.`;
}

function spell(rule: SectionRule): string {
  return rule.target ? `${rule.name}/…` : rule.name;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
