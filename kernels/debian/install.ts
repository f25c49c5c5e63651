import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { InstallContext, KernelParts, KernelProgress, ResolvedKernel, SourceFile } from '../kernel-source.ts';
import { findPart } from '../kernel-tree.ts';
import type { DebianPackage } from './package-list.ts';
import type { DebianKernel } from './resolve.ts';
import { unpackDeb } from './unpack.ts';

/** Gives a package's .deb in the cache, downloaded and checked. */
export type FetchPackage = (
  one: DebianPackage,
  onBytes: (phase: 'download' | 'verify', bytes: number, bytesPerSecond: number) => void,
) => Promise<string>;

/** A kernel of Debian's as sources describe theirs. */
export function describeDebianKernel(
  kernel: DebianKernel,
  source: 'debian' | 'debian-snapshot',
): Omit<ResolvedKernel, 'extra'> {
  const { line, flavour, release, version, suite } = kernel;
  const file = (one: DebianPackage, role: SourceFile['role']): SourceFile => ({
    name: one.name,
    version: one.version,
    path: one.filename,
    size: one.size,
    sha256: one.sha256,
    role,
  });
  return {
    source,
    line,
    flavour,
    release,
    version,
    folder: `${source === 'debian' ? 'debian' : 'snapshot'}-${line}-${flavour}-${version.replace(/[^A-Za-z0-9._+~-]/g, '_')}`,
    origin: `Debian ${suite}`,
    files: [
      ...kernel.packages.map((one) => file(one, 'kernel')),
      ...(kernel.modules === null ? [] : [file(kernel.modules, 'modules')]),
    ],
  };
}

/** Whether a kernel needs modules to reach a virtio console or disk: one of those drivers is built as a module. */
export function needsModules(config: string): boolean {
  return /^CONFIG_(VIRTIO|VIRTIO_PCI|VIRTIO_CONSOLE|VIRTIO_MENU)=m$/m.test(config);
}

/**
 * Fetches a kernel's packages and unpacks them. A cloud kernel's separate package of modules is fetched only if modules are wanted by name, or
 * its configuration says that it cannot reach a virtio console without; other flavours cannot in any case.
 *
 * @throws ExplainedError `kernel-image-missing`, and as `fetch` and `unpackDeb` do
 */
export async function installDebianKernel(
  kernel: ResolvedKernel,
  context: InstallContext,
  fetch: FetchPackage,
): Promise<KernelParts> {
  const unpacked = join(context.folder, 'unpacked');
  const { release } = kernel;
  if (release === null) throw new TypeError(`${kernel.folder} has no release`);
  const files = kernel.files.filter((file) => file.role === 'kernel');
  await addPackages(kernel, files, unpacked, context, fetch);
  const configPath = findPart(unpacked, release, 'config');
  const modules = kernel.files.filter((file) => file.role === 'modules');
  const isNeeded =
    kernel.flavour !== 'cloud' ||
    context.modules.length > 0 ||
    (configPath !== null && needsModules(await readFile(configPath, 'utf8')));
  if (isNeeded && modules.length > 0) {
    files.push(...modules);
    await addPackages(kernel, modules, unpacked, context, fetch);
  }
  const image = findPart(unpacked, release, 'vmlinuz');
  if (image === null) {
    throw new ExplainedError('kernel-image-missing', `the packages of Linux ${kernel.version} hold no vmlinuz`, {
      where: files.map((one) => one.name).join(', '),
      why: `neither boot/vmlinuz-${release} nor usr/lib/modules/${release}/vmlinuz is there`,
      fix: 'Debian has changed the layout of its kernel packages: please report it.',
    });
  }
  const modulesFolder = findPart(unpacked, release, 'modules');
  return {
    release,
    image,
    config: findPart(unpacked, release, 'config'),
    systemMap: findPart(unpacked, release, 'System.map'),
    modules: modulesFolder !== null && existsSync(modulesFolder) ? modulesFolder : null,
    files: files.map(({ name, version, sha256 }) => ({ name, version, sha256: sha256 ?? '' })),
  };
}

async function addPackages(
  kernel: ResolvedKernel,
  files: readonly SourceFile[],
  unpacked: string,
  context: InstallContext,
  fetch: FetchPackage,
): Promise<void> {
  const packages = files.map((file) => toPackage(kernel, file));
  const totalBytes = packages.reduce((sum, one) => sum + one.size, 0);
  const report = (phase: KernelProgress['phase'], bytes: number, bytesPerSecond = 0): void =>
    context.onProgress({ phase, kernel: context.name, bytes, totalBytes, bytesPerSecond });
  let done = 0;
  const debs: string[] = [];
  for (const one of packages) {
    const before = done;
    debs.push(await fetch(one, (phase, bytes, speed) => report(phase, before + bytes, speed)));
    done += one.size;
  }
  done = 0;
  for (const [index, deb] of debs.entries()) {
    report('unpack', done);
    await unpackDeb(deb, unpacked, (path) => path.startsWith('usr/share/'), context.signal);
    done += packages[index]?.size ?? 0;
  }
  report('unpack', done);
}

/** The package again, from what is kept of it. */
function toPackage(kernel: ResolvedKernel, file: SourceFile): DebianPackage {
  const { name, version, path, size, sha256 } = file;
  if (size === null || sha256 === null) throw new TypeError(`${name} of ${kernel.folder} has no digest`);
  const suite = kernel.origin.replace(/^Debian /, '');
  return { name, version, architecture: 'amd64', suite, filename: path, size, sha256, depends: [] };
}
