import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { readImageHeader } from '../image-header.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import type { ImageRequest } from '../request.ts';
import {
  installLocal,
  isModule,
  type LocalFiles,
  type LocalModules,
  listModules,
  resolveLocal,
} from './local-kernel.ts';

/** Kernels in files of this machine: a bzImage, and modules and configuration if they are named. Paths are absolute. */
export class ImageKernels implements KernelSource<ImageRequest> {
  /**
   * What is in the files now.
   * @throws ExplainedError `modules-missing`, `modules-for-other-release`, `file-unreadable`, and those of {@link readImageHeader}
   */
  async resolve(request: ImageRequest, { signal }: ResolveContext): Promise<ResolvedKernel> {
    return resolveLocal('image', await findFiles(request), request.image, signal);
  }

  /** @throws ExplainedError `package-gone` if a file was changed since it was resolved */
  async install(kernel: ResolvedKernel, request: ImageRequest, context: InstallContext): Promise<KernelParts> {
    return installLocal(kernel, await findFiles(request), context);
  }
}

async function findFiles({ image, modules, config }: ImageRequest): Promise<LocalFiles> {
  const { release } = await readImageHeader(image);
  const folder = dirname(image);
  // As in /boot, as in usr/lib/modules/RELEASE, and as Debian's packages have both.
  const beside = (name: string): string | null =>
    [join(folder, `${name}-${release}`), ...(basename(folder) === release ? [join(folder, name)] : [])].find(
      existsSync,
    ) ?? null;
  return {
    image,
    config: config ?? beside('config'),
    systemMap: beside('System.map'),
    modules: modules === undefined ? null : await findModules(modules, release),
  };
}

/**
 * The modules of a release: in the folder itself, or below it in `RELEASE`, `lib/modules/RELEASE` or `usr/lib/modules/RELEASE`.
 * @throws ExplainedError `modules-missing`, with the releases there are
 */
export async function findModules(folder: string, release: string): Promise<LocalModules> {
  const places = ['', 'usr/lib/modules', 'lib/modules'].map((part) => join(folder, part));
  for (const place of places) {
    const found = join(place, release);
    if ((await stat(found).catch(() => null))?.isDirectory() === true) return listModules(found);
  }
  const others: string[] = [];
  for (const place of places) {
    const entries = await readdir(place, { withFileTypes: true }).catch(() => []);
    others.push(
      ...entries.filter((entry) => entry.isDirectory() && /^\d+\.\d+/.test(entry.name)).map(({ name }) => name),
    );
  }
  if (others.length === 0) {
    const own = await listModules(folder);
    if (own.paths.some(isModule)) return own;
  }
  throw new ExplainedError('modules-missing', `there are no modules for Linux ${release}`, {
    where: folder,
    why: others.length === 0 ? 'no file in it is a module' : `it has those for ${[...new Set(others)].join(', ')}`,
    fix: 'Name the folder that is lib/modules/RELEASE elsewhere, or one that has it below; or leave modules out.',
  });
}
