import { ExplainedError } from '../../loader/errors.ts';

/** Names an image in a registry. */
export interface ImageReference {
  /** Address that the registry answers at, without a path: `https://ghcr.io`, `http://127.0.0.1:5000`. */
  readonly address: string;
  /** Host, with a port if one was named; under this name credentials are looked up. */
  readonly registry: string;
  /** `cilium/ci-kernels` */
  readonly repository: string;
  /** Null if only a digest was given. */
  readonly tag: string | null;
  /** `sha256:` and 64 hexadecimal digits; null if only a tag was given. A digest wins over a tag. */
  readonly digest: string | null;
}

/**
 * Takes a reference apart: `[http://|https://]REGISTRY/REPOSITORY[:TAG][@DIGEST]`, where the tag `latest` is meant if neither tag nor digest is there.
 * As with Docker (distribution/reference, "normalized names"), the first part is a registry only if it has a dot or a port, or is `localhost`; without one the image is on Docker Hub,
 * and `library/` is put before a single name. A registry on this machine is asked with plain HTTP, every other with HTTPS, unless the reference says otherwise.
 *
 * @throws ExplainedError `bad-image-reference`
 */
export function parseReference(text: string): ImageReference {
  const [, scheme, rest = ''] = /^(?:(https?):\/\/)?(.*)$/s.exec(text) ?? [];
  const slash = rest.indexOf('/');
  const first = slash === -1 ? '' : rest.slice(0, slash);
  const named = scheme !== undefined || /[.:]/.test(first) || first === 'localhost';
  const registry = named ? first : DOCKER_HUB;
  const [, path = '', tag, digest] =
    /^([^:@]*)(?::([^@]*))?(?:@(.*))?$/s.exec(named ? rest.slice(slash + 1) : rest) ?? [];
  const onHub = registry === DOCKER_HUB || registry === `index.${DOCKER_HUB}`;
  const repository = onHub && path !== '' && !path.includes('/') ? `library/${path}` : path;
  if (!HOST.test(registry)) throw bad(text, `${JSON.stringify(registry)} is no host`);
  if (!REPOSITORY.test(repository)) {
    throw bad(
      text,
      `${JSON.stringify(path)} is no name of a repository (lower case, digits, and . _ - / between them)`,
    );
  }
  if (tag !== undefined && !TAG.test(tag)) throw bad(text, `${JSON.stringify(tag)} is no tag`);
  if (digest !== undefined && !DIGEST.test(digest)) {
    throw bad(text, `${JSON.stringify(digest)} is no digest: sha256: and 64 hexadecimal digits are wanted`);
  }
  return {
    address: onHub ? `https://${DOCKER_HUB_HOST}` : registryAddress(registry, scheme),
    registry: onHub ? DOCKER_HUB : registry,
    repository,
    tag: tag ?? (digest === undefined ? 'latest' : null),
    digest: digest ?? null,
  };
}

/**
 * Where a registry answers. It may be given as a host, or as an address with `http://` or `https://`.
 * @throws ExplainedError `bad-image-reference`
 */
export function registryAddress(registry: string, scheme?: string): string {
  const [, own, host = ''] = /^(?:(https?):\/\/)?([^/]*)\/?$/.exec(registry) ?? [];
  if (!HOST.test(host)) throw bad(registry, 'a host, with or without a port, is wanted');
  return `${scheme ?? own ?? (isLoopback(host) ? 'http' : 'https')}://${host}`;
}

/** Whether a host (with or without a port) is this machine. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host);
}

/** A reference in one line, with the digest if it is known. */
export function showReference({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
}

const DOCKER_HUB = 'docker.io';
/** Docker Hub's name is not where its registry answers. */
const DOCKER_HUB_HOST = 'registry-1.docker.io';

/** The grammar of https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests */
const REPOSITORY = /^(?=.{1,255}$)[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST = /^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;

function bad(text: string, why: string): ExplainedError {
  return new ExplainedError('bad-image-reference', `this names no image in a registry: ${JSON.stringify(text)}`, {
    why,
    fix: 'Write it as in ghcr.io/cilium/ci-kernels:6.6, or with @sha256:… for exactly one image.',
  });
}
