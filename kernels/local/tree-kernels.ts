import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { DebianSource } from '../debian/source.ts';
import { readImageHeader } from '../image-header.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import type { TreeRequest } from '../request.ts';
import { runTool } from '../run-tool.ts';
import { locateVirtmeNg } from '../virtme-ng.ts';
import { installLocal, type LocalFiles, type LocalModules, listModules, resolveLocal } from './local-kernel.ts';

/** What {@link TreeKernels} finds virtme-ng with. */
export interface TreeOptions {
  readonly cache: string;
  readonly debian: DebianSource;
}

/**
 * Kernels in the source tree, or the output folder (`make O=`), that they were built in. Nothing is built here. virtme-ng arranges the modules as an installation would
 * (`virtme-prep-kdir-mods`), which leaves a folder of links in the tree, `.virtme_mods`; as `vng` does, and as git passes over.
 */
export class TreeKernels implements KernelSource<TreeRequest> {
  readonly #options: TreeOptions;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  /**
   * What the tree holds now.
   * @throws ExplainedError `tree-missing`, `tree-not-configured`, `tree-not-built`, `tree-stale`, `image-wrong-architecture`, `modules-for-other-release`
   */
  async resolve({ tree }: TreeRequest, { signal, say, name }: ResolveContext): Promise<ResolvedKernel> {
    await checkTree(tree);
    const modules = await builtModules(tree);
    if (modules === null && /=m$/m.test(await readFile(join(tree, '.config'), 'utf8'))) {
      say(`${name}: ${tree} has no modules that are built: the kernel is used without`);
    }
    return resolveLocal('tree', filesOf(tree, modules), tree, signal);
  }

  /**
   * Copies what was resolved.
   * @throws ExplainedError `modules-not-arranged`, `package-gone` if the tree was built anew meanwhile
   */
  async install(kernel: ResolvedKernel, { tree }: TreeRequest, context: InstallContext): Promise<KernelParts> {
    const built = await builtModules(tree);
    const modules = built === null ? null : await this.#arrange(tree, context.signal);
    return installLocal(kernel, filesOf(tree, modules), context);
  }

  async #arrange(tree: string, signal: AbortSignal | undefined): Promise<LocalModules> {
    const { cache, debian } = this.#options;
    const { command } = await locateVirtmeNg({ cache, source: debian });
    const program = join(dirname(command.at(-1) ?? ''), 'virtme-prep-kdir-mods');
    const result = await runTool('/bin/sh', [program], { package: 'virtme-ng', cwd: tree, signal });
    if (result.exitCode === 0) return listModules(join(tree, '.virtme_mods/lib/modules/0.0.0'));
    throw new ExplainedError('modules-not-arranged', 'virtme-ng cannot arrange the modules of the tree', {
      where: tree,
      why: result.stderr.trim().split('\n').at(-1) ?? '',
      fix: 'It makes a folder .virtme_mods there: you have to be allowed to write, and depmod has to be installed (package kmod).',
    });
  }
}

const IMAGE = 'arch/x86/boot/bzImage';

function filesOf(tree: string, modules: LocalModules | null): LocalFiles {
  const systemMap = join(tree, 'System.map');
  return {
    image: join(tree, IMAGE),
    config: join(tree, '.config'),
    systemMap: existsSync(systemMap) ? systemMap : null,
    modules,
  };
}

