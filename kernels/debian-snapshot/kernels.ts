import { basename, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { describeDebianKernel, installDebianKernel } from '../debian/install.ts';
import { type DebianKernel, kernelsOf } from '../debian/resolve.ts';
import { type HttpClient, type HttpClientOptions, HttpStatusError } from '../http/http-client.ts';
import { sourceClient } from '../http/source-client.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import type { SnapshotRequest } from '../request.ts';
import { candidateSuites } from './candidate-suites.ts';
import { findImage, linesOf } from './find-image.ts';
import { debianKeyrings } from './keyrings.ts';
import { type BinaryPackage, formatTimestamp, type Sighting, SNAPSHOT_SERVICE, SnapshotService } from './service.ts';
import { SignedLists } from './signed-list.ts';

/** What {@link SnapshotKernels} may be told; the defaults are for everybody but tests and mirrors. */
export interface SnapshotOptions {
  /** Address of the service. Default: `KSYM_MATRIX_SNAPSHOT_MIRROR`, else {@link SNAPSHOT_SERVICE}. */
  readonly mirror?: string;
  /** Keys to trust instead of Debian's. Default: the file that `KSYM_MATRIX_SNAPSHOT_KEYRING` names, else {@link debianKeyrings}. */
  readonly keyrings?: readonly string[];
  /** Default: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly http?: Omit<HttpClientOptions, 'signal' | 'onRetry' | 'env'>;
}

/**
 * Kernels that Debian has ever published, out of its archive of old packages. The service says when a package was first seen; that day's
 * signed lists say what it has to be, byte by byte.
 */
export class SnapshotKernels implements KernelSource<SnapshotRequest> {
  readonly #options: SnapshotOptions;

  constructor(options: SnapshotOptions = {}) {
    this.#options = options;
  }

  /**
   * The newest kernel of a line that ever was, release candidates apart, or an exact version.
   * @throws ExplainedError `kernel-line-unknown`, `kernel-not-listed`, `debian-keyring-missing`, and those of {@link SignedLists.read}
   */
  async resolve(request: SnapshotRequest, context: ResolveContext): Promise<ResolvedKernel> {
    context.onProgress({ phase: 'lists', kernel: context.name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
    const keyrings = this.#keyrings();
    const flavour = request.flavour ?? 'cloud';
    const http = this.#client(context);
    const service = this.#service(http);
    const image = await findImage(service, request['debian-snapshot'], flavour);
    const lists = new SignedLists();
    const looked: string[] = [];
    for (const { archive, time, suite } of placesOf(image, await service.sightings(image))) {
      const path = `archive/${archive}/${time}`;
      context.onProgress({
        ...{ phase: 'lists', kernel: context.name, bytes: 0, totalBytes: null, bytesPerSecond: 0 },
        detail: `${suite} of ${time.slice(0, 8)}`,
      });
      const packages = await lists.read({
        ...{ http, suite, keyrings, signal: context.signal },
        archive: `${service.address}/${path}`,
      });
      looked.push(`${suite} of ${time}`);
      const found = kernelsOf(packages ?? [], flavour).find(({ version }) => version === image.version);
      if (found !== undefined) return describe(found, path, { archive, time, suite });
    }
    throw new ExplainedError('kernel-not-listed', `no signed list names ${image.name} ${image.version}`, {
      where: `kernel ${request['debian-snapshot']}`,
      why: looked.length === 0 ? 'the archive does not say when it was seen' : `looked into ${looked.join(', ')}`,
      fix: 'Name another version of the line in full, such as `debian-snapshot: "5.9.11-1"`.',
    });
  }

  /**
   * Downloads the packages and unpacks them.
   * @throws ExplainedError `package-gone`, `digest-mismatch`, and those of {@link HttpClient.download} and {@link installDebianKernel}
   */
  async install(kernel: ResolvedKernel, _request: SnapshotRequest, context: InstallContext): Promise<KernelParts> {
    const http = this.#client(context);
    const { address } = this.#service(http);
    return installDebianKernel(kernel, context, async ({ name, filename, size, sha256 }, onBytes) => {
      const file = join(context.folder, basename(filename));
      const report = (bytes: number, speed: number): void => onBytes('download', bytes, speed);
      try {
        await http.download(`${address}/${filename}`, file, { size, sha256, onBytes: report });
        return file;
      } catch (error) {
        if (!(error instanceof HttpStatusError) || error.code !== 'not-found') throw error;
        throw new ExplainedError('package-gone', `the archive does not have ${name} ${kernel.version}`, {
          where: error.where ?? filename,
          fix: 'Use a mirror that has the whole archive (KSYM_MATRIX_SNAPSHOT_MIRROR), or look the kernel up again (--refresh).',
          cause: error,
        });
      }
    });
  }

  /** The lines that the archive has released kernels of, oldest first; not every flavour exists of each. @throws ExplainedError as {@link HttpClient.get} does */
  async lines(context: ResolveContext): Promise<string[]> {
    return linesOf(await this.#service(this.#client(context)).sourceVersions('linux'));
  }

  #keyrings(): readonly string[] {
    const { keyrings, env = process.env } = this.#options;
    const own = env.KSYM_MATRIX_SNAPSHOT_KEYRING;
    return keyrings ?? (own === undefined || own === '' ? debianKeyrings() : [own]);
  }

  #service(http: HttpClient): SnapshotService {
    const { mirror, env = process.env } = this.#options;
    return new SnapshotService(http, mirror ?? (env[MIRROR_VARIABLE] || SNAPSHOT_SERVICE));
  }

  #client(context: Pick<ResolveContext, 'signal' | 'say'>): HttpClient {
    return sourceClient(this.#options, context, MIRROR_VARIABLE);
  }
}

const MIRROR_VARIABLE = 'KSYM_MATRIX_SNAPSHOT_MIRROR';

interface Place {
  readonly archive: string;
  /** As in the archive's addresses, which stand for the state at that time. */
  readonly time: string;
  readonly suite: string;
}

/**
 * Where a package may be listed, likeliest first. A file may be there before the list that names it, and its signed twin before its modules: half a day and
 * three days later are tried too.
 */
function placesOf(image: BinaryPackage, sightings: readonly Sighting[]): Place[] {
  return HOURS_LATER.flatMap((hours) =>
    sightings
      .filter(({ archive }) => archive === 'debian' || archive === 'debian-security')
      .flatMap(({ archive, firstSeen }) => {
        const time = formatTimestamp(new Date(firstSeen.getTime() + hours * 3_600_000));
        return candidateSuites(archive, image.version, firstSeen).map((suite) => ({ archive, time, suite }));
      }),
  );
}

const HOURS_LATER: readonly number[] = [0, 12, 72];

function describe(kernel: DebianKernel, path: string, { archive, time, suite }: Place): ResolvedKernel {
  const described = describeDebianKernel(kernel, 'debian-snapshot');
  return {
    ...described,
    origin: `Debian ${suite} of ${time.slice(0, 4)}-${time.slice(4, 6)}-${time.slice(6, 8)}`,
    files: described.files.map((file) => ({ ...file, path: `${path}/${file.path}` })),
    extra: { archive, suite, time },
  };
}
