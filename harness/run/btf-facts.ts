import type { Btf } from '../../loader/btf/btf.ts';
import { readBtfHeader } from '../../loader/btf/header.ts';
import { kindNumber } from '../../loader/btf/kinds.ts';
import { indexTypes } from '../../loader/btf/type-index.ts';
import type { BtfKind } from '../../loader/btf/types.ts';
import type { FactValues } from './facts.ts';

/** What a kernel's BTF has, as facts. */
export function btfFacts(btf: Btf | null): FactValues {
  const count = (kind: BtfKind): number => btf?.count(kind) ?? 0;
  return {
    'btf.present': btf !== null,
    'btf.bytes': btf?.bytes.length ?? 0,
    'btf.types': btf === null ? 0 : btf.endId - btf.firstId,
    'btf.vars': count('var'),
    'btf.datasecs': count('datasec'),
    'btf.funcs': count('func'),
    ...(btf === null ? { 'btf.datasec-names': '', 'btf.sorted': false } : namesOf(btf)),
  };
}

/**
 * What the names of the types tell. Since 7.0 resolve_btfids sorts the types by name, byte for byte, those without one first, and the
 * kernel then finds names by bisection (btf_check_sorted, kernel/bpf/btf.c). 100,000 types are not inflated for their names.
 */
function namesOf(btf: Btf): FactValues {
  const { strings, ...header } = readBtfHeader(btf.bytes, btf.name, false);
  const { count, names, kinds } = indexTypes({ strings, ...header }, btf.name);
  const datasec = kindNumber('datasec');
  const nameOf = (position: number): Uint8Array => {
    const start = names[position] ?? 0;
    return strings.subarray(start, strings.indexOf(0, start));
  };
  const datasecs: string[] = [];
  let sorted = true;
  let before = nameOf(0);
  for (let position = 0; position < count; position++) {
    if (kinds[position] === datasec) datasecs.push(new TextDecoder().decode(nameOf(position)));
    if (!sorted) continue;
    const name = nameOf(position);
    sorted = Buffer.compare(before, name) <= 0;
    before = name;
  }
  return { 'btf.datasec-names': datasecs.sort().join(' '), 'btf.sorted': sorted };
}
