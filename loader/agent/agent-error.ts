import { type ErrorDetails, ExplainedError } from '../errors.ts';
import { errnoName } from './errno.ts';

/** What went wrong between a host and its agent. After the first four the connection is closed. */
export type AgentErrorCode =
  /** The stream ended or failed. */
  | 'agent-lost'
  /** No answer within the request's deadline. */
  | 'agent-timeout'
  /** The other side sent something that is no frame, or not the frame that was due. */
  | 'agent-protocol'
  /** The agent speaks another version of the protocol. */
  | 'agent-version'
  /** The agent answered that the request is malformed or not permitted. */
  | 'agent-refused'
  /** A file could not be read or a program not be started; {@link AgentError.errno} says why. */
  | 'agent-call-failed';

/** An error of an agent connection. */
export class AgentError extends ExplainedError {
  declare readonly code: AgentErrorCode;
  /** The error number for `agent-call-failed`, else null. */
  readonly errno: number | null;
  /** Its name, such as `ENOENT`. */
  readonly errnoName: string | null;

  constructor(code: AgentErrorCode, what: string, details: ErrorDetails & { readonly errno?: number } = {}) {
    super(code, what, details);
    this.errno = details.errno ?? null;
    this.errnoName = details.errno === undefined ? null : errnoName(details.errno);
  }
}
AgentError.prototype.name = 'AgentError';
