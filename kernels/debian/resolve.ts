import { ExplainedError } from '../../loader/errors.ts';
import type { DebianPackage } from './package-list.ts';
import { compareVersions, lineOf } from './version.ts';

/** Which of Debian's builds: `cloud` is small and has what a VM needs, `generic` has every module, `rt` is PREEMPT_RT. */
export type Flavour = 'cloud' | 'generic' | 'rt';

/** A kernel that a mirror serves, and the packages that make it. */
export interface ResolvedKernel {
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
 * The newest kernel of a line in whichever suite has it. `newest` stands for the highest line.
 *
 * @throws ExplainedError `kernel-line-unknown`, with the lines there are
 */
export function resolveLine(
  packages: readonly DebianPackage[],
  request: { readonly line: string; readonly flavour: Flavour },
): ResolvedKernel {
  const { line, flavour } = request;
  const kernels = newestOfEachLine(packages, flavour);
  const found = line === 'newest' ? kernels[0] : kernels.find((kernel) => kernel.line === line);
  if (found !== undefined) return found;
  const lines = kernels.map((kernel) => kernel.line).reverse();
  throw new ExplainedError('kernel-line-unknown', `the mirror has no ${flavour} kernel of line ${line}`, {
    where: `kernel ${line}`,
    why: lines.length === 0 ? `it has no ${flavour} kernel at all` : `it has ${lines.join(', ')}`,
    fix: 'Name one of these lines (or `newest`), or use another kernel source for this one.',
  });
}

/** Every line that the lists have, newest line first, each in its newest version. */
export function newestOfEachLine(packages: readonly DebianPackage[], flavour: Flavour): ResolvedKernel[] {
  const byName = new Map<string, DebianPackage[]>();
  for (const one of packages) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);
  const best = new Map<string, ResolvedKernel>();
  for (const image of packages) {
    const kernel = fromImage(image, byName);
    if (kernel === null || kernel.flavour !== flavour) continue;
    const previous = best.get(kernel.line);
    if (previous === undefined || compareVersions(kernel.version, previous.version) > 0) best.set(kernel.line, kernel);
  }
  return [...best.values()].sort((a, b) => compareVersions(b.line, a.line));
}

// `linux-image-6.12-amd64` has no third number: it is a metapackage.
const KERNEL_NAME = /^linux-(image|binary|base|modules)-(\d+\.\d+\.\d+\S*?)-((?:cloud-|rt-)?amd64)$/;
const FLAVOURS: Readonly<Record<string, Flavour>> = { 'cloud-amd64': 'cloud', amd64: 'generic', 'rt-amd64': 'rt' };

function fromImage(image: DebianPackage, byName: ReadonlyMap<string, readonly DebianPackage[]>): ResolvedKernel | null {
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
