import type { Dispatcher } from 'undici';
import { ExplainedError } from '../../loader/errors.ts';
import { type Downloaded, type DownloadOptions, downloadFile } from './download.ts';
import { exchange } from './exchange.ts';
import { type Headers, tooLarge } from './http-errors.ts';
import { type Environment, openDispatcher } from './proxy.ts';
import { type RetryContext, type RetryPolicy, withRetries } from './retry.ts';

export type { Downloaded, DownloadOptions } from './download.ts';
export { type Headers, HttpStatusError } from './http-errors.ts';

/** How an {@link HttpClient} asks. */
export interface HttpClientOptions {
  /** Ends whatever is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Tries after the first that bring nothing new. Default: 4. */
  readonly retries?: number;
  /** Milliseconds before the first retry; it doubles each time up to 16 s, less a random part of up to a half. Default: 500. */
  readonly firstDelayMs?: number;
  /** Milliseconds that a server may keep silent before the connection counts as broken. Default: 30,000. */
  readonly stallMs?: number;
  /** Says who asks. Default: `ksym-matrix`. */
  readonly userAgent?: string;
  /** Where `http_proxy`, `https_proxy` and `no_proxy` are looked for. Default: this process's environment. */
  readonly env?: Environment;
  /** Variable that names another server to ask instead, for the message if this one is away. */
  readonly mirrorVariable?: string;
  /** A line about a failure that is followed by another try. */
  readonly onRetry?: (message: string) => void;
}

/** What {@link HttpClient.get} may be told. */
export interface GetOptions {
  readonly headers?: Headers;
  /** The largest body that is taken. Default: 16 MiB. */
  readonly maxBytes?: number;
  /** Statuses outside 200…299 that are answers too, rather than errors. */
  readonly accept?: readonly number[];
}

/** A whole answer in memory. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  /** Where it came from, after redirects. */
  readonly url: string;
}

/**
 * Reads from web servers as one does on a bad line: what fails for a moment is tried again (connections, time-outs, statuses 408, 425, 429 and
 * 5xx; Retry-After is obeyed up to two minutes), downloads go on where they broke off, proxies of the environment are used, sizes are limited.
 *
 * Every method throws ExplainedError: `network-failed`, `not-found`, `http-status` (both {@link HttpStatusError}), `too-large`, `bad-redirect`,
 * `bad-address`, `bad-proxy`, `interrupted`.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #policy: RetryPolicy;
  #dispatcher: Dispatcher | null = null;

  constructor(options: HttpClientOptions = {}) {
    this.#options = options;
    this.#policy = {
      retries: options.retries ?? 4,
      firstDelayMs: options.firstDelayMs ?? 500,
      longestDelayMs: 16_000,
      longestWaitMs: 120_000,
    };
  }

  /** Reads a document into memory. */
  async get(address: string, options: GetOptions = {}): Promise<HttpResponse> {
    const { headers = {}, maxBytes = 16 << 20, accept = [] } = options;
    const url = parseAddress(address);
    return withRetries(
      async () => {
        const answer = await exchange({
          url,
          headers: this.#headers(headers),
          dispatcher: this.#connections(),
          signal: this.#options.signal,
          accepts: (status) => (status >= 200 && status < 300) || accept.includes(status),
        });
        const chunks: Buffer[] = [];
        let length = 0;
        for await (const chunk of answer.body) {
          length += chunk.length;
          if (length > maxBytes) throw tooLarge(answer.url, maxBytes);
          chunks.push(chunk);
        }
        return {
          status: answer.status,
          headers: answer.headers,
          body: Buffer.concat(chunks),
          url: answer.url.href,
        };
      },
      this.#policy,
      this.#retryContext(url),
    );
  }

  /**
   * Downloads a file. It goes into a temporary file beside `file`, which is renamed at the end: `file` is never there in part. What is
   * there already is replaced.
   *
   * @throws ExplainedError also `digest-mismatch` (size or SHA-256 are not what was asked for), `disk-full`
   */
  async download(address: string, file: string, options: DownloadOptions = {}): Promise<Downloaded> {
    const url = parseAddress(address);
    return downloadFile(url, file, options, {
      headers: this.#headers(options.headers ?? {}),
      dispatcher: this.#connections(),
      policy: this.#policy,
      context: this.#retryContext(url),
    });
  }

  #headers(headers: Headers): Headers {
    return { 'user-agent': this.#options.userAgent ?? 'ksym-matrix', ...headers };
  }

  #retryContext(url: URL): RetryContext {
    const { signal, onRetry, mirrorVariable } = this.#options;
    return { url, env: this.#options.env ?? process.env, signal, onRetry, mirrorVariable };
  }

  /** Opened when it is first needed; idle connections keep no process alive. */
  #connections(): Dispatcher {
    const stallMs = this.#options.stallMs ?? 30_000;
    this.#dispatcher ??= openDispatcher(this.#options.env ?? process.env, { connectMs: stallMs, stallMs });
    return this.#dispatcher;
  }
}

function parseAddress(address: string): URL {
  if (/^https?:\/\//i.test(address) && URL.canParse(address)) return new URL(address);
  throw new ExplainedError('bad-address', `not an address of the web: ${JSON.stringify(address)}`, {
    fix: 'Give it as in https://HOST/PATH.',
  });
}
