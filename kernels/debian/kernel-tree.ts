import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { type KernelManifest, sha256OfFile } from '../kernel.ts';
import { runTool } from '../run-tool.ts';
import { classifyAptFailure } from './apt-failure.ts';
import type { DebianPackage } from './package-list.ts';
import type { ResolvedKernel } from './resolve.ts';

/** Path of a kernel's configuration in its unpacked packages, null if they have none. */
export function findConfig(unpacked: string, release: string): string | null {
  return findPart(unpacked, release, 'config');
}

/** Whether a kernel needs modules to reach a virtio console or disk: one of those drivers is built as a module. */
export function needsModules(config: string): boolean {
  return /^CONFIG_(VIRTIO|VIRTIO_PCI|VIRTIO_CONSOLE|VIRTIO_MENU)=m$/m.test(config);
}

/**
 * Brings the unpacked packages of a kernel into one shape, in the folder `target`: `boot/vmlinuz-RELEASE`, `boot/config-RELEASE`,
 * `lib/modules/RELEASE` with plain `.ko` files and depmod's tables, `usr/lib` as a link to `lib`, and `kernel.json`.
 * Kernels without a single module get the tables too, so that nobody runs depmod into the folder later.
 *
 * @param unpacked folder that the packages were unpacked into; its files are moved away
 * @throws ExplainedError `kernel-image-missing`, `module-decompression-failed`, `depmod-failed`, `disk-full`, `tool-missing`, `interrupted`
 */
export async function buildKernelTree(
  unpacked: string,
  target: string,
  kernel: ResolvedKernel,
  packages: readonly DebianPackage[],
  signal?: AbortSignal,
): Promise<KernelManifest> {
  const { release } = kernel;
  const vmlinuz = findPart(unpacked, release, 'vmlinuz');
  if (vmlinuz === null) {
    throw new ExplainedError('kernel-image-missing', `the packages of Linux ${kernel.version} hold no vmlinuz`, {
      where: packages.map((one) => one.name).join(', '),
      why: `neither boot/vmlinuz-${release} nor usr/lib/modules/${release}/vmlinuz is there`,
      fix: 'Debian has changed the layout of its kernel packages: please report it.',
    });
  }
  const configSource = findPart(unpacked, release, 'config');
  const mapSource = findPart(unpacked, release, 'System.map');
  const modules = join(target, 'lib/modules', release);
  await mkdir(join(target, 'boot'), { recursive: true });
  await mkdir(join(target, 'lib/modules'), { recursive: true });
  await mkdir(join(target, 'usr'));
  await symlink('../lib', join(target, 'usr/lib'));

  const image = `boot/vmlinuz-${release}`;
  await rename(vmlinuz, join(target, image));
  const config = configSource === null ? null : `boot/config-${release}`;
  if (configSource !== null && config !== null) await rename(configSource, join(target, config));
  // Debian's System.map is one line that says that it is in the -dbg package.
  const hasMap = mapSource !== null && (await readFile(mapSource)).length > 4096;
  const systemMap = hasMap ? `boot/System.map-${release}` : null;
  if (mapSource !== null) await (systemMap === null ? rm(mapSource) : rename(mapSource, join(target, systemMap)));

  const source = [join(unpacked, 'lib/modules', release), join(unpacked, 'usr/lib/modules', release)].find(existsSync);
  if (source === undefined) await mkdir(modules);
  else await rename(source, modules);
  await decompressModules(modules, signal);
  for (const name of ['modules.order', 'modules.builtin']) {
    await writeFile(join(modules, name), '', { flag: 'a' });
  }
  const depmod = await runTool('depmod', ['-b', target, release], { package: 'kmod', signal });
  if (depmod.exitCode !== 0) throw classifyAptFailure(depmod, 'depmod-failed', `depmod failed for Linux ${release}`);

  const checked = [image, `lib/modules/${release}/modules.dep`, ...(config === null ? [] : [config])];
  const files: Record<string, string> = {};
  for (const path of checked) files[path] = await sha256OfFile(join(target, path));
  const manifest: KernelManifest = {
    schemaVersion: 1,
    source: 'debian',
    line: kernel.line,
    flavour: kernel.flavour,
    release,
    version: kernel.version,
    suite: kernel.suite,
    image,
    config,
    systemMap,
    packages: packages.map(({ name, version, suite, filename, size, sha256 }) => ({
      name,
      version,
      suite,
      filename,
      size,
      sha256,
    })),
    files,
  };
  await writeFile(join(target, 'kernel.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

function findPart(unpacked: string, release: string, name: 'vmlinuz' | 'config' | 'System.map'): string | null {
  const places = [
    join(unpacked, 'boot', `${name}-${release}`),
    join(unpacked, 'usr/lib/modules', release, name),
    join(unpacked, 'lib/modules', release, name),
  ];
  return places.find(existsSync) ?? null;
}

const DECOMPRESSORS: readonly { suffix: string; command: string; args: readonly string[]; package: string }[] = [
  { suffix: '.ko.xz', command: 'xz', args: ['--decompress', '--quiet'], package: 'xz-utils' },
  { suffix: '.ko.zst', command: 'zstd', args: ['-d', '--rm', '--quiet'], package: 'zstd' },
  { suffix: '.ko.gz', command: 'gzip', args: ['-d', '--quiet'], package: 'gzip' },
];

/** busybox, which loads modules in the guest, knows none of the compressions. */
async function decompressModules(directory: string, signal: AbortSignal | undefined): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  for (const { suffix, command, args, package: owner } of DECOMPRESSORS) {
    const files = names.filter((name) => name.endsWith(suffix)).map((name) => join(directory, name));
    for (let start = 0; start < files.length; start += BATCH) {
      const batch = files.slice(start, start + BATCH);
      const result = await runTool(command, [...args, '--', ...batch], { package: owner, signal });
      if (result.exitCode !== 0) {
        throw classifyAptFailure(
          result,
          'module-decompression-failed',
          `${command} could not decompress the modules in ${directory}`,
        );
      }
    }
  }
}

/** Files to a call: well below the limit on the length of a command line (128 KiB at the least). */
const BATCH = 250;
