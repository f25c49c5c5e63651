import type { Dispatcher } from 'undici';
import { request } from 'undici';
import { ExplainedError } from '../../loader/errors.ts';
import { type Headers, HttpStatusError, publicAddress } from './http-errors.ts';

/** An answer whose body has not been read yet: it has to be, or to be destroyed. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Dispatcher.ResponseData['body'];
  /** Where it came from, after redirects. */
  readonly url: URL;
}

/** What {@link exchange} asks for. */
export interface Question {
  readonly url: URL;
  readonly headers: Headers;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal | undefined;
  /** Whether a status is an answer; what is not is thrown. */
  readonly accepts: (status: number) => boolean;
}

/**
 * Sends one GET request and follows redirects. Header fields that say who asks are not sent on to another origin, and nothing that
 * was asked for over HTTPS is then read over HTTP.
 *
 * @throws HttpStatusError, ExplainedError `bad-redirect`, and undici's errors of connections
 */
export async function exchange(question: Question): Promise<Answer> {
  const { dispatcher, signal } = question;
  let { url } = question;
  let headers: Headers = { ...question.headers, 'accept-encoding': 'identity' };
  for (let hops = 0; ; hops += 1) {
    const response = await request(url, { dispatcher, headers, ...(signal === undefined ? {} : { signal }) });
    const answer: Answer = { status: response.statusCode, headers: joined(response.headers), body: response.body, url };
    const next = REDIRECTS.has(answer.status) ? answer.headers.location : undefined;
    if (next === undefined) {
      if (question.accepts(answer.status)) return answer;
      throw new HttpStatusError(url, { ...answer, body: await beginning(answer.body) });
    }
    await answer.body.dump();
    const target = redirectTarget(url, next, hops);
    if (target.origin !== url.origin) headers = withoutIdentity(headers);
    url = target;
  }
}

function redirectTarget(from: URL, location: string, hops: number): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : null;
  const complaint =
    target === null || !/^https?:$/.test(target.protocol)
      ? 'it redirects to something that is no address of the web'
      : hops >= MOST_HOPS
        ? `it redirects more than ${MOST_HOPS} times`
        : from.protocol === 'https:' && target.protocol === 'http:'
          ? `it redirects from HTTPS to HTTP, at ${target.host}`
          : null;
  if (target !== null && complaint === null) return target;
  throw new ExplainedError('bad-redirect', `${from.host} cannot be followed`, {
    where: publicAddress(from),
    why: complaint ?? '',
    fix: 'Check the address, or use another mirror.',
  });
}

function withoutIdentity(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !IDENTITY.has(name.toLowerCase())));
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Headers {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), typeof value === 'string' ? value : value.join(', ')]],
    ),
  );
}

/** The first few thousand characters; a body that breaks off is no concern here. */
async function beginning(body: Answer['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
      if (length >= BEGINNING_BYTES) break;
    }
  } catch {
    // The status has been read, and says enough.
  }
  return Buffer.concat(chunks).toString('utf8', 0, BEGINNING_BYTES);
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MOST_HOPS = 10;
const IDENTITY: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);
const BEGINNING_BYTES = 4096;
