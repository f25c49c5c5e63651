import { type ErrorDetails, ExplainedError } from '../../loader/errors.ts';

/** A request that GitHub refused, or that did not reach it. The text says what to do about it and holds no token. */
export class GithubError extends ExplainedError {
  /** HTTP status; null if there was no answer. */
  readonly status: number | null;
  /** What GitHub said, in its own words. */
  readonly said: string;

  constructor(code: string, what: string, status: number | null, said: string, details: ErrorDetails) {
    super(code, what, details);
    this.status = status;
    this.said = said;
  }

  /** Whether it is open if the request was carried out: no answer came, or one of a server that broke. */
  get isUncertain(): boolean {
    return this.status === null || this.status >= 500;
  }
}
GithubError.prototype.name = 'GithubError';

/** A request, for messages. */
export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
}

/**
 * The error for a request that failed, with what to do about it. Permissions are those that the REST API's reference names for each endpoint.
 *
 * @param status HTTP status; null if there was no answer
 * @param said what GitHub said, or what broke; fit to be shown
 * @param limit the rate limit that was met and not waited for; null if it was none
 */
export function explainFailure(
  asked: Asked,
  status: number | null,
  said: string,
  limit: RateLimit | null,
): GithubError {
  const where = `${asked.method} ${asked.path}`;
  const because = (code: string, what: string, fix?: string): GithubError =>
    new GithubError(code, what, status, said, { where, why: said, ...(fix === undefined ? {} : { fix }) });
  if (limit !== null) {
    return because(
      'github-rate-limited',
      `GitHub takes no more requests for ${limit.seconds} s`,
      `Run the job again then. ${limit.waited} s were waited for it already.`,
    );
  }
  if (status === null) {
    return because('github-unreachable', 'GitHub does not answer', 'Run the job again; https://www.githubstatus.com.');
  }
  if (status >= 500) {
    return because('github-unavailable', `GitHub is out of order (${status})`, 'Run the job again later.');
  }
  if (status === 401) return because('github-unauthorized', 'GitHub does not know this token', 'It may have expired.');
  if (status === 403 && /must authenticate via a GitHub App/i.test(said)) {
    return because(
      'github-needs-app',
      'check runs are made by GitHub Apps alone',
      'Use the token of the workflow (GITHUB_TOKEN) rather than a personal one, or leave out --check.',
    );
  }
  if (status === 403 && /locked/i.test(said)) return because('github-locked', 'the conversation is locked');
  if (status === 403) {
    return because(
      'github-forbidden',
      'this token may not do that',
      `Give the job \`permissions:\` with \`${permissionFor(asked)}\`. A run for a pull request from a fork never has it: publish from a workflow_run job (docs/github.md).`,
    );
  }
  if (status === 404) {
    return because(
      'github-not-found',
      'GitHub has no such thing, or does not show it to this token',
      `Check the name of the repository, and that the job's \`permissions:\` have \`${permissionFor(asked)}\`.`,
    );
  }
  return because('github-refused', `GitHub refuses it (${status})`);
}

/** A rate limit that it takes too long to wait for. */
export interface RateLimit {
  /** Until it is over. */
  readonly seconds: number;
  /** What was waited before. */
  readonly waited: number;
}

/** The line of a workflow's `permissions:` that a request needs. */
function permissionFor({ method, path }: Asked): string {
  const access = method === 'GET' ? 'read' : 'write';
  return `${/\/check-runs(\/|\?|$)/.test(path) ? 'checks' : 'pull-requests'}: ${access}`;
}
