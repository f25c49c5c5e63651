import { setTimeout as delay } from 'node:timers/promises';
import {
  HttpStatusError,
  interrupted,
  lastingTrouble,
  networkFailed,
  passingTrouble,
  timesTried,
} from './http-errors.ts';
import type { Environment } from './proxy.ts';

/** When to try again, times in milliseconds. */
export interface RetryPolicy {
  /** Tries after the first. */
  readonly retries: number;
  /** Before the first retry; it doubles from one to the next, and a random part of up to a half is taken off. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** The longest that a server's Retry-After is obeyed; one that asks for more is not asked again. */
  readonly longestWaitMs: number;
}

/** Whom {@link withRetries} asks, and what it is told meanwhile. */
export interface RetryContext {
  readonly url: URL;
  readonly env: Environment;
  readonly signal: AbortSignal | undefined;
  /** Names another server, see HttpClientOptions. */
  readonly mirrorVariable?: string | undefined;
  /** Bytes that are there for good: a try that adds some is no failure in a row. */
  readonly progress?: () => number;
  /** A line about a failure that is followed by another try. */
  readonly onRetry?: ((message: string) => void) | undefined;
}

/**
 * Calls `attempt` until it succeeds or fails for good.
 *
 * @throws ExplainedError `network-failed`, `interrupted`; what `attempt` throws if that will not pass; HttpStatusError after the last try
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  context: RetryContext,
): Promise<T> {
  const { url, signal, progress = () => 0 } = context;
  let furthest = progress();
  for (let failures = 1, tries = 1; ; failures += 1, tries += 1) {
    throwIfAborted(url, signal);
    let failure: unknown;
    try {
      return await attempt();
    } catch (error) {
      failure = error;
    }
    throwIfAborted(url, signal);
    const lasting = lastingTrouble(failure);
    if (lasting !== null) throw networkFailed(lasting, tries, context, failure);
    const trouble = passingTrouble(failure);
    if (trouble === null) throw failure;
    if (progress() > furthest) failures = 1;
    furthest = Math.max(furthest, progress());
    const waitMs = Math.max(backoff(policy, failures), trouble.waitMs ?? 0);
    if (failures > policy.retries || waitMs > policy.longestWaitMs) {
      const asks = waitMs > policy.longestWaitMs ? `, and it asks to wait ${Math.ceil(waitMs / 1000)} s` : '';
      if (!(failure instanceof HttpStatusError)) throw networkFailed(trouble.message, tries, context, failure);
      throw new HttpStatusError(url, failure, `${asks} (${timesTried(tries)})`);
    }
    context.onRetry?.(`${url.host}: ${trouble.message}; asking again in ${(waitMs / 1000).toFixed(1)} s`);
    await delay(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
      throw interrupted(url);
    });
  }
}

function throwIfAborted(url: URL, signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interrupted(url);
}

function backoff(policy: RetryPolicy, failures: number): number {
  const full = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (failures - 1));
  return Math.round(full * (1 - Math.random() / 2));
}
