import { createHash } from 'node:crypto';
import { ExplainedError } from '../../loader/errors.ts';
import type { HttpClient, HttpResponse } from '../http/http-client.ts';
import { HttpStatusError } from '../http/http-errors.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import { type Descriptor, MANIFEST_TYPES } from './manifest.ts';
import { isLoopback } from './reference.ts';
import { readMessage, readTags, readToken, showTags } from './registry-answers.ts';

/** Which repository is read, and as whom. */
export interface RepositoryOptions {
  readonly http: HttpClient;
  /** Of the registry, such as `https://ghcr.io`. */
  readonly address: string;
  /** Such as `cilium/ci-kernels`. */
  readonly repository: string;
  readonly credentials: Credentials | null;
}

/**
 * Reads one repository of a container registry: "Pull" of the OCI distribution-spec 1.1. A registry that wants to know who asks is told so with a token that it names the
 * issuer of (distribution's "Token Authentication Specification"), or with user and password. Both are kept in memory only, and go to nobody but that registry and
 * the issuer that it names.
 */
export class RegistryClient {
  readonly #options: RepositoryOptions;
  #authorization: string | null = null;

  constructor(options: RepositoryOptions) {
    this.#options = options;
  }

  /**
   * A manifest, its digest computed from what came.
   * @param reference a tag, or a digest, which what comes is then compared with
   * @throws ExplainedError `digest-mismatch`, `oci-access-denied`, `oci-tag-unknown` with the tags there are, `oci-repository-unknown`, `not-a-registry`
   */
  async manifest(reference: string): Promise<{ readonly bytes: Buffer; readonly digest: string }> {
    const answer = await this.#get(`manifests/${reference}`, { accept: MANIFEST_TYPES.join(', ') }, MANIFEST_BYTES);
    if (answer.status === 404) throw await this.#unknown(reference);
    const digest = digestOf(answer.body);
    for (const wanted of [reference, answer.headers['docker-content-digest']]) {
      if (wanted?.startsWith('sha256:') === true && wanted !== digest) throw this.#mismatch(reference, wanted, digest);
    }
    return { bytes: answer.body, digest };
  }

  /** A small blob in memory, its digest checked. @throws ExplainedError `digest-mismatch`, `package-gone`, `oci-access-denied` */
  async blob({ digest }: Pick<Descriptor, 'digest'>): Promise<Buffer> {
    const answer = await this.#get(`blobs/${digest}`, {}, MANIFEST_BYTES);
    if (answer.status === 404) throw this.#gone(digest);
    const found = digestOf(answer.body);
    if (found !== digest) throw this.#mismatch(digest, digest, found);
    return answer.body;
  }

  /** Downloads a blob, its size and digest checked. @throws ExplainedError as {@link HttpClient.download} does; `package-gone`, `oci-access-denied` */
  async download(
    blob: Pick<Descriptor, 'digest' | 'size'>,
    file: string,
    onBytes: (bytes: number, bytesPerSecond: number) => void,
  ): Promise<void> {
    const { digest, size } = blob;
    const fetch = async (): Promise<void> => {
      const headers = this.#headers();
      const sha256 = digest.replace('sha256:', '');
      await this.#options.http.download(this.#url(`blobs/${digest}`), file, { sha256, size, headers, onBytes });
    };
    await fetch().catch(async (error: unknown) => {
      if (!(error instanceof HttpStatusError)) throw error;
      if (error.status === 404) throw this.#gone(digest, error);
      if (error.status !== 401 && error.status !== 403) throw error;
      if (error.status === 403) throw this.#denied(error.status, error.body);
      await this.#authorize(error.headers['www-authenticate'] ?? '');
      await fetch();
    });
  }

  /** Names of tags, in the registry's order; of a repository with very many only the first. */
  async tags(): Promise<string[]> {
    const tags: string[] = [];
    let path: string | undefined = `tags/list?n=1000`;
    for (let page = 0; path !== undefined && page < MOST_PAGES; page += 1) {
      const answer: HttpResponse = await this.#get(path, {}, TAGS_BYTES);
      if (answer.status === 404) throw await this.#noRepository();
      tags.push(...readTags(answer.body));
      // RFC 8288; the address may be relative, and nothing but its query is of use here.
      const query = /<[^>]*\?([^>]*)>\s*;\s*rel="?next"?/i.exec(answer.headers.link ?? '')?.[1];
      path = query === undefined ? undefined : `tags/list?${query}`;
    }
    return tags;
  }

