import { join } from 'node:path';
import { DebianPackages } from '../../kernels/debian/package-files.ts';
import type { Suite } from '../../kernels/debian/suites.ts';
import { CILIUM_PACKAGES } from './cilium/packages.ts';

/** What {@link loaderPackages} works with. */
export interface LoaderPackagesOptions {
  /** The project's cache; everything goes below its `loaders/`. */
  readonly cache: string;
  readonly mirror?: string | undefined;
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Where loaders, and what they are built with, come from. When Debian releases, this is the only place to change. */
const SUITES: readonly Suite[] = [
  { name: 'bullseye', archive: 'main', for: 'libbpf 0.3, cilium/ebpf 0.2' },
  { name: 'bullseye-security', archive: 'security', for: 'libbpf 0.3' },
  { name: 'bookworm', archive: 'main', for: 'libbpf 1.1, cilium/ebpf 0.9' },
  { name: 'bookworm-backports', archive: 'main', for: 'libbpf 1.4' },
  { name: 'trixie', archive: 'main', for: 'libbpf 1.5, cilium/ebpf 0.11' },
  { name: 'forky', archive: 'main', for: 'libbpf 1.7, cilium/ebpf 0.22' },
];

/** The packages that are taken of them. */
const NAMES: readonly string[] = [
  'libbpf-dev',
  // The C library and the like that it is linked with.
  'libc6-dev',
  'libelf-dev',
  'libgcc-14-dev',
  'linux-libc-dev',
  'zlib1g-dev',
  ...CILIUM_PACKAGES,
];

/** The names of {@link SUITES}. */
export const LOADER_SUITES: readonly string[] = SUITES.map(({ name }) => name);

/** Debian's packages for loaders, with lists of their own: kernels come from other suites. */
export function loaderPackages({ cache, ...rest }: LoaderPackagesOptions): DebianPackages {
  return new DebianPackages({ ...rest, directory: join(cache, 'loaders'), suites: SUITES, names: NAMES });
}