/** The modules that `make modules` has made, where they lie; null if it was not run. @throws ExplainedError `tree-not-built` if one is gone */
async function builtModules(tree: string): Promise<LocalModules | null> {
  const text = await readFile(join(tree, 'modules.order'), 'utf8').catch(() => null);
  if (text === null) return null;
  // Since 6.2 the objects that modules are linked from are named; before 5.10 all had `kernel/` in front, which installations have.
  const paths = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/\.o$/, '.ko'))
    .map((line) => (existsSync(join(tree, line)) ? line : line.replace(/^kernel\//, '')));
  const missing = paths.find((path) => !existsSync(join(tree, path)));
  if (missing !== undefined) {
    throw problem(
      'tree-not-built',
      'the modules of the kernel tree are not all there',
      tree,
      `it has no ${missing}`,
      BUILD_ONLY,
    );
  }
  return paths.length === 0 ? null : { folder: tree, paths: [...paths, 'modules.order', 'modules.builtin'] };
}

/** Tells a tree that is not ready apart from one that is. @throws ExplainedError as {@link TreeKernels.resolve} says */
async function checkTree(tree: string): Promise<void> {
  const isFolder = (await stat(tree).catch(() => null))?.isDirectory() === true;
  if (!isFolder) {
    throw problem(
      'tree-missing',
      'there is no such folder',
      tree,
      'it is not there, or no folder',
      'Name the folder that the kernel was built in.',
    );
  }
  const config = await readFile(join(tree, '.config'), 'utf8').catch(() => null);
  if (config === null) {
    const isSource = existsSync(join(tree, 'Kbuild')) && existsSync(join(tree, 'Kconfig'));
    throw isSource
      ? problem(
          'tree-not-configured',
          'the kernel tree is not configured',
          tree,
          'it has no .config',
          `${BUILD} (or name the output folder, if it was built with O=)`,
        )
      : problem(
          'tree-missing',
          'this is no kernel tree',
          tree,
          'it has neither .config nor Kconfig',
          'Name the folder that the kernel was built in.',
        );
  }
  if (!/^CONFIG_X86_64=y$/m.test(config)) {
    const named = /^# Linux\/(\S+) .*Kernel Configuration$/m.exec(config)?.[1] ?? 'another architecture';
    throw problem(
      'image-wrong-architecture',
      'the kernel tree is for another architecture',
      join(tree, '.config'),
      `it is configured for ${named}; x86_64 is wanted`,
      'Configure and build it with ARCH=x86_64.',
    );
  }
  if (!existsSync(join(tree, IMAGE))) {
    throw problem(
      'tree-not-built',
      'the kernel tree is configured, but not built',
      tree,
      `it has no ${IMAGE}`,
      BUILD_ONLY,
    );
  }
  await checkAge(tree, config);
}

/**
 * An image that is not what would be made now says something else than the configuration beside it. What the last build has written is compared, not times: a tree may
 * have been copied.
 */
async function checkAge(tree: string, config: string): Promise<void> {
  const text = (path: string): Promise<string> => readFile(join(tree, path), 'utf8').catch(() => '');
  const header = await readImageHeader(join(tree, IMAGE));
  const applied = await text('include/config/auto.conf');
  const release = (await text('include/config/kernel.release')).trim();
  // Since 6.1 it has a file of its own.
  const generated = `${await text('include/generated/utsversion.h')}\n${await text('include/generated/compile.h')}`;
  const version = /^#define UTS_VERSION "(.*)"$/m.exec(generated)?.[1];
  const why =
    applied !== '' && chosen(applied) !== chosen(config)
      ? 'the configuration was changed since the last build'
      : release !== '' && release !== header.release
        ? `the tree is at ${release}, and its image is ${header.release}`
        : version !== undefined && !header.versionText.endsWith(version)
          ? `vmlinux was linked anew (${version}), and no bzImage was made of it`
          : null;
  if (why !== null) throw problem('tree-stale', 'the image in the kernel tree is out of date', tree, why, BUILD_ONLY);
}

/** The options that are on, in one order: make keeps those it has built with in auto.conf. */
function chosen(config: string): string {
  return (config.match(/^CONFIG_\w+=[ym]$/gm) ?? []).sort().join('\n');
}

const BUILD = 'Configure and build it there: `vng --kconfig`, then `make -j$(nproc)`.';
const BUILD_ONLY = 'Build it there: `make -j$(nproc)`.';

function problem(code: string, what: string, where: string, why: string, fix: string): ExplainedError {
  return new ExplainedError(code, what, { where, why, fix });
}
