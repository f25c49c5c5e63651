import { ExplainedError } from '../../loader/errors.ts';
import { describeProxy, type Environment } from './proxy.ts';

/** Header fields of an answer, by lower-case name; fields that are there several times are joined by `, `. */
export type Headers = Readonly<Record<string, string>>;

interface StatusAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** An answer whose status says that there is nothing: code `not-found` for 404 and 410, else `http-status`. */
export class HttpStatusError extends ExplainedError {
  readonly status: number;
  readonly headers: Headers;
  /** The beginning of what the server said, for callers that know its form. */
  readonly body: string;

  constructor(url: URL, answer: StatusAnswer, note = '') {
    const { status, headers, body } = answer;
    const gone = status === 404 || status === 410;
    const verb = status >= 500 ? 'is in trouble' : 'refuses this';
    super(gone ? 'not-found' : 'http-status', `${url.host} ${gone ? 'does not have this' : verb}`, {
      where: publicAddress(url),
      why: `it answered with status ${status}${note}`,
      fix: adviceFor(status),
    });
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}
HttpStatusError.prototype.name = 'HttpStatusError';

/** Something that went wrong on the way and may go right the next time. */
export class PassingTrouble extends Error {
  /** Milliseconds that the server asks to wait; null if it does not say. */
  readonly waitMs: number | null;

  constructor(message: string, waitMs: number | null = null) {
    super(message);
    this.waitMs = waitMs;
  }
}
PassingTrouble.prototype.name = 'PassingTrouble';

/** An address as messages may show it: without credentials, and without the query, which holds the keys of signed addresses. */
export function publicAddress(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The error for a server that could not be reached or did not finish. */
export function networkFailed(
  why: string,
  tries: number,
  asked: { readonly url: URL; readonly env: Environment; readonly mirrorVariable?: string | undefined },
  cause?: unknown,
): ExplainedError {
  const { url, env, mirrorVariable } = asked;
  const proxy = describeProxy(env, url);
  const advice = [
    proxy === null
      ? 'Check the network; behind a proxy, set http_proxy and https_proxy.'
      : `Check the network and the proxy: ${proxy}.`,
    mirrorVariable === undefined ? '' : `${mirrorVariable} names another mirror.`,
    'What is in the cache still works offline.',
  ];
  return new ExplainedError('network-failed', `${url.host} cannot be read from`, {
    where: publicAddress(url),
    why: `${why} (${timesTried(tries)})`,
    fix: advice.filter((sentence) => sentence !== '').join(' '),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** How often something was tried, in words. */
export function timesTried(tries: number): string {
  return tries === 1 ? 'tried once' : `tried ${tries} times`;
}

/** The error for what has another size or digest than was announced. */
export function contentMismatch(url: URL, what: string, expected: string, found: string): ExplainedError {
  return new ExplainedError('digest-mismatch', `${url.host} served something else than was announced`, {
    where: publicAddress(url),
    why: `${what} is ${found}, and should be ${expected}`,
    fix: 'Try again later, or use another mirror: what was served is not used.',
  });
}

/** The error for an answer that is larger than its caller allows. */
export function tooLarge(url: URL, maxBytes: number): ExplainedError {
  return new ExplainedError('too-large', `${url.host} serves more than is taken from it`, {
    where: publicAddress(url),
    why: `the limit is ${maxBytes} bytes`,
    fix: 'This is not what was asked for: check the address, or use another mirror.',
  });
}

/** The error for what the user, or the end of this process, cut short. */
export function interrupted(url: URL): ExplainedError {
  return new ExplainedError('interrupted', `reading from ${url.host} was interrupted`, { where: publicAddress(url) });
}

/** What one failed try says about the next; null if that would fail alike. */
export function passingTrouble(error: unknown): PassingTrouble | null {
  if (error instanceof PassingTrouble) return error;
  if (error instanceof HttpStatusError) {
    if (!RETRIED.has(error.status) && error.status < 500) return null;
    return new PassingTrouble(`status ${error.status}`, retryAfter(error.headers['retry-after']));
  }
  if (error instanceof ExplainedError) return null;
  return PASSING.test(codeOf(error)) ? new PassingTrouble(reasonOf(error)) : null;
}

/** Why no connection stands that could be used, though trying again is of no use: a certificate, or a proxy that refuses; null for other errors. */
export function lastingTrouble(error: unknown): string | null {
  return LASTING.test(codeOf(error)) ? reasonOf(error) : null;
}

/** What a failed connection is about. Where several addresses were tried, each reason once. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join(', ');
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return REASONS[code] ?? (message || code || 'the connection failed');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Milliseconds that a Retry-After field asks to wait: RFC 9110 §10.2.3, a number of seconds or a date. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

function adviceFor(status: number): string {
  if (status === 404 || status === 410) return 'Check the name and the version, or use another mirror.';
  if (status === 401 || status === 403) return 'Check the address, and whether one has to log in there.';
  if (status === 407) return 'The proxy wants to know who you are: give it as http://USER:PASSWORD@PROXY:PORT.';
  return 'Try again later, or use another mirror.';
}

const RETRIED: ReadonlySet<number> = new Set([408, 425, 429]);
/** Codes of Node's sockets and resolver, of undici, and of its HTTP parser. */
const PASSING =
  /^(E(CONN\w+|PIPE|AI_AGAIN|TIMEDOUT|HOST\w+|NET\w+|NOTFOUND)|UND_ERR_(?!INVALID|NOT_SUPPORTED|ABORTED)\w+|HPE_\w+)$/;
const LASTING = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|ERR_TLS_|ERR_SSL_|EPROTO$|UND_ERR_ABORTED$)/;
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ENETUNREACH: 'the network cannot be reached',
  EHOSTUNREACH: 'the host cannot be reached',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_HEADERS_TIMEOUT: 'the server did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was cut',
};
