import { copyFile, lstat, readdir, realpath, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runTool, toolFailed } from './run-tool.ts';

/**
 * Modules that a machine of the harness, or its view of the host's files, can need: transports and devices of virtio, the filesystems that
 * virtme-ng mounts, and what belongs to them. virtme-ng loads those of virtme/virtmods.py; the rest is for `exec` and `shell`.
 */
const NEEDED: ReadonlySet<string> = new Set([
  ...['virtio', 'virtio_ring', 'virtio_pci', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_mmio'],
  ...['virtio_console', 'virtio_blk', 'virtio_scsi', 'virtio_net', 'virtio_balloon', 'virtio_rng', 'virtio_input'],
  ...['9p', '9pnet', '9pnet_virtio', 'virtiofs', 'fuse', 'overlay', 'af_packet', 'vsock'],
]);

/** Name of a module as modprobe knows it: `virtio-rng.ko` is virtio_rng. */
export function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/** Each module that modules.dep knows by name, with the paths of itself and what it needs, in the order in which they are loaded. Paths are below lib/modules/RELEASE. */
export function parseModulesDep(text: string): ReadonlyMap<string, readonly string[]> {
  const modules = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const [path, rest] = line.split(':');
    if (path === undefined || rest === undefined) continue;
    // depmod names the dependencies in the reverse of the order of loading (depmod.c, output_deps).
    const needs = rest.split(/\s+/).filter((word) => word !== '');
    modules.set(moduleName(path), [...needs.reverse(), path]);
  }
  return modules;
}

/**
 * Keeps the modules that something in a machine wants, decompressed, with all that they need, and removes the others, so that a kernel with
 * thousands of them takes little room. Which ones the kernel has is kept in `modules.known`, one path to a line.
 *
 * @param directory lib/modules/RELEASE, as packages have it: depmod runs afterwards
 * @param wanted names of modules to keep beside those that every machine can need
 * @returns how many modules the kernel has
 * @throws ExplainedError `module-decompression-failed`, `module-unreadable`, `tool-missing`, `interrupted`, `disk-full`
 */
export async function selectModules(
  directory: string,
  wanted: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = names
    .filter((file) => MODULE.test(file.name) && !file.isDirectory())
    .map((file) => join(file.parentPath, file.name).slice(directory.length + 1))
    .sort();
  const byName = new Map(paths.map((path) => [moduleName(path), path]));
  const keep = new Set<string>();
  let next = [...NEEDED, ...wanted.map(moduleName)];
  while (next.length > 0) {
    const found = new Set(next.flatMap((name) => byName.get(name) ?? []));
    const added = [...found].filter((path) => !keep.has(path));
    for (const path of added) {
      keep.add(path);
      await replaceLink(join(directory, path));
    }
    const plain = await decompress(directory, added, signal);
    next = await readDependencies(directory, plain, signal);
  }
  for (const path of paths) if (!keep.has(path)) await rm(join(directory, path));
  const folders = new Set(paths.map((path) => dirname(join(directory, path))));
  for (const folder of [...folders].sort((left, right) => right.length - left.length)) {
    await removeEmpty(folder, directory);
  }
  await writeFile(join(directory, 'modules.known'), paths.map((path) => `${path}\n`).join(''));
  return paths.length;
}

const MODULE = /\.ko(\.(xz|zst|gz))?$/;

const DECOMPRESSORS: readonly { suffix: string; command: string; args: readonly string[]; package: string }[] = [
  { suffix: '.ko.xz', command: 'xz', args: ['--decompress', '--quiet'], package: 'xz-utils' },
  { suffix: '.ko.zst', command: 'zstd', args: ['-d', '--rm', '--quiet'], package: 'zstd' },
  { suffix: '.ko.gz', command: 'gzip', args: ['-d', '--quiet'], package: 'gzip' },
];

/** busybox, which loads modules in the guest, knows none of the compressions. Gives the paths of the plain files. */
async function decompress(
  directory: string,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  for (const { suffix, command, args, package: owner } of DECOMPRESSORS) {
    const files = paths.filter((path) => path.endsWith(suffix));
    if (files.length === 0) continue;
    const result = await runTool(command, [...args, '--', ...files], { package: owner, signal, cwd: directory });
    if (result.exitCode !== 0) {
      throw toolFailed(result, 'module-decompression-failed', `${command} could not decompress modules`, directory);
    }
  }
  return paths.map((path) => path.replace(/\.(xz|zst|gz)$/, ''));
}

/** Names of the modules that these say they need (`depends=` in their .modinfo section). */
async function readDependencies(
  directory: string,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (paths.length === 0) return [];
  const files = paths.map((path) => `./${path}`);
  const result = await runTool('modinfo', ['-F', 'depends', ...files], { package: 'kmod', signal, cwd: directory });
  if (result.exitCode !== 0) {
    throw toolFailed(result, 'module-unreadable', 'modinfo cannot read the modules of this kernel', directory);
  }
  return result.stdout
    .toString('utf8')
    .split(/[\n,]/)
    .filter((name) => name !== '')
    .map(moduleName);
}

/** A module may be a link to where it was built, which may be gone or built anew tomorrow. */
async function replaceLink(path: string): Promise<void> {
  if (!(await lstat(path)).isSymbolicLink()) return;
  const target = await realpath(path);
  await rm(path);
  await copyFile(target, path);
}

async function removeEmpty(folder: string, root: string): Promise<void> {
  if (folder === root || !folder.startsWith(root)) return;
  const removed = await rmdir(folder).then(
    () => true,
    () => false,
  );
  if (removed) await removeEmpty(dirname(folder), root);
}
