import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

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
 * Removes the modules that nothing in a machine wants, so that a kernel with thousands of them takes little room. The tables of depmod stay
 * as they were: they still tell which modules the kernel has.
 *
 * @param directory lib/modules/RELEASE, with modules.dep
 * @param wanted names of modules to keep with what they need
 * @returns how many modules the kernel has, and how many were kept
 */
export async function pruneModules(
  directory: string,
  wanted: readonly string[],
): Promise<{ readonly known: number; readonly kept: number }> {
  const modules = parseModulesDep(await readFile(join(directory, 'modules.dep'), 'utf8'));
  const names = [...NEEDED, ...wanted.map((name) => moduleName(name))];
  const keep = new Set(names.flatMap((name) => modules.get(name) ?? []));
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && /\.ko(\.\w+)?$/.test(file.name) && !keep.has(path.slice(directory.length + 1))) await rm(path);
  }
  const folders = new Set(files.filter((file) => file.isFile()).map((file) => file.parentPath));
  for (const folder of [...folders].sort((left, right) => right.length - left.length)) {
    await removeEmpty(folder, directory);
  }
  return { known: modules.size, kept: keep.size };
}

async function removeEmpty(folder: string, root: string): Promise<void> {
  if (folder === root || !folder.startsWith(root)) return;
  const removed = await rmdir(folder).then(
    () => true,
    () => false,
  );
  if (removed) await removeEmpty(dirname(folder), root);
}
