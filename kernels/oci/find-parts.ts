import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { type ImageHeader, readImageHeader } from '../image-header.ts';

/** The parts of a kernel in an unpacked image, each an absolute path. */
export interface FoundParts {
  readonly release: string;
  readonly image: string;
  readonly config: string | null;
  readonly systemMap: string | null;
  readonly modules: string | null;
  /** Releases that there are modules for, but no kernel. */
  readonly otherModules: readonly string[];
}

/**
 * Finds the kernel in the folder that {@link unpackLayers} made: `boot/vmlinuz` or `boot/bzImage`, with or without `-RELEASE`, else `lib/modules/RELEASE/vmlinuz`.
 *
 * @param where the image, for messages
 * @throws ExplainedError `kernel-image-missing`, `kernel-image-ambiguous`, and those of {@link readImageHeader}
 */
export async function findParts(root: string, where: string): Promise<FoundParts> {
  const folders = await moduleFolders(root);
  const { image, release } = await findImage(root, folders, where);
  const modules = folders.filter((folder) => basename(folder) === release);
  const first = (paths: readonly string[]): string | null => paths.find(existsSync) ?? null;
  const placesOf = (name: string): string[] => [
    ...[`${name}-${release}`, name].map((file) => join(root, 'boot', file)),
    ...modules.map((folder) => join(folder, name)),
  ];
  return {
    release,
    image,
    config: first(placesOf('config')),
    systemMap: first(placesOf('System.map')),
    modules: modules[0] ?? null,
    otherModules: folders.map((folder) => basename(folder)).filter((name) => name !== release),
  };
}

async function findImage(
  root: string,
  folders: readonly string[],
  where: string,
): Promise<{ image: string; release: string }> {
  const boot = await names(join(root, 'boot'));
  const named = boot.filter((name) => /^(vmlinuz|bzImage)(-.*)?$/.test(name)).sort();
  const candidates = [
    ...named.map((name) => join(root, 'boot', name)),
    ...folders.map((folder) => join(folder, 'vmlinuz')).filter(existsSync),
  ];
  // A name without a release is the image's own choice among several.
  const chosen = named.includes('vmlinuz') ? candidates.filter((path) => path.endsWith('/boot/vmlinuz')) : candidates;
  const found = new Map<string, string>();
  for (const path of new Set(await Promise.all(chosen.map((path) => realpath(path))))) {
    const { release } = await readHeader(path, root, where);
    if (!found.has(release)) found.set(release, path);
  }
  const [first, second] = [...found];
  if (first === undefined) {
    const there = boot.length === 0 ? 'there is no /boot' : `/boot holds ${boot.slice(0, 10).join(', ')}`;
    throw new ExplainedError('kernel-image-missing', 'the image holds no kernel', {
      where,
      why: `neither /boot/vmlinuz… nor /lib/modules/…/vmlinuz is in it; ${there}`,
      fix: 'Use an image that was made to carry a kernel, such as those of ghcr.io/cilium/ci-kernels.',
    });
  }
  if (second !== undefined) {
    throw new ExplainedError('kernel-image-ambiguous', 'the image holds several kernels', {
      where,
      why: `it has ${[...found.keys()].join(', ')}, and no /boot/vmlinuz that says which`,
      fix: 'Use an image with one kernel.',
    });
  }
  return { release: first[0], image: first[1] };
}

/** Names the image and the file in it, rather than the file on this machine. */
async function readHeader(path: string, root: string, where: string): Promise<ImageHeader> {
  return readImageHeader(path).catch(async (error: unknown) => {
    if (!(error instanceof ExplainedError)) throw error;
    const inside = relative(await realpath(root), path);
    throw new ExplainedError(error.code, error.message, {
      where: `${where}: /${inside}`,
      ...(error.why === undefined ? {} : { why: error.why }),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      cause: error,
    });
  });
}

async function moduleFolders(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const parent of ['usr/lib/modules', 'lib/modules']) {
    const entries = await readdir(join(root, parent), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) found.push(join(root, parent, entry.name));
  }
  return found;
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}
