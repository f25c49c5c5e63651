import { basename } from 'node:path';
import type { PackageFiles, WantedPackage } from '../../kernels/debian/package-files.ts';
import { isDocumentation } from '../../kernels/debian/package-files.ts';
import type { DebianPackage } from '../../kernels/debian/package-list.ts';
import { type ChosenPackagesOptions, unpackChosen } from './chosen-packages.ts';

/**
 * What static programs in C are built from, of one C library for all of them: whatever was compiled against an older one links with it. libelf is
 * bookworm's 0.188, because the archives of later packages do not link: trixie's 0.192 lacks `eu_search_tree_init`, and forky's 0.196 has a `crc32` of its own beside zlib's.
 */
const PACKAGES: readonly WantedPackage[] = [
  { name: 'libc6-dev', suites: ['trixie'] },
  { name: 'linux-libc-dev', suites: ['trixie'] },
  { name: 'libgcc-14-dev', suites: ['trixie'] },
  { name: 'zlib1g-dev', suites: ['trixie'] },
  { name: 'libelf-dev', suites: ['bookworm'] },
];

/** Gets headers and static libraries (libc, libelf, libz, libgcc) for x86_64, unpacked in the cache. Throws as {@link unpackChosen}. */
export async function cSysroot(options: ChosenPackagesOptions): Promise<PackageFiles> {
  const alternatives = async (): Promise<(readonly DebianPackage[])[]> => [
    await Promise.all(PACKAGES.map((one) => options.packages.newest(one))),
  ];
  return unpackChosen({ name: 'sysroot', alternatives, skip: isSuperfluous }, options);
}

/** clang's options for programs that are built from it alone. */
export function sysrootFlags({ directory }: PackageFiles): readonly string[] {
  return ['--target=x86_64-linux-gnu', `--sysroot=${directory}`, `--gcc-toolchain=${directory}/usr`];
}

/** Of GCC's files, what its start-up code and libgcc are; of other machines' headers nothing. Two thirds of all bytes. */
function isSuperfluous(path: string): boolean {
  if (isDocumentation(path)) return true;
  if (/^usr\/lib\/gcc\/[^/]+\/[^/]+\/./.test(path)) return !/^(?:crt\w*\.o|libgcc(?:_eh)?\.a)$/.test(basename(path));
  if (path.startsWith('usr/lib/linux/uapi/')) return !path.startsWith('usr/lib/linux/uapi/x86');
  return path.startsWith('usr/include/') && /-linux-gnu/.test(path) && !path.startsWith('usr/include/x86_64-linux-gnu');
}
