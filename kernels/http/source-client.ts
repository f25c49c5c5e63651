import type { ResolveContext } from '../kernel-source.ts';
import { HttpClient, type HttpClientOptions } from './http-client.ts';

/** What a source of kernels was told of HTTP. */
export interface SourceHttp {
  readonly http?: Omit<HttpClientOptions, 'signal' | 'onRetry' | 'env'> | undefined;
  /** Default: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A client for one request to a source: ended with it, and saying what is tried again. `mirrorVariable` names another server in its messages. */
export function sourceClient(
  { http, env }: SourceHttp,
  { signal, say }: Pick<ResolveContext, 'signal' | 'say'>,
  mirrorVariable: string,
): HttpClient {
  return new HttpClient({ ...http, ...(env === undefined ? {} : { env }), signal, onRetry: say, mirrorVariable });
}
