import { compareVersions } from '../../kernels/debian/version.ts';
import type { SourceName } from '../../kernels/request.ts';

/** What has to be known of a kernel to give it a place in history. */
export interface DatedKernel {
  /** Name in the grid. */
  readonly name: string;
  readonly kind: SourceName;
  readonly flavour: string | null;
  /** As in `uname -r`; null if that shows only when it is unpacked. */
  readonly release: string | null;
  /** Version in the words of its source. */
  readonly version: string;
  /** Where it comes from, for people. */
  readonly source: string;
}

/** Kernels of which each follows on the one before: same source, same flavour, no version twice. */
export interface KernelAxis<Kernel extends DatedKernel = DatedKernel> {
  /** For people: `Debian cloud`. */
  readonly name: string;
  /** At least two, oldest first. */
  readonly kernels: readonly Kernel[];
}

/**
 * Puts kernels in order of their versions where that says something: what differs between neighbours must be their age, not who built
 * them, or how. All others are `apart`, in the order they came in: kernels that were built here or lie in a file, the second one of
 * the same version, and one that has nobody to be compared with.
 */
export function groupByAxis<Kernel extends DatedKernel>(
  kernels: readonly Kernel[],
): { readonly axes: readonly KernelAxis<Kernel>[]; readonly apart: readonly Kernel[] } {
  const axes = new Map<string, Kernel[]>();
  for (const kernel of kernels) {
    const name = axisName(kernel);
    if (name === null) continue;
    const others = axes.get(name) ?? [];
    axes.set(name, others);
    if (!others.some((other) => versionOf(other) === versionOf(kernel))) others.push(kernel);
  }
  const found = [...axes]
    .filter(([, members]) => members.length > 1)
    .map(([name, members]) => ({ name, kernels: oldestFirst(members) }));
  const placed = new Set(found.flatMap((axis) => axis.kernels));
  return { axes: found, apart: kernels.filter((kernel) => !placed.has(kernel)) };
}

/** Kernels from the oldest version to the newest, of whatever source; those of the same version stay in the order they came in. */
export function oldestFirst<Kernel extends DatedKernel>(kernels: readonly Kernel[]): Kernel[] {
  return [...kernels].sort((left, right) => compareVersions(versionOf(left), versionOf(right)));
}

/** The axis that a kernel would lie on; null if its version says little about it. */
function axisName({ kind, flavour, source }: DatedKernel): string | null {
  switch (kind) {
    case 'debian':
    // The archive of old packages holds what the mirrors served in its day.
    case 'debian-snapshot':
      return `Debian ${flavour ?? ''}`.trimEnd();
    case 'ubuntu-mainline':
      return 'Ubuntu mainline';
    case 'oci':
      return source.replace(/(@sha256:[0-9a-f]+|:[\w.-]+)+$/, '');
    case 'image':
    case 'tree':
    case 'host':
    case 'build':
      return null;
  }
}

/** Comparable as Debian's versions are, where `~` sorts before the end: 6.7~rc3 is older than 6.7. */
function versionOf({ version, release }: DatedKernel): string {
  const telling = /^v?\d+\.\d/.test(version) ? version : (release ?? version);
  return telling.replace(/^v/, '').replace(/-(?=rc\d)/, '~');
}
