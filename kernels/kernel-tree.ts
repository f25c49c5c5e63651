import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';
import { type KernelManifest, sha256OfFile } from './kernel.ts';
import type { KernelParts, ResolvedKernel } from './kernel-source.ts';
import { missingNeeds } from './machine-needs.ts';
import { selectModules } from './module-selection.ts';
import { runTool, toolFailed } from './run-tool.ts';

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
  const known = await selectModules(modules, options.modules, options.signal);
  for (const name of ['modules.order', 'modules.builtin']) {
    await writeFile(join(modules, name), '', { flag: 'a' });
  }
  if (JUDGED.has(kernel.source)) await requireNeeds(parts, modules, kernel);
  const depmod = await runTool('depmod', ['-b', target, release], { package: 'kmod', signal: options.signal });
  if (depmod.exitCode !== 0) throw toolFailed(depmod, 'depmod-failed', `depmod failed for Linux ${release}`, target);

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
    modules: { known, wanted: [...options.modules] },
    files,
  };
  await writeFile(join(target, 'kernel.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** Sources of kernels that anybody may have configured. */
const JUDGED: ReadonlySet<string> = new Set(['image', 'tree', 'host', 'oci', 'build', 'ubuntu-mainline']);

/** Says before a boot what the boot would only show by its silence. Without a configuration nothing can be said. */
async function requireNeeds(parts: KernelParts, modules: string, kernel: ResolvedKernel): Promise<void> {
  if (parts.config === null) return;
  const known = await readFile(join(modules, 'modules.known'), 'utf8');
  const config = await readFile(join(modules, '../../../boot', `config-${parts.release}`), 'utf8');
  const missing = missingNeeds(
    config,
    known.split('\n').filter((path) => path !== ''),
  );
  if (missing.length === 0) return;
  throw new ExplainedError(
    'kernel-unfit',
    `Linux ${parts.release} (${kernel.origin}) cannot be a machine of the harness`,
    {
      where: parts.config,
      why: missing.map(({ option, why }) => `${option}: ${why}`).join('\n    '),
      fix: 'Build it with these options, or give it its modules.',
    },
  );
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
