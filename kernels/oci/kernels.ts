import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { extractConfig } from '../embedded-config.ts';
import type { HttpClientOptions } from '../http/http-client.ts';
import { sourceClient } from '../http/source-client.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import type { OciRequest } from '../request.ts';
import { findCredentials } from './credentials.ts';
import { findParts } from './find-parts.ts';
import { LAYER_LIMITS, type LayerLimits, unpackLayers } from './layers.ts';
import { type ImageManifest, isWanted, parseManifest, platformOf, wrongPlatform } from './manifest.ts';
import { type ImageReference, parseReference, registryAddress, showReference } from './reference.ts';
import { RegistryClient } from './registry-client.ts';

/** What {@link OciKernels} may be told; the defaults are for everybody but tests. */
export interface OciOptions {
  /** Where `KSYM_MATRIX_OCI_MIRROR`, `DOCKER_CONFIG` and `HOME` are looked for. Default: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly http?: Omit<HttpClientOptions, 'signal' | 'onRetry' | 'env'>;
  readonly limits?: LayerLimits;
}

/**
 * Kernels in images of container registries, such as `ghcr.io/cilium/ci-kernels:6.6`: `/boot/vmlinuz`, and modules in `/lib/modules` or `/usr/lib/modules`. A tag is resolved to the
 * digest of the image for linux/amd64, and that says every byte of it.
 */
export class OciKernels implements KernelSource<OciRequest> {
  readonly #options: OciOptions;

  constructor(options: OciOptions = {}) {
    this.#options = options;
  }

