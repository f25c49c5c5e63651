import { basename, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { unpackDeb } from '../debian/unpack.ts';
import { lineOf } from '../debian/version.ts';
import { type HttpClient, type HttpClientOptions, HttpStatusError } from '../http/http-client.ts';
import { sourceClient } from '../http/source-client.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import { findPart } from '../kernel-tree.ts';
import type { MainlineRequest } from '../request.ts';
import { ArchiveIndex, MAINLINE_ARCHIVE, type MainlineBuild } from './archive-index.ts';
import { parseChecksums } from './checksums.ts';
import { KEY_SERVER, MAINLINE_KEY, verifyChecksums } from './signing-key.ts';

/** What {@link MainlineKernels} may be told; the defaults are for everybody but tests and mirrors. */
export interface MainlineOptions {
  /** The cache folder; the archive's public key is kept in its `keys/`. */
  readonly cache: string;
  /** Address of the archive. Default: `KSYM_MATRIX_MAINLINE_MIRROR`, else {@link MAINLINE_ARCHIVE}. */
  readonly mirror?: string;
  /** Keys to trust instead of the archive's. Default: the file that `KSYM_MATRIX_MAINLINE_KEYRING` names. */
  readonly keyring?: string;
  /** Default: {@link KEY_SERVER}. */
  readonly keyServer?: string;
  /** Default: {@link MAINLINE_KEY}. */
  readonly fingerprint?: string;
  /** Default: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly http?: Omit<HttpClientOptions, 'signal' | 'onRetry' | 'env'>;
}

/** Upstream's kernels as Ubuntu builds them, with Ubuntu's configuration, from its archive of mainline builds. */
export class MainlineKernels implements KernelSource<MainlineRequest> {
  readonly #options: MainlineOptions;

  constructor(options: MainlineOptions) {
    this.#options = options;
  }

  /**
   * The newest patch level of a line whose build for amd64 succeeded, or an exact version. Builds that failed are passed over, and that is said.
   * @throws ExplainedError `kernel-line-unknown`, `build-failed`, `signature-refused`, `digest-missing`, and as {@link HttpClient.get} does
   */
  async resolve(request: MainlineRequest, context: ResolveContext): Promise<ResolvedKernel> {
    context.onProgress({ phase: 'lists', kernel: context.name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
    const wanted = request['ubuntu-mainline'].replace(/^v/, '');
    const http = this.#client(context);
    const index = this.#index(http);
    const candidates = selectVersions(await index.versions(), wanted);
    const failures: string[] = [];
    for (const version of candidates) {
      const build = await index.build(version);
      if (typeof build !== 'string') {
        for (const failure of failures) context.say(`${context.name}: passed over ${failure}`);
        return this.#describe(version, build, index, http, context.signal);
      }
      failures.push(`v${version}: ${build}`);
    }
    throw new ExplainedError('build-failed', `the mainline archive has no kernel of ${wanted} that can be used`, {
      where: index.address,
      why: failures.join('; '),
      fix: 'Name another version or line.',
    });
  }

  /**
   * Downloads the packages and unpacks them.
   * @throws ExplainedError `package-gone`, `digest-mismatch`, `kernel-image-missing`, and those of {@link HttpClient.download} and {@link unpackDeb}
   */
  async install(kernel: ResolvedKernel, _request: MainlineRequest, context: InstallContext): Promise<KernelParts> {
    const { folder, name: kernelName, signal } = context;
    const { release } = kernel;
    if (release === null) throw new TypeError(`${kernel.folder} has no release`);
    const http = this.#client(context);
    const { address } = this.#index(http);
    const unpacked = join(folder, 'unpacked');
    const files = kernel.files.map(({ path, sha256 }) => ({
      path,
      sha256: sha256 ?? '',
      deb: join(folder, basename(path)),
    }));
    for (const { path, sha256, deb } of files) {
      const onBytes = (bytes: number, bytesPerSecond: number): void =>
        context.onProgress({
          phase: 'download',
          kernel: kernelName,
          bytes,
          totalBytes: null,
          bytesPerSecond,
          detail: basename(path),
        });
      await http
        .download(`${address}/${path}`, deb, { sha256, maxBytes: MOST_BYTES, onBytes })
        .catch((error: unknown) => {
          throw error instanceof HttpStatusError && error.code === 'not-found' ? gone(kernel, error) : error;
        });
    }
    for (const { deb } of files) {
      context.onProgress({
        phase: 'unpack',
        kernel: kernelName,
        bytes: 0,
        totalBytes: null,
        bytesPerSecond: 0,
        detail: basename(deb),
      });
      await unpackDeb(
        deb,
        unpacked,
        (path) => !/^(boot|(usr\/)?lib)(\/|$)/.test(path) || /^(usr\/)?lib\/(?!modules)/.test(path),
        signal,
      );
    }
    const image = findPart(unpacked, release, 'vmlinuz');
    if (image === null) {
      throw new ExplainedError('kernel-image-missing', `the packages of Linux ${kernel.version} hold no vmlinuz`, {
        where: kernel.files.map(({ name }) => name).join(', '),
        why: `neither boot/vmlinuz-${release} nor usr/lib/modules/${release}/vmlinuz is there`,
        fix: 'Ubuntu has changed the layout of its mainline packages: please report it.',
      });
    }
    return {
      release,
      image,
      config: findPart(unpacked, release, 'config'),
      systemMap: findPart(unpacked, release, 'System.map'),
      modules: findPart(unpacked, release, 'modules'),
      files: kernel.files.map(({ name, version, sha256 }) => ({ name, version, sha256: sha256 ?? '' })),
    };
  }

  /** The lines that have a released version in the archive, oldest first; a build may have failed. @throws ExplainedError as {@link HttpClient.get} does */
  async lines(context: ResolveContext): Promise<string[]> {
    return linesOf(await this.#index(this.#client(context)).versions());
  }

  async #describe(
    version: string,
    build: MainlineBuild,
    index: ArchiveIndex,
    http: HttpClient,
    signal: AbortSignal | undefined,
  ): Promise<ResolvedKernel> {
    const digests = await this.#digests(build, index, http, signal);
    const names = [build.image, ...(build.modules === null ? [] : [build.modules])];
    const files = names.map((file) => {
      const [name = file, its = ''] = file.split('_');
      const sha256 = digests.get(file) ?? digests.get(`amd64/${file}`);
      if (sha256 === undefined) throw digestMissing(file, `${index.address}/${build.checksums}`);
      return { name, version: its, path: `${build.folder}${file}`, size: null, sha256, role: 'kernel' as const };
    });
    const [image] = files;
    const exact = image?.version ?? version;
    return {
      source: 'ubuntu-mainline',
      line: lineOf(version) ?? version,
      flavour: 'generic',
      release: (image?.name ?? '').replace(/^linux-image-(unsigned-)?/, ''),
      version: exact,
      folder: `mainline-${exact}`,
      origin: 'Ubuntu mainline',
      files,
      extra: { build: `v${version}` },
    };
  }

  async #digests(build: MainlineBuild, index: ArchiveIndex, http: HttpClient, signal: AbortSignal | undefined) {
    const { cache, keyring, keyServer = KEY_SERVER, fingerprint = MAINLINE_KEY, env = process.env } = this.#options;
    const where = `${index.address}/${build.checksums}`;
    const checksums = await index.file(build.checksums);
    const signature = await index.file(`${build.checksums}.gpg`).catch((error: unknown) => {
      if (!(error instanceof HttpStatusError) || error.code !== 'not-found') throw error;
      throw new ExplainedError('signature-refused', 'this build has no signature', {
        where: `${where}.gpg`,
        fix: 'Name another version: what is not signed is not used.',
        cause: error,
      });
    });
    const own = keyring ?? (env.KSYM_MATRIX_MAINLINE_KEYRING || null);
    await verifyChecksums(checksums, signature, where, http, { keyring: own, cache, keyServer, fingerprint, signal });
    return parseChecksums(checksums.toString('utf8'));
  }

  #index(http: HttpClient): ArchiveIndex {
    const { mirror, env = process.env } = this.#options;
    return new ArchiveIndex(http, mirror ?? (env[MIRROR_VARIABLE] || MAINLINE_ARCHIVE));
  }

  #client(context: Pick<ResolveContext, 'signal' | 'say'>): HttpClient {
    return sourceClient(this.#options, context, MIRROR_VARIABLE);
  }
}

const MIRROR_VARIABLE = 'KSYM_MATRIX_MAINLINE_MIRROR';
/** The modules of one kernel have about 200 MB. */
const MOST_BYTES = 2 ** 30;

/** The versions that a request may stand for, best first. @throws ExplainedError `kernel-line-unknown` */
function selectVersions(versions: readonly string[], wanted: string): string[] {
  const isLine = /^\d+\.\d+$/.test(wanted);
  const exact = wanted.replace(/^(\d+\.\d+)\.0$/, '$1');
  const found = versions.filter((version) =>
    isLine ? lineOf(version) === wanted && !version.includes('-rc') : version === exact,
  );
  if (found.length > 0) return found.reverse().slice(0, MOST_VERSIONS);
  const sameLine = versions.filter((version) => lineOf(version) === lineOf(wanted));
  const known = sameLine.length > 0 ? sameLine : linesOf(versions);
  throw new ExplainedError(
    'kernel-line-unknown',
    `the mainline archive has no kernel of ${isLine ? 'line' : 'version'} ${wanted}`,
    {
      where: `kernel ${wanted}`,
      why: known.length === 0 ? 'it has no kernels at all' : `it has ${known.join(', ')}`,
      fix: 'Name one of these.',
    },
  );
}

/** Builds of a line that are looked into. */
const MOST_VERSIONS = 10;

function linesOf(versions: readonly string[]): string[] {
  return [
    ...new Set(versions.filter((version) => !version.includes('-rc')).flatMap((version) => lineOf(version) ?? [])),
  ];
}

function gone(kernel: ResolvedKernel, error: HttpStatusError): ExplainedError {
  return new ExplainedError('package-gone', `the mainline archive does not have ${kernel.version} any more`, {
    where: error.where ?? kernel.version,
    fix: 'It was built anew or removed since it was looked up: look it up again (--refresh).',
    cause: error,
  });
}

function digestMissing(file: string, where: string): ExplainedError {
  return new ExplainedError('digest-missing', 'a file of the build has no signed SHA-256', {
    where,
    why: `${file} is not in it`,
    fix: 'Name another version: what is not signed is not used.',
  });
}
