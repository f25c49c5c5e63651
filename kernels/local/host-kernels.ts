import { access, constants } from 'node:fs/promises';
import { release as runningRelease } from 'node:os';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { readImageHeader } from '../image-header.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import type { HostRequest } from '../request.ts';
import { installLocal, type LocalFiles, listModules, resolveLocal } from './local-kernel.ts';

/** Where {@link HostKernels} looks; the defaults are this machine. */
export interface HostOptions {
  readonly root?: string;
  /** As in `uname -r`. */
  readonly release?: string;
}

/** The kernel that this machine runs, from the files that it was installed with. */
export class HostKernels implements KernelSource<HostRequest> {
  readonly #root: string;
  readonly #release: string;

  constructor({ root = '/', release = runningRelease() }: HostOptions = {}) {
    this.#root = root;
    this.#release = release;
  }

  /**
   * What is installed of the running kernel.
   * @throws ExplainedError `host-image-missing`, `host-image-unreadable`, `host-image-replaced`, and those of {@link readImageHeader}
   */
  async resolve(_request: HostRequest, { signal }: ResolveContext): Promise<ResolvedKernel> {
    return resolveLocal('host', await this.#findFiles(), `this machine, Linux ${this.#release}`, signal);
  }

  /** @throws ExplainedError as {@link resolve}; `package-gone` if a file was changed since */
  async install(kernel: ResolvedKernel, _request: HostRequest, context: InstallContext): Promise<KernelParts> {
    return installLocal(kernel, await this.#findFiles(), context);
  }

  async #findFiles(): Promise<LocalFiles> {
    const release = this.#release;
    const folders = ['usr/lib/modules', 'lib/modules'].map((part) => join(this.#root, part, release));
    const image = await firstReadable([
      join(this.#root, 'boot', `vmlinuz-${release}`),
      ...folders.map((folder) => join(folder, 'vmlinuz')),
    ]);
    const found = await readImageHeader(image);
    if (found.release !== release) {
      throw new ExplainedError('host-image-replaced', 'the installed kernel is not the one that runs', {
        where: image,
        why: `it is Linux ${found.release}, and ${release} runs`,
        fix: 'Restart the machine, or name the file with `image:`.',
      });
    }
    const beside = (name: string): Promise<string | null> =>
      first([join(this.#root, 'boot', `${name}-${release}`), ...folders.map((folder) => join(folder, name))]);
    const modules = await first(folders);
    return {
      image,
      config: await beside('config'),
      // Often for root alone, and nothing depends on it.
      systemMap: await beside('System.map'),
      modules: modules === null ? null : await listModules(modules),
    };
  }
}

/** The first of the paths that is there and can be read; null if there is none. */
async function first(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const error = await access(path, constants.R_OK).catch((cause: unknown) => cause);
    if (error === undefined) return path;
  }
  return null;
}

async function firstReadable(paths: readonly [string, ...string[]]): Promise<string> {
  const found = await first(paths);
  if (found !== null) return found;
  for (const path of paths) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) throw unreadable(path);
  }
  throw new ExplainedError('host-image-missing', 'the image of the running kernel is not on this machine', {
    where: paths.join(', '),
    why: 'in a container, and in many machines of clouds, the kernel comes from outside',
    fix: 'Let the container see /boot and /lib/modules of its host, or take the kernel from another source.',
  });
}

/** Ubuntu installs images for root alone (0600). */
function unreadable(path: string): ExplainedError {
  return new ExplainedError('host-image-unreadable', 'you may not read the image of the running kernel', {
    where: path,
    why: 'on Ubuntu it is for root alone',
    fix: `sudo chmod a+r ${path}`,
  });
}
