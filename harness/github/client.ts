import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { Octokit } from '@octokit/rest';
import { fetch as undiciFetch } from 'undici';
import { type Environment, openDispatcher } from '../../kernels/http/proxy.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { explainFailure, type RateLimit } from './errors.ts';
import { redact } from './token.ts';

/** How GitHub is asked. */
export interface GithubOptions {
  readonly token: string;
  /** `GITHUB_API_URL`. Default: https://api.github.com. */
  readonly apiUrl?: string | undefined;
  /** Told of every wait, and of what else a person may wonder at; holds no token. */
  readonly say: (line: string) => void;
  /** Ends whatever is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one request. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Seconds that are waited for rate limits, all of them together. Default: 600. */
  readonly patienceSeconds?: number;
  /** How many milliseconds a second of waiting lasts. Default: 1000; tests have shorter ones, and no pause between writes. */
  readonly secondMs?: number;
  /** Where proxies are looked for. Default: this process's environment. */
  readonly env?: Environment;
}

/** GitHub's REST API, by {@link openGithub}. */
export interface Github {
  readonly rest: Octokit['rest'];
  readonly paginate: Octokit['paginate'];
  readonly say: (line: string) => void;
  /** Waits so many seconds, and says so. @throws ExplainedError `interrupted` */
  readonly pause: (seconds: number, why: string) => Promise<void>;
}

/** For `request` of a call that must not be repeated by itself, since nobody knows whether it was carried out: see write-once.ts. */
export const NO_RETRIES = { retries: 0 } as const;

/**
 * A client for GitHub's REST API that keeps to its rules ("Best practices for using the REST API", "Rate limits for the REST API"): one write at a time
 * with a pause after it, what Retry-After and x-ratelimit-reset say is waited for (three times for one request, and together no longer than
 * `patienceSeconds`), reading requests that time out, break off or meet a 5xx are tried three times more after 1, 4 and 9 s, 4xx are not. Requests fail with
 * {@link import('./errors.ts').GithubError}, whose text holds no token.
 *
 * @throws ExplainedError `bad-address`, `bad-proxy`
 */
export function openGithub(options: GithubOptions): Github {
  const { token, secondMs = 1000, patienceSeconds = 600, timeoutMs = 30_000, signal } = options;
  const apiUrl = parseApiUrl(options.apiUrl ?? 'https://api.github.com');
  const say = (line: string): void => options.say(redact(line, token));
  const dispatcher = openDispatcher(options.env ?? process.env, { connectMs: timeoutMs, stallMs: timeoutMs });
  // One of each request.
  if (signal !== undefined) setMaxListeners(0, signal);
  let waited = 0;
  /** The limits that were not waited for, by request. */
  const limits = new WeakMap<object, RateLimit>();
  const decide = (seconds: number, request: { method: string; url: string; request?: object }, tries: number) => {
    if (tries >= LIMIT_TRIES || waited + seconds > patienceSeconds) {
      limits.set(request, { seconds, waited });
      return false;
    }
    waited += seconds;
    say(`GitHub asks for a pause (rate limit): ${request.method} again in ${seconds} s`);
    return true;
  };

  const client = new PoliteOctokit({
    auth: token,
    baseUrl: apiUrl,
    userAgent: 'ksym-matrix',
    log: { debug: ignore, info: ignore, warn: say, error: ignore },
    request: {
      fetch: async (url: string, init: Parameters<typeof undiciFetch>[1]) => {
        // An address out of an answer (the next page) is no reason to hand the token to somebody else.
        if (!url.startsWith(`${apiUrl}/`)) throw new TypeError(`${new URL(url).origin} is not ${apiUrl}`);
        return undiciFetch(url, { ...init, dispatcher, signal: limitTime(timeoutMs, signal) });
      },
      log: { debug: ignore, info: ignore, warn: say, error: ignore },
    },
    retry: { retryAfterBaseValue: secondMs, retries: RETRIES, doNotRetry: CLIENT_ERRORS },
    throttle: {
      retryAfterBaseValue: secondMs,
      ...(secondMs < 1000 ? { write: UNPACED, notifications: UNPACED } : {}),
      onRateLimit: (seconds, request, _client, tries) => decide(seconds, request, tries),
      onSecondaryRateLimit: (seconds, request, _client, tries) => decide(seconds, request, tries),
    },
    say,
  });
  client.hook.before('request', (request) => {
    // The version that docs and OpenAPI description are of ("API Versions").
    request.headers['x-github-api-version'] = API_VERSION;
    request.headers.accept = 'application/vnd.github+json';
  });
  // The last hook is the outermost one: it sees what is left when nothing is tried again.
  client.hook.wrap('request', async (request, asked) => {
    try {
      return await request(asked);
    } catch (error) {
      if (signal?.aborted === true) throw interrupted();
      const { url } = client.request.endpoint(asked);
      throw explainFailure(
        { method: asked.method, path: redact(url.replace(apiUrl, ''), token) },
        answeredStatus(error),
        redact(messageOf(error), token),
        limits.get(asked) ?? null,
      );
    }
  });

  return {
    rest: client.rest,
    paginate: client.paginate,
    say,
    pause: async (seconds, why) => {
      say(`${why}: again in ${seconds} s`);
      await sleep(seconds * secondMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw interrupted();
      });
    },
  };
}

