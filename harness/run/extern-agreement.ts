import type { ExternResolution } from '../../loader/resolve/outcome.ts';
import { isAbout, parseExternPhrase } from '../config/extern-phrase.ts';
import type { KnownDifference } from '../loaders/differences.ts';
import { nullAtZero } from '../results/extern-values.ts';
import type { ExternResult } from '../results/results.ts';

/**
 * Holds what another loader made of an object's externs, as the kernel got it, against our own rules under the settings of the same machine: addresses are
 * the same there. Externs that a known difference is about may be what it says that they resolve to; what our rules refuse, and what no instruction of the
 * object refers to, is not compared.
 * @returns what is not as it should be, in words
 */
export function compareWithRules(
  externs: readonly ExternResult[],
  rules: readonly ExternResolution[],
  difference?: Pick<KnownDifference, 'externs' | 'resolves'>,
): string[] {
  const { resolves } = difference ?? {};
  const phrases = (difference?.externs ?? []).flatMap((text) => parseExternPhrase(text) ?? []);
  return rules.flatMap((rule) => {
    const found = externs.find(({ name }) => name === rule.name);
    if (found === undefined || found.result === 'error') return [];
    const told = tell(found);
    const wanted = tellRule(rule);
    if (told === wanted) return [];
    if (resolves !== undefined && phrases.some((phrase) => isAbout(phrase, rule))) {
      return nullAtZero(found) === resolves ? [] : [`extern ${rule.name} is ${told}, and should be ${resolves}`];
    }
    return wanted === null ? [] : [`extern ${rule.name} is ${told}, and should be ${wanted}`];
  });
}

function tell(extern: ExternResult): string {
  const { address = 'an address', btfId, module = 'vmlinux' } = extern;
  const result = nullAtZero(extern);
  if (result === 'address') return address;
  return result === 'btf-id' ? idOf(btfId, module) : 'NULL';
}

/** Null for what cannot be had. */
function tellRule({ outcome }: ExternResolution): string | null {
  switch (outcome.result) {
    case 'address':
      return outcome.address === 0n ? 'NULL' : `0x${outcome.address.toString(16)}`;
    case 'btf-id':
      return idOf(outcome.id, outcome.module ?? 'vmlinux');
    case 'null':
      return 'NULL';
    case 'error':
      return null;
  }
}

function idOf(id: number | undefined, module: string): string {
  return `BTF id ${id} of ${module}`;
}
