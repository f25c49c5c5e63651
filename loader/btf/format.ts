import type { Btf, TypeId } from './btf.ts';
import { declare } from './declarator.ts';

/**
 * A type's name on one line, as C would declare it without a variable: `struct rq *[4]`, `int (*)(int, void *)`. For
 * messages, so it never throws for types that nest or refer to each other without end: it writes `…` instead.
 * Anonymous structs, unions and enums are `struct {…}`; a VAR is its type, a FUNC its prototype with its name.
 */
export function formatType(btf: Btf, id: TypeId): string {
  return declare(btf, id, '', {
    left: MOST_TYPES,
    anonymous: ({ kind }) => `${kind === 'enum64' ? 'enum' : kind} {…}`,
  });
}

/** More than a person could read: damaged BTF may hold prototypes that take themselves, many times over. */
const MOST_TYPES = 64;
