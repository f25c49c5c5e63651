import { type ErrorDetails, ExplainedError } from '../../loader/errors.ts';

/**
 * The host's files cannot be had in a guest.
 * - `virtiofsd-missing`, `virtiofsd-failed`: the program that shares them is not there, or does not start
 * - `host-root-unsupported`: the guest's kernel has no virtiofs, or did not take the device
 * - `host-root-failed`: the guest could not mount them
 */
export type HostRootErrorCode = 'virtiofsd-missing' | 'virtiofsd-failed' | 'host-root-unsupported' | 'host-root-failed';

/** See {@link HostRootErrorCode}. */
export class HostRootError extends ExplainedError {
  declare readonly code: HostRootErrorCode;

  constructor(code: HostRootErrorCode, what: string, details: ErrorDetails = {}) {
    super(code, what, details);
  }
}
HostRootError.prototype.name = 'HostRootError';
