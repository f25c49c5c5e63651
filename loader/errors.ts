/**
 * An error whose text is complete for the person who reads it: what happened, where, why, and what to do about it.
 * The command line prints these without a stack trace; every other error is a defect and keeps its trace.
 */
export class ExplainedError extends Error {
  /** Stable identifier in kebab-case, for programs that branch on the kind of error. */
  readonly code: string;
  /** File, section, symbol, line or path the error is about. */
  readonly where: string | undefined;
  /** The cause, in one or two sentences. */
  readonly why: string | undefined;
  /** What the reader can do. */
  readonly fix: string | undefined;

  constructor(code: string, what: string, details: ErrorDetails = {}) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.where = details.where;
    this.why = details.why;
    this.fix = details.fix;
  }

  /** The whole message on one or several lines: `where: what: why` and, on a line of its own, what to do. */
  explain(): string {
    const head = [this.where, this.message, this.why].filter((part) => part !== undefined && part !== '').join(': ');
    return this.fix === undefined ? head : `${head}\n  → ${this.fix}`;
  }
}
ExplainedError.prototype.name = 'ExplainedError';

/** The parts of an {@link ExplainedError} beside what happened. */
export interface ErrorDetails {
  readonly where?: string;
  readonly why?: string;
  readonly fix?: string;
  readonly cause?: unknown;
}

/** Bytes that do not follow their format (ELF, BTF, kallsyms): the position is part of the error. */
export class FormatError extends ExplainedError {
  /** The part of the file: an ELF section's name, or the name of a header. */
  readonly section: string;
  /** Offset in bytes from the start of {@link FormatError.section}. */
  readonly offset: number;

  constructor(code: string, what: string, position: { section: string; offset: number }, details: ErrorDetails = {}) {
    const at = `${position.section}+0x${position.offset.toString(16)}`;
    super(code, what, { ...details, where: details.where === undefined ? at : `${details.where}: ${at}` });
    this.section = position.section;
    this.offset = position.offset;
  }
}
FormatError.prototype.name = 'FormatError';

/** An object that is well-formed, yet uses something that cannot be loaded: a refusal names section, symbol and instruction. */
export class ObjectError extends ExplainedError {
  readonly section: string | undefined;
  readonly symbol: string | undefined;
  /** Index of the instruction slot (8 bytes each) in its section. */
  readonly instruction: number | undefined;

  constructor(
    code: string,
    what: string,
    position: { file?: string; section?: string; symbol?: string; instruction?: number },
    details: ErrorDetails = {},
  ) {
    const parts = [
      position.file,
      position.section === undefined ? undefined : `section ${position.section}`,
      position.symbol === undefined ? undefined : `symbol ${position.symbol}`,
      position.instruction === undefined ? undefined : `instruction ${position.instruction}`,
    ];
    super(code, what, { where: parts.filter((part) => part !== undefined).join(', '), ...details });
    this.section = position.section;
    this.symbol = position.symbol;
    this.instruction = position.instruction;
  }
}
ObjectError.prototype.name = 'ObjectError';
