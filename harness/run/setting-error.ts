import { type ErrorDetails, ExplainedError } from '../../loader/errors.ts';

/** This kernel cannot be set as a variant asks: it has no such sysctl or capability, or refuses the value. A finding about the kernel, and no fault. */
export class SettingError extends ExplainedError {
  constructor(what: string, details: ErrorDetails = {}) {
    super('setting-unavailable', what, details);
  }
}
SettingError.prototype.name = 'SettingError';
