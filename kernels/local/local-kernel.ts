import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { extractConfig } from '../embedded-config.ts';
import { readImageHeader } from '../image-header.ts';
import { sha256OfFile } from '../kernel.ts';
import type { InstallContext, KernelParts, ResolvedKernel } from '../kernel-source.ts';
import type { SourceName } from '../request.ts';
import { runTool } from '../run-tool.ts';

/** Files of this machine that make a kernel, by their absolute paths. */
export interface LocalFiles {
  readonly image: string;
  readonly config: string | null;
  readonly systemMap: string | null;
  readonly modules: LocalModules | null;
}

/** Modules, and depmod's inputs beside them, in one folder. */
export interface LocalModules {
  readonly folder: string;
  /** Below {@link LocalModules.folder}, as they are to lie below lib/modules/RELEASE. What is not there (a link may lead nowhere) is passed over. */
  readonly paths: readonly string[];
}

/**
 * What files of this machine stand for now: its folder in the cache is named after the content of image, configuration and System.map, and after names, sizes and times of the
 * modules, whose content can be gigabytes. So a kernel that was built anew is another one, and one that was not is found without being copied.
 *
 * @throws ExplainedError `file-unreadable`, `config-not-a-config`, `modules-for-other-release`, and those of {@link readImageHeader}
 */
export async function resolveLocal(
  source: SourceName,
  files: LocalFiles,
  origin: string,
  signal: AbortSignal | undefined,
): Promise<ResolvedKernel> {
  const { release } = await readImageHeader(files.image);
  const found: ResolvedKernel['files'] = [];
  for (const [name, path] of [
    ['image', files.image],
    ['config', files.config],
    ['System.map', files.systemMap],
  ] as const) {
    if (path === null) continue;
    const { size, sha256 } = await readable(path, async () => {
      const file = await stat(path);
      if (!file.isFile()) throw unreadable(path, 'it is no file');
      return { size: file.size, sha256: await sha256OfFile(path) };
    });
    if (name === 'config') await checkConfig(path);
    found.push({ name, version: '', path, size, sha256, role: 'kernel' });
  }
  const hash = createHash('sha256');
  for (const { name, sha256 } of found) hash.update(`${name} ${sha256}\n`);
  if (files.modules !== null) {
    await checkRelease(files.modules, release, signal);
    hash.update(await describeModules(files.modules));
    const { folder } = files.modules;
    found.push({ name: 'modules', version: '', path: folder, size: null, sha256: null, role: 'modules' });
  }
  const digest = hash.digest('hex').slice(0, SHORT);
  return {
    source,
    line: /^\d+\.\d+/.exec(release)?.[0] ?? '',
    flavour: null,
    release,
    version: `${release}@${digest}`,
    folder: `${source}-${release}-${digest}`,
    origin,
    files: found,
    extra: {},
  };
}

/**
 * Copies the files that {@link resolveLocal} has seen. A configuration that is not among them is taken out of the image, if it has one. Of modules links are made: the ones that are kept are copied when the kernel is laid out.
 * @throws ExplainedError `package-gone` if one was changed since
 */
export async function installLocal(
  kernel: ResolvedKernel,
  files: LocalFiles,
  context: InstallContext,
): Promise<KernelParts> {
  const { folder, name, onProgress } = context;
  onProgress({ phase: 'unpack', kernel: name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
  const copies = new Map<string, string>();
  for (const file of kernel.files) {
    if (file.sha256 === null) continue;
    const copy = join(folder, file.name);
    await readable(file.path, () => copyFile(file.path, copy));
    if ((await sha256OfFile(copy)) !== file.sha256) throw changed(file.path);
    copies.set(file.name, copy);
  }
  const modules = files.modules === null ? null : join(folder, 'modules');
  if (files.modules !== null && modules !== null) await linkModules(files.modules, modules);
  const image = copies.get('image') ?? files.image;
  return {
    release: kernel.release ?? '',
    image,
    config: copies.get('config') ?? (await extractConfig(image, folder, context.signal)),
    systemMap: copies.get('System.map') ?? null,
    modules,
    files: kernel.files.flatMap((file) =>
      file.sha256 === null ? [] : [{ name: file.path, version: '', sha256: file.sha256 }],
    ),
  };
}

/** Everything in a folder like lib/modules/RELEASE, without the links to source and build trees. */
export async function listModules(folder: string): Promise<LocalModules> {
  const entries = await readable(folder, () => readdir(folder, { recursive: true, withFileTypes: true }));
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => path !== 'build' && path !== 'source')
    .sort();
  return { folder, paths };
}

/** Whether a path names a module. */
export function isModule(path: string): boolean {
  return /\.ko(\.(xz|zst|gz))?$/.test(path);
}

const SHORT = 16;

async function describeModules({ folder, paths }: LocalModules): Promise<string> {
  const lines: string[] = [];
  for (const path of paths) {
    const found = await stat(join(folder, path)).catch(() => null);
    if (found !== null) lines.push(`${path} ${found.size} ${found.mtimeMs}`);
  }
  return lines.join('\n');
}

/** Any other file would look like a kernel without all that a machine needs. */
async function checkConfig(path: string): Promise<void> {
  const text = await readable(path, () => readFile(path, 'latin1'));
  if (/^CONFIG_\w+=/m.test(text)) return;
  throw new ExplainedError('config-not-a-config', 'this is no configuration of a kernel', {
    where: path,
    why: 'no line of it sets an option, as CONFIG_BPF_SYSCALL=y does',
    fix: 'Name the .config that the kernel was built with, or leave it out.',
  });
}

/** The kernel takes no modules that were built for another release: they say which one in their `vermagic`. */
async function checkRelease(
  { folder, paths }: LocalModules,
  release: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [first] = paths.filter(isModule);
  if (first === undefined) return;
  const file = join(folder, first);
  const { stdout } = await runTool('modinfo', ['-F', 'vermagic', file], { package: 'kmod', signal });
  const [found] = stdout.toString('utf8').split(' ');
  if (found === release || found === undefined || found.trim() === '') return;
  throw new ExplainedError('modules-for-other-release', `the modules are not for this kernel, Linux ${release}`, {
    where: file,
    why: `it was built for ${found}`,
    fix: 'Name the modules that were built with this image, or build both again.',
  });
}

async function linkModules({ folder, paths }: LocalModules, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const path of paths) {
    const [from, to] = [join(folder, path), join(target, path)];
    if ((await stat(from).catch(() => null))?.isFile() !== true) continue;
    await mkdir(dirname(to), { recursive: true });
    await (isModule(path) ? symlink(from, to) : copyFile(from, to));
  }
}

async function readable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (
      !(cause instanceof Error) ||
      !('code' in cause) ||
      !/^E(NOENT|ACCES|PERM|ISDIR|NOTDIR)$/.test(String(cause.code))
    ) {
      throw cause;
    }
    throw unreadable(path, cause.message, cause);
  }
}

function unreadable(path: string, why: string, cause?: unknown): ExplainedError {
  return new ExplainedError('file-unreadable', 'a file of the kernel cannot be read', {
    where: path,
    why,
    fix: 'Name files that exist and that you may read.',
    cause,
  });
}

function changed(path: string): ExplainedError {
  return new ExplainedError('package-gone', 'a file of the kernel was changed while it was copied', {
    where: path,
    fix: 'Wait until the build has ended, and run again.',
  });
}
