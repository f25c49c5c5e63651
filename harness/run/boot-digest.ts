import { createHash } from 'node:crypto';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { GuestState } from './guest-observer.ts';

/** Hex digits that tell one boot from another. */
const DIGITS = 16;

/**
 * The same for machines in which every symbol has the same address: those that come from one boot. A digest of `/proc/kallsyms`, because that is what
 * matters. Undefined if it could not be read.
 */
export function bootDigest(state: Pick<GuestState, 'kernel'> | null): string | undefined {
  const kallsyms = state?.kernel.kallsyms ?? null;
  if (kallsyms === null) return undefined;
  const known = digests.get(kallsyms) ?? createHash('sha256').update(kallsyms.bytes).digest('hex').slice(0, DIGITS);
  digests.set(kallsyms, known);
  return known;
}

/** All cells of a boot share the object; there are several megabytes of it. */
const digests = new WeakMap<Kallsyms, string>();