  /**
   * The image that a reference stands for today.
   * @throws ExplainedError `bad-image-reference`, `bad-manifest`, `image-wrong-architecture`, `layer-too-large`, and those of {@link RegistryClient.manifest}
   */
  async resolve(request: OciRequest, context: ResolveContext): Promise<ResolvedKernel> {
    context.onProgress({ phase: 'lists', kernel: context.name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
    const reference = parseReference(request.oci);
    const client = await this.#client(reference, context);
    const { digest, image } = await findImage(client, reference);
    const { registry, repository, tag } = reference;
    const short = digest.slice('sha256:'.length, 'sha256:'.length + SHORT);
    const name = repository.split('/').at(-1) ?? repository;
    const bytes = image.layers.reduce((sum, { size }) => sum + size, 0);
    if (bytes > MOST_COMPRESSED) {
      throw new ExplainedError('layer-too-large', 'the image is too large', {
        where: showReference(reference),
        why: `its layers have ${Math.round(bytes / 1e6)} MB`,
        fix: 'Use an image that holds a kernel and little else.',
      });
    }
    return {
      source: 'oci',
      line: /^v?(\d+\.\d+)(?!\d)/.exec(tag ?? '')?.[1] ?? '',
      flavour: null,
      release: null,
      version: `${tag === null ? '' : `${tag.replace(/^v(?=\d)/, '')}@`}sha256:${short}`,
      folder: `oci-${name}-${tag === null ? '' : `${tag}-`}${short}`,
      origin: `${registry}/${repository}`,
      files: image.layers.map((layer, index) => ({
        name: `layer ${index + 1} of ${image.layers.length}`,
        version: '',
        path: `${registry}/${repository}@${layer.digest}`,
        size: layer.size,
        sha256: layer.digest.replace('sha256:', ''),
        role: 'kernel',
      })),
      extra: { manifest: digest },
    };
  }

  /**
   * Downloads the layers and unpacks the kernel.
   * @throws ExplainedError `package-gone`, `digest-mismatch`, and those of {@link unpackLayers} and {@link findParts}
   */
  async install(kernel: ResolvedKernel, request: OciRequest, context: InstallContext): Promise<KernelParts> {
    const reference = parseReference(request.oci);
    const client = await this.#client(reference, context);
    const digest = kernel.extra.manifest ?? null;
    const where = showReference({ ...reference, digest });
    const blobs = join(context.folder, 'layers');
    await mkdir(blobs, { recursive: true });
    const totalBytes = kernel.files.reduce((sum, { size }) => sum + (size ?? 0), 0);
    const layers: { path: string; digest: string }[] = [];
    let done = 0;
    for (const { sha256, size } of kernel.files) {
      if (sha256 === null || size === null) throw new TypeError('a layer without a digest');
      const path = join(blobs, sha256);
      // An image may name a layer twice.
      if (!layers.some((layer) => layer.path === path)) {
        await client.download({ digest: `sha256:${sha256}`, size }, path, (bytes, bytesPerSecond) =>
          context.onProgress({
            phase: 'download',
            kernel: context.name,
            bytes: done + bytes,
            totalBytes,
            bytesPerSecond,
          }),
        );
      }
      layers.push({ path, digest: `sha256:${sha256}` });
      done += size;
    }
    context.onProgress({ phase: 'unpack', kernel: context.name, bytes: 0, totalBytes, bytesPerSecond: 0 });
    const root = join(context.folder, 'root');
    await unpackLayers(layers, root, where, { limits: this.#options.limits ?? LAYER_LIMITS, signal: context.signal });
    await rm(blobs, { recursive: true });
    const { otherModules, ...parts } = await findParts(root, where);
    if (parts.modules === null && otherModules.length > 0) {
      context.say(
        `${context.name}: the image has modules for ${otherModules.join(', ')}, none for its kernel ${parts.release}`,
      );
    }
    context.onProgress({ phase: 'unpack', kernel: context.name, bytes: totalBytes, totalBytes, bytesPerSecond: 0 });
    const config = parts.config ?? (await extractConfig(parts.image, context.folder, context.signal));
    return {
      ...parts,
      config,
      files: kernel.files.map(({ name, sha256 }) => ({ name, version: '', sha256: sha256 ?? '' })),
    };
  }

  async #client(reference: ImageReference, context: Pick<ResolveContext, 'signal' | 'say'>): Promise<RegistryClient> {
    const { env = process.env, http } = this.#options;
    const mirror = env[MIRROR_VARIABLE] ?? '';
    const registry = mirror === '' ? reference.registry : mirror;
    return new RegistryClient({
      http: sourceClient({ http, env }, context, MIRROR_VARIABLE),
      address: mirror === '' ? reference.address : registryAddress(mirror),
      repository: reference.repository,
      credentials: await findCredentials(registry, env),
    });
  }
}

const MIRROR_VARIABLE = 'KSYM_MATRIX_OCI_MIRROR';
/** Digits of a digest in names. */
const SHORT = 16;
/** Of all layers. The largest of the kernels' images that are known have a twentieth of it. */
const MOST_COMPRESSED = 4 * 2 ** 30;
/** An index may name indexes; nobody needs more than one below another. */
const DEEPEST_INDEX = 2;

/** Follows indexes down to the image for our platform. */
async function findImage(
  client: RegistryClient,
  reference: ImageReference,
): Promise<{ readonly digest: string; readonly image: ImageManifest }> {
  const where = showReference(reference);
  let next = reference.digest ?? reference.tag ?? 'latest';
  for (let depth = 0; ; depth += 1) {
    const { bytes, digest } = await client.manifest(next);
    const manifest = parseManifest(bytes, where);
    if (manifest.kind === 'image') {
      // An index has said it already.
      const platform = depth > 0 ? null : platformOf(await client.blob(manifest.image.config), where);
      if (platform !== null && !isWanted(platform)) throw wrongPlatform(where, [platform]);
      return { digest, image: manifest.image };
    }
    const found = manifest.manifests.find(({ platform }) => platform !== undefined && isWanted(platform));
    if (found === undefined || depth >= DEEPEST_INDEX) {
      throw wrongPlatform(
        where,
        manifest.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform])),
      );
    }
    next = found.digest;
  }
}
