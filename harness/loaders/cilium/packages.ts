import type { DebianPackages, WantedPackage } from '../../../kernels/debian/package-files.ts';
import type { DebianPackage } from '../../../kernels/debian/package-list.ts';
import { type MissingSuites, versionUnknown } from '../version-unknown.ts';

/** A version of the library as Debian has it. */
export interface LibraryVersion {
  /** As one writes it in a matrix: `0.22`. */
  readonly version: string;
  /** Name and whole version of the package. */
  readonly package: string;
  readonly suite: string;
}

/** A Go of Debian's, by the number in its packages' names. */
export type GoRelease = '1.19' | '1.24';

/** What a build needs beside the library itself. */
export interface GoPackages {
  readonly release: GoRelease;
  /** Compiler and standard library. */
  readonly toolchain: readonly WantedPackage[];
  /** golang.org/x/…, which the library imports. */
  readonly modules: readonly WantedPackage[];
}

/** What is asked of Debian's lists here. */
type PackageVersions = Pick<DebianPackages, 'versions'> & MissingSuites;

const LIBRARY = 'golang-github-cilium-ebpf-dev';
const SYSTEM = 'golang-golang-x-sys-dev';
const GENERIC = 'golang-golang-x-exp-dev';
const SUITES = ['bullseye', 'bookworm', 'trixie', 'forky'] as const;

/** Everything that builds of cilium/ebpf take from Debian, by name. */
export const CILIUM_PACKAGES: readonly string[] = [
  LIBRARY,
  SYSTEM,
  GENERIC,
  ...['1.19', '1.24'].flatMap((release) => [`golang-${release}-go`, `golang-${release}-src`]),
];

/** All versions that Debian has, newest first. Throws as {@link DebianPackages.versions}. */
export async function libraryVersions(debian: PackageVersions): Promise<readonly LibraryVersion[]> {
  return (await libraryPackages(debian)).map((one) => ({
    version: upstreamVersion(one.version).split('.').slice(0, 2).join('.'),
    package: `${one.name} ${one.version}`,
    suite: one.suite,
  }));
}

/**
 * The newest package of a version such as `0.22` or `0.9.1`.
 * @throws ExplainedError `loader-version-unknown`, and those of {@link DebianPackages.versions}
 */
export async function findLibrary(debian: PackageVersions, version: string): Promise<DebianPackage> {
  const all = await libraryPackages(debian);
  const found = all.find((one) => `${upstreamVersion(one.version)}.`.startsWith(`${version}.`));
  if (found !== undefined) return found;
  const known = all.map((one) => `${upstreamVersion(one.version)} (${one.suite})`).join(', ');
  throw await versionUnknown(debian, {
    library: 'cilium/ebpf',
    version,
    known: known === '' ? `no suite of this mirror has ${LIBRARY}` : `it has ${known}`,
    fix: 'Name one of these, or give a checkout: `cilium/ebpf: { path: … }`.',
  });
}

/**
 * What a library is built with. Versions before 0.10 read `.bss` in a way that debug/elf refuses since Go 1.20 (`unexpected read from SHT_NOBITS section`),
 * so they get the Go that Debian built 0.9 with; others the one of a stable release, which compiles everything that there is and stays in its suite.
 * @param isOld whether it is from before 0.10
 * @param suite of the library; null for a checkout, which may be of any age
 */
export function goPackages(isOld: boolean, suite: string | null): GoPackages {
  const release = isOld ? '1.19' : '1.24';
  const goSuite = isOld ? 'bookworm' : 'trixie';
  const systemSuite = isOld ? 'bookworm' : (suite ?? 'forky');
  const from = (name: string, where: string): WantedPackage => ({ name, suites: [where] });
  return {
    release,
    toolchain: [from(`golang-${release}-go`, goSuite), from(`golang-${release}-src`, goSuite)],
    // Only 0.11 to 0.14 import golang.org/x/exp.
    modules: [
      from(SYSTEM, systemSuite),
      ...(!isOld && (suite === null || suite === 'trixie') ? [from(GENERIC, 'trixie')] : []),
    ],
  };
}

/** The Go that packages of one are of. */
export function goReleaseOf(toolchain: readonly Pick<DebianPackage, 'name'>[]): GoRelease {
  return toolchain.some(({ name }) => name === 'golang-1.19-go') ? '1.19' : '1.24';
}

/** Whether a version is from before 0.10. */
export function isOldVersion(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === 0 && minor < 10;
}

/** A package's version as the library's authors number it: `0.22.0+ds1-1` is 0.22.0 without some of its files. */
export function upstreamVersion(version: string): string {
  return version.replace(/^\d+:/, '').replace(/[-+~].*$/, '');
}

/** The suites keep different versions; the same one in two of them is one. */
async function libraryPackages(debian: PackageVersions): Promise<readonly DebianPackage[]> {
  const all = await debian.versions({ name: LIBRARY, suites: SUITES });
  return all.filter((one, index) => all.findIndex(({ version }) => version === one.version) === index);
}