  /** The status is 200 or 404. */
  async #get(path: string, headers: Record<string, string>, maxBytes: number): Promise<HttpResponse> {
    const ask = (): Promise<HttpResponse> =>
      this.#options.http.get(this.#url(path), {
        headers: { ...headers, ...this.#headers() },
        maxBytes,
        accept: [401, 403, 404],
      });
    let answer = await ask();
    if (answer.status === 401) {
      await this.#authorize(answer.headers['www-authenticate'] ?? '');
      answer = await ask();
    }
    if (answer.status === 401 || answer.status === 403) {
      throw this.#denied(answer.status, answer.body.toString('utf8'));
    }
    return answer;
  }

  /** Gets what the registry asks for, before the request is made again. */
  async #authorize(header: string): Promise<void> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      this.#authorization = `Bearer ${await this.#token(bearer)}`;
      return;
    }
    const { credentials } = this.#options;
    if (challenges.every(({ scheme }) => scheme !== 'basic') || credentials === null) throw this.#denied(401, '');
    this.#authorization = basicAuthorization(credentials);
  }

  async #token({ parameters }: Challenge): Promise<string> {
    const { address, repository, credentials, http } = this.#options;
    const realm = parameters.get('realm') ?? '';
    if (!URL.canParse(realm) || !this.#mayHear(new URL(realm))) {
      throw new ExplainedError('oci-access-denied', 'the registry names nobody who gives out tokens', {
        where: address,
        why: `it names ${JSON.stringify(realm)}, and tokens are asked for over HTTPS only`,
      });
    }
    const url = new URL(realm);
    const service = parameters.get('service');
    if (service !== undefined) url.searchParams.set('service', service);
    // Of the scopes that the registry names, reading is all that is wanted.
    url.searchParams.set('scope', `repository:${repository}:pull`);
    const headers = credentials === null ? {} : { authorization: basicAuthorization(credentials) };
    const answer = await http.get(url.href, { headers, maxBytes: TOKEN_BYTES, accept: [400, 401, 403, 404] });
    const token = answer.status === 200 ? readToken(answer.body) : undefined;
    if (token === undefined) throw this.#denied(answer.status, answer.body.toString('utf8'), url.host);
    return token;
  }

  /** Who asks a registry on this machine, or over plain HTTP because its user said so, may be sent to such an issuer as well. */
  #mayHear(realm: URL): boolean {
    const plain = realm.protocol === 'http:' && (isLoopback(realm.host) || this.#options.address.startsWith('http:'));
    return realm.protocol === 'https:' || plain;
  }

  #headers(): Record<string, string> {
    return this.#authorization === null ? {} : { authorization: this.#authorization };
  }

  #url(path: string): string {
    const { address, repository } = this.#options;
    return `${address}/v2/${repository}/${path}`;
  }

  async #unknown(reference: string): Promise<ExplainedError> {
    const { repository, address } = this.#options;
    const tags = await this.tags();
    const isTag = !reference.startsWith('sha256:');
    return new ExplainedError(
      'oci-tag-unknown',
      `${repository} has no image ${isTag ? 'with the tag ' : ''}${reference}`,
      {
        where: address,
        why: tags.length === 0 ? 'it has no tags at all' : `it has ${showTags(tags, reference)}`,
        fix: 'Name one of these tags.',
      },
    );
  }

  async #noRepository(): Promise<ExplainedError> {
    const { address, repository, http } = this.#options;
    const root = `${address}/v2/`;
    const ping = await http.get(root, { headers: this.#headers(), accept: [401, 403, 404] });
    if (ping.status === 404) {
      return new ExplainedError('not-a-registry', 'no container registry answers there', {
        where: root,
        why: 'it answered with status 404, where every registry says that it is one',
        fix: 'Check the name of the registry (and KSYM_MATRIX_OCI_MIRROR, if it is set).',
      });
    }
    return new ExplainedError('oci-repository-unknown', `the registry has no repository ${repository}`, {
      where: address,
      fix: 'Check the name. Some registries answer so too if one has to log in.',
    });
  }

  #denied(status: number, body: string, who?: string): ExplainedError {
    const { address, repository, credentials } = this.#options;
    const login =
      credentials === null ? 'nobody is logged in' : 'with what ~/.docker/config.json has for this registry';
    const said = readMessage(body);
    return new ExplainedError('oci-access-denied', `the registry does not let ${repository} be read`, {
      where: who ?? address,
      why: `it answered with status ${status}${said === '' ? '' : ` (${said})`}; ${login}`,
      fix: 'Check the name: many registries say this of what does not exist. A private image needs `docker login`; helpers for credentials are not asked.',
    });
  }

  #gone(digest: string, cause?: unknown): ExplainedError {
    return new ExplainedError('package-gone', 'a part of the image is gone from the registry', {
      where: `${this.#options.address}/${this.#options.repository}`,
      why: `it has no ${digest}`,
      fix: 'The tag may have been moved: look it up again (`ksym-matrix kernels update`).',
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #mismatch(what: string, wanted: string, found: string): ExplainedError {
    return new ExplainedError('digest-mismatch', 'the registry served something else than it announced', {
      where: this.#url(`manifests/${what}`),
      why: `the digest is ${found}, and should be ${wanted}`,
      fix: 'Try again later, or use another registry: what was served is not used.',
    });
  }
}

/** Manifests have a few kilobytes; registries refuse ones above 4 MiB. */
const MANIFEST_BYTES = 4 << 20;
const TAGS_BYTES = 4 << 20;
const TOKEN_BYTES = 256 << 10;
const MOST_PAGES = 10;

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
