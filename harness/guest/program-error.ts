import { type ErrorDetails, ExplainedError } from '../../loader/errors.ts';

/**
 * A program of the user that cannot be run in a guest, for a reason that shows on the host.
 * - `program-not-found`: there is no such file
 * - `program-not-executable`: it is there and is no program, or may not be executed
 * - `program-architecture`: it is for another machine
 * - `library-missing`: a library that it needs is nowhere on this host
 * - `interpreter-not-portable`: a script whose interpreter needs more than itself
 */
export type ProgramErrorCode =
  | 'program-not-found'
  | 'program-not-executable'
  | 'program-architecture'
  | 'library-missing'
  | 'interpreter-not-portable';

/** See {@link ProgramErrorCode}. */
export class ProgramError extends ExplainedError {
  declare readonly code: ProgramErrorCode;

  constructor(code: ProgramErrorCode, what: string, details: ErrorDetails = {}) {
    super(code, what, details);
  }
}
ProgramError.prototype.name = 'ProgramError';
