import { type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { ExplainedError } from '../../loader/errors.ts';

/** Variables of a process, by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Time-outs of connections, in milliseconds. */
export interface Patience {
  /** Until a connection stands. */
  readonly connectMs: number;
  /** Without a byte from the server. */
  readonly stallMs: number;
}

/**
 * What opens connections: directly, or through the proxies that `http_proxy`, `https_proxy` and `no_proxy` name (also in capitals), as curl and
 * apt understand them. A proxy for HTTP is used for HTTPS too if that has none of its own. Plain HTTP goes to the proxy as an ordinary request, since
 * many refuse CONNECT for port 80.
 *
 * @throws ExplainedError `bad-proxy`
 */
export function openDispatcher(env: Environment, patience: Patience): Dispatcher {
  const { connectMs, stallMs } = patience;
  return new EnvHttpProxyAgent({
    httpProxy: proxyAddress(env, 'http_proxy')?.href ?? '',
    httpsProxy: proxyAddress(env, 'https_proxy')?.href ?? '',
    noProxy: readSetting(env, 'no_proxy')?.value ?? '',
    proxyTunnel: false,
    connect: { timeout: connectMs },
    headersTimeout: stallMs,
    bodyTimeout: stallMs,
  });
}

/** The proxy settings in force for an address, for messages and without credentials; null if there are none. */
export function describeProxy(env: Environment, url: URL): string | null {
  const names = url.protocol === 'https:' ? ['https_proxy', 'http_proxy'] : ['http_proxy'];
  for (const name of names) {
    const proxy = proxyAddress(env, name);
    if (proxy === null) continue;
    const except = readSetting(env, 'no_proxy')?.value;
    return `${readSetting(env, name)?.name} is ${proxy.origin}${except === undefined ? '' : `, except for ${except}`}`;
  }
  return null;
}

function proxyAddress(env: Environment, name: string): URL | null {
  const found = readSetting(env, name);
  if (found === null) return null;
  const text = found.value.includes('://') ? found.value : `http://${found.value}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new ExplainedError('bad-proxy', `${found.name} does not name an HTTP proxy`, {
    why: 'only proxies with addresses such as http://proxy:3128 are understood',
    fix: `Correct or unset ${found.name}.`,
  });
}

function readSetting(env: Environment, name: string): { readonly name: string; readonly value: string } | null {
  for (const one of [name, name.toUpperCase()]) {
    const value = env[one];
    if (value !== undefined && value !== '') return { name: one, value };
  }
  return null;
}
