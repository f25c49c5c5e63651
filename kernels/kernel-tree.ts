import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';
import { diskFull } from './free-space.ts';
import { type KernelManifest, sha256OfFile } from './kernel.ts';
import type { KernelParts, ResolvedKernel } from './kernel-source.ts';
import { pruneModules } from './module-selection.ts';
import { runTool, type ToolResult } from './run-tool.ts';

/** What {@link layOutKernel} is told beside the parts. */
export interface LayoutOptions {
  /** Parts below this folder are moved, others are copied. */
  readonly folder: string;
  /** Modules to keep beside the ones that a machine needs, by name. */
  readonly modules: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/**
 * Brings the parts of a kernel into one shape, in the folder `target`: `boot/vmlinuz-RELEASE`, `boot/config-RELEASE`,
 * `lib/modules/RELEASE` with plain `.ko` files and depmod's tables, `usr/lib` as a link to `lib`, and `kernel.json`.
 * Kernels without a single module get the tables too, so that nobody runs depmod into the folder later.
 *
 * @throws ExplainedError `module-decompression-failed`, `depmod-failed`, `disk-full`, `tool-missing`, `interrupted`
 */
export async function layOutKernel(
  parts: KernelParts,
  target: string,
  kernel: ResolvedKernel,
  options: LayoutOptions,
): Promise<KernelManifest> {
  const { release } = parts;
  const modules = join(target, 'lib/modules', release);
  await mkdir(join(target, 'boot'), { recursive: true });
  await mkdir(join(target, 'lib/modules'), { recursive: true });
  await mkdir(join(target, 'usr'));
  await symlink('../lib', join(target, 'usr/lib'));
  const place = (path: string, destination: string): Promise<void> =>
    path.startsWith(`${options.folder}/`) ? rename(path, destination) : cp(path, destination, { recursive: true });

  const image = `boot/vmlinuz-${release}`;
  await place(parts.image, join(target, image));
  const config = parts.config === null ? null : `boot/config-${release}`;
  if (parts.config !== null && config !== null) await place(parts.config, join(target, config));
  // Debian's System.map is one line that says that it is in the -dbg package.
  const hasMap = parts.systemMap !== null && (await readFile(parts.systemMap)).length > 4096;
  const systemMap = hasMap ? `boot/System.map-${release}` : null;
  if (parts.systemMap !== null && systemMap !== null) await place(parts.systemMap, join(target, systemMap));

  if (parts.modules === null) await mkdir(modules);
  else await place(parts.modules, modules);
  // Links to the source and build trees, which are not here.
  for (const name of ['build', 'source']) await rm(join(modules, name), { force: true, recursive: true });
  await decompressModules(modules, options.signal);
  for (const name of ['modules.order', 'modules.builtin']) {
    await writeFile(join(modules, name), '', { flag: 'a' });
  }
  const depmod = await runTool('depmod', ['-b', target, release], { package: 'kmod', signal: options.signal });
  if (depmod.exitCode !== 0) throw toolFailed(depmod, 'depmod-failed', `depmod failed for Linux ${release}`, target);
  const kept = await pruneModules(modules, options.modules);

  const checked = [image, `lib/modules/${release}/modules.dep`, ...(config === null ? [] : [config])];
  const files: Record<string, string> = {};
  for (const path of checked) files[path] = await sha256OfFile(join(target, path));
  const { source, line, flavour, version, origin } = kernel;
  const manifest: KernelManifest = {
    schemaVersion: 2,
    source,
    line,
    flavour,
    release,
    version,
    origin,
    image,
    config,
    systemMap,
    packages: parts.files.map((file) => ({ ...file })),
    modules: { known: kept.known, wanted: [...options.modules] },
    files,
  };
  await writeFile(join(target, 'kernel.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** Path of one of a kernel's files in unpacked packages, null if they have none. */
export function findPart(
  unpacked: string,
  release: string,
  name: 'vmlinuz' | 'config' | 'System.map' | 'modules',
): string | null {
  const folders = [join(unpacked, 'usr/lib/modules', release), join(unpacked, 'lib/modules', release)];
  const places =
    name === 'modules'
      ? folders
      : [join(unpacked, 'boot', `${name}-${release}`), ...folders.map((folder) => join(folder, name))];
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
        const message = `${command} could not decompress the modules in ${directory}`;
        throw toolFailed(result, 'module-decompression-failed', message, directory);
      }
    }
  }
}

/** Files to a call: well below the limit on the length of a command line (128 KiB at the least). */
const BATCH = 250;

function toolFailed(result: ToolResult, code: string, message: string, where: string): ExplainedError {
  if (/No space left on device|Disk quota exceeded/.test(result.stderr)) return diskFull(where);
  return new ExplainedError(code, message, { where, why: result.stderr.trim() || `it ended with ${result.exitCode}` });
}
