import { ExplainedError } from '../../loader/errors.ts';
import type { Field } from './fields.ts';

/** A part of the loader that takes bytes which nobody has checked, and what it is to be tried with. */
export interface Target {
  /** In kebab-case, as `--target` takes it. */
  readonly name: string;
  readonly seeds: readonly Seed[];
  /** Pieces that inputs of this kind are made of, for insertions. */
  readonly words: readonly Uint8Array[];
  /**
   * Puts an input through everything that can be asked. Calls what may refuse it through {@link Refusals.attempt}; whatever else it throws is a
   * finding.
   */
  readonly run: (bytes: Uint8Array, refusals: Refusals) => void;
}

/** An input that is as it should be, from which others are made. */
export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly fields: readonly Field[];
}

/** What is wrong with how the library took an input. */
export class Violation extends Error {
  /** In kebab-case; findings of the same kind and place count as one. */
  readonly kind: string;

  constructor(kind: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
Violation.prototype.name = 'Violation';

/** Tells the library's own errors, which are answers, from all others, which are defects. */
export class Refusals {
  /** Set by a target once the library has taken the input as a whole. */
  accepted = false;

  /**
   * What `call` gives, or undefined if the library refused it.
   * @throws Violation for any error that is not the library's own, or whose explanation is not complete.
   */
  attempt<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#judge(error);
      return undefined;
    }
  }

  /** As {@link Refusals.attempt}, for calls that must be refused a second time in the same words: an error leaves nothing half done. */
  attemptTwice<T>(call: () => T): T | undefined {
    const first = this.attempt(() => ({ value: call() }));
    if (first !== undefined) return first.value;
    if (this.attempt(() => ({ value: call() })) === undefined) return undefined;
    throw new Violation('half-result', 'what was refused once was given when asked again');
  }

  #judge(error: unknown): void {
    if (error instanceof Violation) throw error;
    if (!(error instanceof ExplainedError)) {
      const name = error instanceof Error ? error.name : typeof error;
      throw new Violation('foreign-error', `${name}: ${error instanceof Error ? error.message : String(error)}`, error);
    }
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(error.code) || error.explain() === '') {
      throw new Violation('unexplained-error', `an error with code ${JSON.stringify(error.code)}`, error);
    }
  }
}
