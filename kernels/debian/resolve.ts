import { ExplainedError } from '../../loader/errors.ts';
import type { Flavour } from '../request.ts';
import type { DebianPackage } from './package-list.ts';
import { compareVersions, lineOf } from './version.ts';

/** A kernel that a mirror serves, and the packages that make it. */
export interface DebianKernel {
  /** The kernel line, such as `6.12`. */
  readonly line: string;
  readonly flavour: Flavour;
  /** As in `uname -r`. */
  readonly release: string;
  /** Version of the Debian package. */
  readonly version: string;
  readonly suite: string;
  /** What holds vmlinuz, and config and modules where the mirror has them in the same package or still has the package. */
  readonly packages: readonly DebianPackage[];
  /** A separate package with the modules, null if they are in `packages` or the mirror has none. */
  readonly modules: DebianPackage | null;
  /** Whether Debian splits this kernel into binary, base and modules (6.19 and later). */
  readonly split: boolean;
}

/** Prefixes of the packages that {@link resolveLine} looks at. */
export const KERNEL_PACKAGE_PREFIXES: readonly string[] = [
  'linux-image-',
  'linux-binary-',
  'linux-base-',
  'linux-modules-',
];

/** Whether a package is part of an amd64 kernel: no debug symbols, no unsigned twin, no metapackage. */
export function isKernelPackage(name: string): boolean {
  return KERNEL_NAME.test(name);
}

/**
 * The newest kernel of a line in whichever suite has it; `latest` (or `newest`) stands for the highest line. What is no line is an exact version
 * of a package, such as `6.12.117-1`.
 *
 * @throws ExplainedError `kernel-line-unknown`, with the lines or versions there are
 */
export function resolveLine(
  packages: readonly DebianPackage[],
  request: { readonly line: string; readonly flavour: Flavour },
): DebianKernel {
  const { line, flavour } = request;
  const kernels = newestOfEachLine(packages, flavour);
  if (isLine(line)) {
    const found = LATEST.has(line) ? kernels[0] : kernels.find((kernel) => kernel.line === line);
    if (found !== undefined) return found;
    throw unknown(`the mirror has no ${flavour} kernel of line ${line}`, line, flavour, [
      ...kernels.map((kernel) => kernel.line).reverse(),
    ]);
  }
  const all = kernelsOf(packages, flavour);
  const found = all.find((kernel) => kernel.version === line);
  if (found !== undefined) return found;
  const sameLine = all.filter((kernel) => kernel.line === lineOf(line));
  const candidates = sameLine.length === 0 ? newestOfEachLine(packages, flavour) : sameLine;
  const versions = [...new Set(candidates.map((kernel) => kernel.version))].sort(compareVersions);
  throw unknown(`the mirror has no ${flavour} kernel of version ${line}`, line, flavour, versions);
}

/** Every line that the lists have, newest line first, each in its newest version. */
export function newestOfEachLine(packages: readonly DebianPackage[], flavour: Flavour): DebianKernel[] {
  const best = new Map<string, DebianKernel>();
  for (const kernel of kernelsOf(packages, flavour)) {
    const previous = best.get(kernel.line);
    if (previous === undefined || compareVersions(kernel.version, previous.version) > 0) best.set(kernel.line, kernel);
  }
  return [...best.values()].sort((a, b) => compareVersions(b.line, a.line));
}

/** Every kernel that the lists have, in no order; the same version in two suites is there twice. */
export function kernelsOf(packages: readonly DebianPackage[], flavour: Flavour): DebianKernel[] {
  const byName = new Map<string, DebianPackage[]>();
  for (const one of packages) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);
  return packages
    .map((image) => fromImage(image, byName))
    .filter((kernel) => kernel !== null)
    .filter((kernel) => kernel.flavour === flavour);
}

/** Whether a request names a line rather than an exact version: `6.12`, `latest`. */
export function isLine(text: string): boolean {
  return LATEST.has(text) || /^\d+\.\d+$/.test(text);
}

/** Words for the newest kernel of all. */
export const LATEST: ReadonlySet<string> = new Set(['latest', 'newest']);

function unknown(message: string, line: string, flavour: Flavour, known: readonly string[]): ExplainedError {
  return new ExplainedError('kernel-line-unknown', message, {
    where: `kernel ${line}`,
    why: known.length === 0 ? `it has no ${flavour} kernel at all` : `it has ${known.join(', ')}`,
    fix: `Name one of these (or \`latest\`); \`debian-snapshot: "${LATEST.has(line) ? '5.9' : line}"\` finds kernels that Debian had once.`,
  });
}

// `linux-image-6.12-amd64` has no third number: it is a metapackage.
const KERNEL_NAME = /^linux-(image|binary|base|modules)-(\d+\.\d+\.\d+\S*?)-((?:cloud-|rt-)?amd64)$/;
const FLAVOURS: Readonly<Record<string, Flavour>> = { 'cloud-amd64': 'cloud', amd64: 'generic', 'rt-amd64': 'rt' };

function fromImage(image: DebianPackage, byName: ReadonlyMap<string, readonly DebianPackage[]>): DebianKernel | null {
  const match = KERNEL_NAME.exec(image.name);
  const flavour = FLAVOURS[match?.[3] ?? ''];
  const line = lineOf(image.version);
  if (match === null || match[1] !== 'image' || flavour === undefined || line === null) return null;
  const release = `${match[2]}-${match[3]}`;
  const common = { line, flavour, release, version: image.version, suite: image.suite };
  if (!image.depends.includes(`linux-binary-${release}`)) {
    return { ...common, packages: [image], modules: null, split: false };
  }
  const part = (name: string): DebianPackage | undefined =>
    byName.get(`${name}-${release}`)?.find((one) => one.version === image.version);
  const binary = part('linux-binary');
  if (binary === undefined) return null;
  // Backports keeps the signed binary of superseded lines after their base and modules are gone.
  const base = part('linux-base');
  const modules = part('linux-modules') ?? null;
  // The other flavours need modules to reach their console and disks; cloud kernels of this layout have those built in.
  if (modules === null && flavour !== 'cloud') return null;
  return {
    ...common,
    packages: base === undefined ? [binary] : [binary, base],
    modules,
    split: true,
  };
}
