import type { ObjectContent } from '../../loader/object/spec.ts';
import type { ExternResult } from '../results/results.ts';
import type { AdapterAnswer } from './adapter-answer.ts';

/**
 * What is known of an object's externs: what was observed, and of those of which no instruction was seen to tell anything, what the loader says. That is so
 * for programs that are loaded by a BPF program (a light skeleton). Only addresses of typeless ones: a typed one is a BTF id, and no address that a loader knows.
 */
export function withToldExterns(
  { externs }: Pick<ObjectContent, 'externs'>,
  observed: readonly ExternResult[],
  told: AdapterAnswer['externs'] = [],
): ExternResult[] {
  const more = externs.flatMap(({ name, kind, weak }): ExternResult[] => {
    const one = told.find((extern) => extern.name === name);
    if (one === undefined || kind !== 'typeless' || observed.some((extern) => extern.name === name)) return [];
    const address = BigInt(one.address);
    return [
      { name, kind, weak, ...(address === 0n ? { result: 'null' } : { result: 'address', address: toHex(address) }) },
    ];
  });
  return [...observed, ...more];
}

function toHex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
