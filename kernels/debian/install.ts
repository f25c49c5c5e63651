import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KernelManifest } from '../kernel.ts';
import { buildKernelTree, findConfig, needsModules } from './kernel-tree.ts';
import type { DebianPackage } from './package-list.ts';
import type { ResolvedKernel } from './resolve.ts';
import type { DebianSource } from './source.ts';
import { unpackDeb } from './unpack.ts';

/** How far the making of a kernel has come. */
export interface KernelProgress {
  readonly phase: 'lists' | 'download' | 'verify' | 'unpack';
  /** As it was asked for. */
  readonly kernel: string;
  /** Bytes of packages that are done in this phase. */
  readonly bytes: number;
  /** Null if it is not known. */
  readonly totalBytes: number | null;
  /** 0 outside downloads. */
  readonly bytesPerSecond: number;
}

/**
 * Fetches a kernel's packages and lays them out in `target` (see {@link buildKernelTree}). A cloud kernel's separate package of
 * modules is fetched only if its configuration says that it cannot reach a virtio console without: who asks for another flavour wants its modules.
 *
 * @throws ExplainedError as {@link DebianSource.fetch}, `unpackDeb` and `buildKernelTree` do
 */
export async function installKernel(
  source: DebianSource,
  kernel: ResolvedKernel,
  target: string,
  name: string,
  onProgress: (progress: KernelProgress) => void,
): Promise<KernelManifest> {
  const unpacked = join(target, '.unpacked');
  const packages: DebianPackage[] = [...kernel.packages];
  await addPackages(source, packages, unpacked, name, onProgress);
  const config = findConfig(unpacked, kernel.release);
  if (
    kernel.modules !== null &&
    (kernel.flavour !== 'cloud' || (config !== null && needsModules(await readFile(config, 'utf8'))))
  ) {
    packages.push(kernel.modules);
    await addPackages(source, [kernel.modules], unpacked, name, onProgress);
  }
  const manifest = await buildKernelTree(unpacked, target, kernel, packages, source.signal);
  await rm(unpacked, { recursive: true, force: true });
  return manifest;
}

async function addPackages(
  source: DebianSource,
  packages: readonly DebianPackage[],
  unpacked: string,
  name: string,
  onProgress: (progress: KernelProgress) => void,
): Promise<void> {
  const totalBytes = packages.reduce((sum, one) => sum + one.size, 0);
  const report = (phase: KernelProgress['phase'], bytes: number, bytesPerSecond = 0): void =>
    onProgress({ phase, kernel: name, bytes, totalBytes, bytesPerSecond });
  let done = 0;
  const debs: string[] = [];
  for (const one of packages) {
    const before = done;
    debs.push(await source.fetch(one, (phase, bytes, speed) => report(phase, before + bytes, speed)));
    done += one.size;
  }
  done = 0;
  for (const [index, deb] of debs.entries()) {
    report('unpack', done);
    await unpackDeb(deb, unpacked, (path) => path.startsWith('usr/share/'), source.signal);
    done += packages[index]?.size ?? 0;
  }
  report('unpack', done);
}