const API_VERSION = '2022-11-28';

/** Tries of a reading request after the first. */
const RETRIES = 3;

/** Times that one request waits for a rate limit. */
const LIMIT_TRIES = 3;

/** What is wrong with the request does not mend itself; rate limits (403, 429) are the throttling's. 408 says nothing of the request. */
const CLIENT_ERRORS = Array.from({ length: 100 }, (_, index) => 400 + index).filter((status) => status !== 408);

/** In the order in which they wrap a request, from the inside: each try is told, tries are repeated, rate limits hold up all of it. */
const PoliteOctokit = Octokit.plugin(tellRetries, retry, throttling);

/** Says what failed and is tried again, which the retry plugin does by itself: after 1, 4 and 9 s. */
function tellRetries(client: CoreOctokit, { say }: CoreOptions): void {
  client.hook.error('request', (error, { request: { retries = RETRIES, retryCount = 0 }, method }) => {
    const status = answeredStatus(error);
    const isRetried = (status === null || !CLIENT_ERRORS.includes(status)) && retryCount < retries;
    if (isRetried) say?.(`${method} failed (${status ?? messageOf(error)}): again in ${(retryCount + 1) ** 2} s`);
    throw error;
  });
}

type CoreOctokit = Parameters<typeof retry>[0];

type CoreOptions = Parameters<typeof retry>[1];

function parseApiUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isLocal = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost' || url?.hostname === '[::1]';
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal);
  if (url !== null && isSafe && url.username === '' && url.search === '' && url.hash === '') {
    return url.href.replace(/\/+$/, '');
  }
  throw new ExplainedError(
    'bad-address',
    `not the address of GitHub's API: ${JSON.stringify(redact(text.replace(/\/\/[^/]*@/, '//'), ''))}`,
    {
      where: 'GITHUB_API_URL',
      fix: 'Give it as in https://HOST/PATH; a token goes over nothing else.',
    },
  );
}

/** Node's own AbortSignal.any with AbortSignal.timeout may be collected before it fires. */
function limitTime(timeoutMs: number, signal: AbortSignal | undefined): AbortSignal {
  const controller = new AbortController();
  const late = new DOMException(`no answer within ${timeoutMs / 1000} s`, 'TimeoutError');
  setTimeout(() => controller.abort(late), timeoutMs).unref();
  const stop = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) stop();
  else signal?.addEventListener('abort', stop, { once: true });
  return controller.signal;
}

/** The status of an answer that came; Octokit gives 500 to what never had one. */
function answeredStatus(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('response' in error) || error.response === undefined)
    return null;
  return 'status' in error && typeof error.status === 'number' ? error.status : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function interrupted(): ExplainedError {
  return new ExplainedError('interrupted', 'asking GitHub was interrupted');
}

function ignore(): void {}

/** Lets everything through at once. What the plugin asks of a group is this method. */
const UNPACED = {
  key: () => ({
    schedule: async (_options: object, work: (...args: unknown[]) => unknown, ...args: unknown[]) => work(...args),
  }),
} as unknown as NonNullable<ThrottlingOptions['write']>;

type ThrottlingOptions = NonNullable<NonNullable<ConstructorParameters<typeof PoliteOctokit>[0]>['throttle']>;
