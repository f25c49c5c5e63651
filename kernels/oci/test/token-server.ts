import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Gives out tokens that a registry with this server's certificate accepts (distribution's "Token Authentication Implementation"). */
export interface TokenServer {
  /** Where tokens are asked for. */
  readonly realm: string;
  /** PEM, for the registry's `rootcertbundle`. */
  readonly certificate: string;
  readonly tokens: readonly string[];
  /** What each request asked for, in order. */
  readonly requests: readonly { readonly query: string; readonly authorization: string | undefined }[];
  readonly close: () => void;
}

export const SERVICE = 'test registry';
export const ISSUER = 'test issuer';

/**
 * Starts a server that lets everybody pull, but for repositories that begin with `private/`: those are for this user.
 * @param login user and password as in an Authorization header, before base64
 */
export async function startTokenServer(login: string): Promise<TokenServer> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = selfSigned(privateKey);
  const requests: { query: string; authorization: string | undefined }[] = [];
  const tokens: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    const { authorization } = request.headers;
    requests.push({ query: decodeURIComponent(url.search.replaceAll('+', ' ')), authorization });
    const [, name = '', actions = ''] = (url.searchParams.get('scope') ?? '').split(':');
    const known = authorization === `Basic ${Buffer.from(login).toString('base64')}`;
    if (authorization !== undefined && !known) {
      response.writeHead(401).end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'who is that?' }] }));
      return;
    }
    const allowed = known || !name.startsWith('private/') ? actions.split(',') : [];
    const token = jwt(privateKey, der, [{ type: 'repository', name, actions: allowed }]);
    tokens.push(token);
    response.end(JSON.stringify({ token, expires_in: 300 }));
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;
  const body = der.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    realm: `http://127.0.0.1:${port}/token`,
    certificate: `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`,
    tokens,
    requests,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Listens on a free port of this machine. */
export function listen(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
}

/** RFC 7519, signed with ES256; the certificate goes along. */
function jwt(key: KeyObject, certificate: Buffer, access: object): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const header = encode({ typ: 'JWT', alg: 'ES256', x5c: [certificate.toString('base64')] });
  const claims = {
    iss: ISSUER,
    sub: '',
    aud: SERVICE,
    exp: now + 300,
    nbf: now - 60,
    iat: now,
    jti: String(now),
    access,
  };
  const text = `${header}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** A certificate (RFC 5280, version 1) for a key on P-256, by itself, good for the years 2020 to 2099. */
function selfSigned(key: KeyObject): Buffer {
  // ecdsa-with-SHA256, RFC 5758
  const algorithm = tlv(0x30, tlv(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
  const commonName = tlv(0x30, tlv(0x06, Buffer.from('550403', 'hex')), tlv(0x0c, Buffer.from('test')));
  const name = tlv(0x30, tlv(0x31, commonName));
  const times = ['20200101000000Z', '20990101000000Z'].map((time) => tlv(0x18, Buffer.from(time)));
  const publicKey = createPublicKey(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const body = tlv(0x30, tlv(0x02, Buffer.from([1])), algorithm, name, tlv(0x30, ...times), name, spki);
  const signature = tlv(0x03, Buffer.from([0]), sign('sha256', body, key));
  return tlv(0x30, body, algorithm, signature);
}

/** Tag, length and value (X.690, DER). */
function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const size = value.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
