import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardedCommand, locateProgram, signalGroup } from '../../../loader/guarded-process.ts';
import { cacheDirectory } from '../../cache-directory.ts';
import { DebianSource } from '../../debian/source.ts';
import { fetchToolPackage } from '../../debian/tool-package.ts';
import { toolPath } from '../../run-tool.ts';

/** A registry that runs: Debian's docker-registry, on a port of this machine. */
export interface Registry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Where it keeps its files. */
  readonly storage: string;
  /** Path of the file that holds a blob. */
  readonly blobFile: (digest: string) => string;
  /** Pushes a blob. */
  readonly push: (repository: string, bytes: Buffer) => Promise<Blob>;
  /** Pushes a manifest under a tag or its digest. */
  readonly tag: (repository: string, reference: string, manifest: object) => Promise<Blob>;
  readonly stop: () => void;
}

/** A blob's address, as manifests name it. */
export interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** Debian's program: the installed one, else from the package in the cache. */
export async function findRegistryProgram(): Promise<string> {
  const installed = locateProgram('docker-registry', toolPath());
  if (installed !== undefined) return installed;
  const cache = cacheDirectory();
  const { directory } = await fetchToolPackage('docker-registry', { cache, source: new DebianSource({ cache }) });
  return join(directory, 'usr/bin/docker-registry');
}

/**
 * Starts a registry and waits until it listens.
 * @param storage an empty folder, or one that another registry has used
 * @param auth the configuration's `auth`, if any
 */
export async function startRegistry(program: string, storage: string, auth?: object): Promise<Registry> {
  mkdirSync(storage, { recursive: true });
  const config = join(mkdtempSync(join(storage, 'config-')), 'config.yml');
  // YAML takes JSON as it is.
  const settings = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, maintenance: { uploadpurging: { enabled: false } } },
    http: { addr: '127.0.0.1:0', secret: 'test' },
    ...(auth === undefined ? {} : { auth }),
  };
  writeFileSync(config, JSON.stringify(settings));
  const child = spawn(...guardedCommand(program, ['serve', config]), {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const host = await new Promise<string>((resolve, reject) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const found = /listening on (127\.0\.0\.1:\d+)/.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    child.once('close', () => reject(new Error(`docker-registry ended: ${output}`)));
  });
  const address = `http://${host}/v2`;
  const push = async (repository: string, bytes: Buffer): Promise<Blob> => {
    const digest = digestOf(bytes);
    const begun = await fetch(`${address}/${repository}/blobs/uploads/`, { method: 'POST' });
    await begun.arrayBuffer();
    const place = new URL(begun.headers.get('location') ?? '', address);
    place.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    await expectCreated(await fetch(place, { method: 'PUT', body: new Uint8Array(bytes), headers }));
    return { digest, size: bytes.length };
  };
  const tag = async (repository: string, reference: string, manifest: object): Promise<Blob> => {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const type = 'mediaType' in manifest ? String(manifest.mediaType) : '';
    const name = reference === '' ? digestOf(bytes) : reference;
    const url = `${address}/${repository}/manifests/${name}`;
    await expectCreated(await fetch(url, { method: 'PUT', body: bytes, headers: { 'content-type': type } }));
    return { digest: digestOf(bytes), size: bytes.length };
  };
  return {
    host,
    storage,
    blobFile: (digest) => {
      const hex = digest.replace('sha256:', '');
      return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    },
    push,
    tag,
    stop: () => signalGroup(child, 'SIGKILL'),
  };
}

/** `sha256:…` */
export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export const TYPES = {
  image: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  dockerImage: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** Pushes an image of these layers. @param reference a tag; empty: only by its digest */
export async function pushImage(
  registry: Registry,
  repository: string,
  reference: string,
  layers: readonly Buffer[],
  { architecture = 'amd64', mediaType = TYPES.image as string } = {},
): Promise<Blob & { readonly layers: readonly Blob[] }> {
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [] } }));
  const pushed: Blob[] = [];
  for (const layer of layers) pushed.push(await registry.push(repository, layer));
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: TYPES.config, ...(await registry.push(repository, config)) },
    layers: pushed.map((layer) => ({ mediaType: TYPES.layer, ...layer })),
  };
  return { ...(await registry.tag(repository, reference, manifest)), layers: pushed };
}

async function expectCreated(response: Response): Promise<void> {
  const said = await response.text();
  if (response.status !== 201) throw new Error(`${response.url}: ${response.status} ${said}`);
}
