import type { DebianPackages } from '../../../kernels/debian/package-files.ts';
import type { DebianPackage } from '../../../kernels/debian/package-list.ts';
import { LOADER_SUITES, type LoaderPackagesOptions, loaderPackages } from '../debian-packages.ts';
import { type MissingSuites, versionUnknown } from '../version-unknown.ts';

/** A version of libbpf that can be asked for. */
export interface LibbpfVersion {
  /** As one writes it in a matrix: `1.5`. */
  readonly version: string;
  /** The package and its whole version: `libbpf-dev 1:1.5.0-3`. */
  readonly package: string;
  readonly suite: string;
}

/** What {@link packagesOfVersion} looks into. */
export type VersionList = Pick<DebianPackages, 'versions'> & MissingSuites;

/** What Debian's suites have today, newest first. Throws the errors of the Debian source. */
export async function libbpfVersions(options: LoaderPackagesOptions): Promise<readonly LibbpfVersion[]> {
  const packages = await available(loaderPackages(options));
  return packages.map((one) => ({
    version: upstreamOf(one.version).split('.').slice(0, 2).join('.'),
    package: `${one.name} ${one.version}`,
    suite: one.suite,
  }));
}

/**
 * The packages that are of a version, newest first: `1.5` stands for 1.5 and every 1.5.x.
 * @throws ExplainedError `loader-version-unknown`, and those of the Debian source
 */
export async function packagesOfVersion(packages: VersionList, version: string): Promise<readonly DebianPackage[]> {
  const all = await available(packages);
  const found = all.filter((one) => `${upstreamOf(one.version)}.`.startsWith(`${version}.`));
  if (found.length > 0) return found;
  const known = [...new Set(all.map((one) => upstreamOf(one.version)))].join(', ');
  throw await versionUnknown(packages, {
    library: 'libbpf',
    version,
    known: known === '' ? 'none of its suites has the package libbpf-dev at this mirror' : `its suites have ${known}`,
    fix: 'Take one of these, or a build of your own: `libbpf: {path: …}`.',
  });
}

/** libbpf's own version in that of a package, which has an epoch in front and Debian's revision behind. */
export function upstreamOf(version: string): string {
  return version.replace(/^\d+:/, '').replace(/-[^-]*$/, '');
}

/** Each version once, from the first suite that has it. */
async function available(packages: VersionList): Promise<readonly DebianPackage[]> {
  const all = await packages.versions({ name: 'libbpf-dev', suites: LOADER_SUITES });
  return all.filter((one, index) => all.findIndex(({ version }) => version === one.version) === index);
}
