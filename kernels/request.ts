import { ExplainedError } from '../loader/errors.ts';

/** Which of Debian's builds: `cloud` is small and has what a VM needs, `generic` has every module, `rt` is PREEMPT_RT. */
export type Flavour = 'cloud' | 'generic' | 'rt';

/** A kernel that Debian's mirrors serve today. */
export interface DebianRequest {
  /** A line such as `6.12` (its newest kernel), `latest` (the newest of all; `newest` is the same), an exact version such as `6.12.117-1`, or `all`. */
  readonly debian: string;
  /** Default: `cloud`. */
  readonly flavour?: Flavour | undefined;
}

/** A kernel that Debian has ever published, from its archive of old packages. */
export interface SnapshotRequest {
  /** A line such as `5.9`, or an exact package version. */
  readonly 'debian-snapshot': string;
  /** Default: `cloud`. */
  readonly flavour?: Flavour | undefined;
}

/** A build of Ubuntu's mainline archive: upstream's kernel with Ubuntu's configuration. */
export interface MainlineRequest {
  /** A line such as `6.6` (its newest patch level that was built), or an exact version such as `6.6.100` or `6.7-rc3`. */
  readonly 'ubuntu-mainline': string;
}

/** An image in a container registry that holds `/boot/vmlinuz*` and, mostly, `/lib/modules`. */
export interface OciRequest {
  /** `REGISTRY/REPOSITORY:TAG` or `…@sha256:DIGEST`. */
  readonly oci: string;
}

/** A kernel image in a file. */
export interface ImageRequest {
  /** A bzImage. Relative paths count from the folder of the matrix. */
  readonly image: string;
  /** Folder of its modules (what is `lib/modules/RELEASE` elsewhere, or has that below it). */
  readonly modules?: string | undefined;
  /** Its build configuration. Default: one that lies beside the image, as in /boot. */
  readonly config?: string | undefined;
}

/** A kernel's source tree in which it was built. */
export interface TreeRequest {
  readonly tree: string;
}

/** The kernel that this machine runs. */
export interface HostRequest {
  readonly host: true;
}

/** A kernel that is configured and compiled here. */
export interface BuildRequest {
  readonly build: {
    /** `debian-5.10` (Debian's package linux-source-5.10), a folder, or a tar archive. */
    readonly source: string;
    /** Fragments of configuration that are laid over a small default one, in order. */
    readonly config?: readonly string[] | undefined;
    /** Modules of the kernel's selftests that are built too, such as `bpf_testmod`. */
    readonly modules?: readonly string[] | undefined;
  };
}

/** Which kernel is wanted, in the shape of an entry of matrix.yaml. */
export type KernelRequest =
  | DebianRequest
  | SnapshotRequest
  | MainlineRequest
  | OciRequest
  | ImageRequest
  | TreeRequest
  | HostRequest
  | BuildRequest;

/** The keys of which an entry has exactly one: it says where the kernel comes from. */
export const SOURCE_NAMES = [
  'debian',
  'debian-snapshot',
  'ubuntu-mainline',
  'oci',
  'image',
  'tree',
  'host',
  'build',
] as const;

/** Where a kernel comes from. */
export type SourceName = (typeof SOURCE_NAMES)[number];

/** The source that a request names. */
export function sourceOf(request: KernelRequest): SourceName {
  const found = SOURCE_NAMES.find((name) => name in request);
  if (found === undefined) {
    throw new ExplainedError('bad-kernel-request', 'a kernel without a source', {
      fix: `name one of ${SOURCE_NAMES.join(', ')}`,
    });
  }
  return found;
}

/** A request as one line: the same request always gives the same text, and no two give the same. Used as a key in the cache and in the lock file. */
export function requestKey(request: KernelRequest): string {
  if ('debian' in request) return `debian ${lineName(request.debian)} ${request.flavour ?? 'cloud'}`;
  if ('debian-snapshot' in request) {
    return `debian-snapshot ${request['debian-snapshot']} ${request.flavour ?? 'cloud'}`;
  }
  if ('ubuntu-mainline' in request) return `ubuntu-mainline ${request['ubuntu-mainline'].replace(/^v/, '')}`;
  if ('oci' in request) return `oci ${request.oci}`;
  if ('image' in request) {
    const parts = [request.image, ...[request.modules, request.config].map((part) => part ?? '')];
    return `image ${parts.join(' ').trimEnd()}`;
  }
  if ('tree' in request) return `tree ${request.tree}`;
  if ('host' in request) return 'host';
  const { source, config = [], modules = [] } = request.build;
  return `build ${JSON.stringify([source, config, modules])}`;
}

/** The name in the grid and on the command line, where an entry has none of its own. */
export function requestName(request: KernelRequest): string {
  if ('debian' in request) return withFlavour(lineName(request.debian), request.flavour);
  if ('debian-snapshot' in request) return `${withFlavour(request['debian-snapshot'], request.flavour)}-snapshot`;
  if ('ubuntu-mainline' in request) return `${request['ubuntu-mainline'].replace(/^v/, '')}-mainline`;
  if ('oci' in request) return nameFrom(request.oci.replace(/@sha256:([0-9a-f]{12}).*$/, '-$1'));
  if ('image' in request) return nameFrom(request.image);
  if ('tree' in request) return nameFrom(request.tree);
  if ('host' in request) return 'host';
  return `${nameFrom(request.build.source)}-build`;
}

/** `newest` is an older word for `latest`. */
function lineName(line: string): string {
  return line === 'newest' ? 'latest' : line;
}

function withFlavour(name: string, flavour: Flavour | undefined): string {
  return flavour === undefined || flavour === 'cloud' ? name : `${name}-${flavour}`;
}

/** The last part of a path or reference, with what a name may not have replaced. */
function nameFrom(text: string): string {
  const last = text.replace(/\/+$/, '').split('/').at(-1) ?? text;
  return last.replace(/[^A-Za-z0-9._+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'kernel';
}
