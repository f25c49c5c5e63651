import type { ExternResolution, ReasonCode } from '../../loader/resolve/outcome.ts';

const BINDINGS = ['weak', 'strong'] as const;
const KINDS = ['typeless', 'typed', 'kfunc'] as const;
const STATES = ['found', 'missing', 'ambiguous', 'mismatched', 'hidden', 'zero'] as const;
const PLACES = ['vmlinux', 'module'] as const;

/** An extern as phrases ask about it. */
export interface AskedExtern extends ExternResolution {
  /** Its declared type begins with const, as in `extern const void x`. */
  readonly isConst?: boolean;
  /** /proc/kallsyms has its name, whatever the extern is resolved by. */
  readonly isListed?: boolean;
}

/** What is asked of an object's externs in a few words: `weak typed missing`, `no typeless`, `any`. */
export interface ExternPhrase {
  /** The object has no such extern. */
  readonly none: boolean;
  readonly binding: (typeof BINDINGS)[number] | null;
  readonly kind: (typeof KINDS)[number] | null;
  /** What it is on the kernel, by the rules of our own resolve step. */
  readonly state: (typeof STATES)[number] | null;
  /** For typed externs and kfuncs that were found: whose BTF lists it. */
  readonly place: (typeof PLACES)[number] | null;
  /** It is declared const. */
  readonly isConst: boolean;
  /** Its name is in /proc/kallsyms. */
  readonly isListed: boolean;
}

/** The words of a phrase, for schemas and messages. */
export const PHRASE_WORDS = `no, any, const, listed, ${[...BINDINGS, ...KINDS, ...STATES, ...PLACES].join(', ')}`;

/** Reads a phrase; undefined if a word is unknown, or there are two of a sort. */
export function parseExternPhrase(text: string): ExternPhrase | undefined {
  const words = text.split(' ').filter((word) => word !== '');
  const rest = new Set(words);
  if (rest.size !== words.length) return undefined;
  const take = <Word extends string>(known: readonly Word[]): Word | null => {
    const found = known.find((word) => rest.has(word)) ?? null;
    if (found !== null) rest.delete(found);
    return found;
  };
  const phrase = {
    none: take(['no']) !== null,
    isConst: take(['const']) !== null,
    isListed: take(['listed']) !== null,
    binding: take(BINDINGS),
    kind: take(KINDS),
    state: take(STATES),
    place: take(PLACES),
  };
  const isAny = take(['any']) !== null;
  const asks =
    phrase.isConst || phrase.isListed || (phrase.binding ?? phrase.kind ?? phrase.state ?? phrase.place) !== null;
  // `any` is an extern of whatever sort: it stands alone, but for `no`.
  return rest.size > 0 || asks === isAny ? undefined : phrase;
}

/** Whether an object's externs, as our rules resolve them on a kernel, are as a phrase says. */
export function phraseHolds(phrase: ExternPhrase, externs: readonly AskedExtern[]): boolean {
  return externs.some((extern) => isSuch(extern, phrase)) !== phrase.none;
}

/** Whether a phrase is about an extern that the object has: one that begins with `no` is about none. */
export function isAbout(phrase: ExternPhrase, extern: AskedExtern): boolean {
  return !phrase.none && isSuch(extern, phrase);
}

function isSuch(extern: AskedExtern, { binding, kind, state, place, isConst, isListed }: ExternPhrase): boolean {
  if (isConst && extern.isConst !== true) return false;
  if (isListed && extern.isListed !== true) return false;
  if (binding !== null && extern.weak !== (binding === 'weak')) return false;
  if (kind !== null && extern.kind !== kind) return false;
  if (state !== null && !isInState(extern, state)) return false;
  return place === null || placeOf(extern) === place;
}

function isInState({ outcome }: ExternResolution, state: (typeof STATES)[number]): boolean {
  switch (outcome.result) {
    case 'address':
      return state === 'found' || (state === 'zero' && outcome.address === 0n);
    case 'btf-id':
      return state === 'found';
    case 'null':
    case 'error':
      return STATE_OF_REASON[outcome.reason] === state;
  }
}

/** What a module's BTF that cannot be read would have is not there for the loader: `missing`. */
const STATE_OF_REASON: Readonly<Record<ReasonCode, (typeof STATES)[number] | null>> = {
  NOT_IN_KALLSYMS: 'missing',
  KALLSYMS_UNREADABLE: 'hidden',
  KALLSYMS_RESTRICTED: 'hidden',
  AMBIGUOUS: 'ambiguous',
  NO_KERNEL_BTF: 'missing',
  NO_VARS_IN_KERNEL_BTF: 'missing',
  VAR_NOT_IN_BTF: 'missing',
  INCOMPATIBLE_TYPE: 'mismatched',
  // BTF has it; what is lacking is the kernel's part.
  KERNEL_TOO_OLD_FOR_BTF_ID: 'found',
  VAR_HAS_NO_ADDRESS: 'found',
  MODULE_BTF_EPERM: 'missing',
  MODULE_BTF_UNSUPPORTED: 'missing',
  MODULE_HAS_NO_BTF: 'missing',
  KFUNC_NOT_FOUND: 'missing',
  KFUNC_PROTO_MISMATCH: 'mismatched',
  KFUNC_ADDRESS_UNSUPPORTED: 'found',
};

function placeOf({ outcome }: ExternResolution): (typeof PLACES)[number] | null {
  switch (outcome.result) {
    case 'btf-id':
      return outcome.module === null ? 'vmlinux' : 'module';
    case 'null':
    case 'error':
      return outcome.reason.startsWith('MODULE_') ? 'module' : null;
    case 'address':
      return null;
  }
}
