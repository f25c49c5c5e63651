import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DebianPackages } from '../../../kernels/debian/package-files.ts';
import { requireSpace } from '../../../kernels/free-space.ts';
import { populateDirectory } from '../../../kernels/populate.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { ADAPTER, adapterProgram, damageOfAdapter, sealAdapter } from '../built-adapter.ts';
import { GONE } from '../chosen-packages.ts';
import { loaderPackages } from '../debian-packages.ts';
import type { BuiltLoader } from '../prepared-loader.ts';
import { ADAPTER_SOURCES, COMPILATION_FLAGS, compileAdapter } from './compile.ts';
import { type CiliumRequest, findIngredients, type Ingredients } from './ingredients.ts';
import { classify } from './messages.ts';
import { goReleaseOf, type LibraryVersion, libraryVersions } from './packages.ts';
import { isWantedOfGo, isWantedSource } from './source-files.ts';

/** What {@link buildCilium} works with. */
export interface BuildCiliumOptions {
  /** The project's cache; everything goes below its `loaders/`. */
  readonly cache: string;
  readonly mirror: string | undefined;
  /** Told what goes on, a line each. */
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What Go keeps of its own library and of ours, and its workspace. */
const FIRST_BUILD_BYTES = 120e6;
const BUILD_BYTES = 40e6;

/**
 * The adapter for a version of cilium/ebpf, built by Debian's packages of Go into `loaders/cilium/VERSION-KEY/` unless it is there.
 * @throws ExplainedError `loader-version-unknown`, `loader-path-unusable`, `adapter-build-failed`, `interrupted`, and those of {@link DebianPackages}
 */
export async function buildCilium(request: CiliumRequest, options: BuildCiliumOptions): Promise<BuiltLoader> {
  const debian = loaderPackages(options);
  try {
    return await buildFrom(await findIngredients(request, { ...options, debian }), debian, options);
  } catch (error) {
    if (!(error instanceof ExplainedError && GONE.has(error.code))) throw error;
    // What was remembered is not there any more, or Debian has replaced it since its lists were read.
    return buildFrom(await findIngredients(request, { ...options, debian, anew: true }), debian, options);
  }
}

/** All versions that Debian has, newest first. Throws as {@link DebianPackages.versions}. */
export async function ciliumVersions(options: BuildCiliumOptions): Promise<readonly LibraryVersion[]> {
  return libraryVersions(loaderPackages(options));
}

async function buildFrom(
  ingredients: Ingredients,
  debian: DebianPackages,
  options: BuildCiliumOptions,
): Promise<BuiltLoader> {
  const { version, about, digests } = ingredients;
  const key = digest([...digests, COMPILATION_FLAGS, await adapterDigest()]);
  const directory = join(options.cache, 'loaders', 'cilium', `${version}-${key}`);
  const onWait = (): void => options.onMessage('another run is building the adapter …');
  const fill = (temporary: string): Promise<void> => build(ingredients, debian, temporary, options);
  await populateDirectory(directory, fill, {
    onWait,
    signal: options.signal,
    damageOf: damageOfAdapter,
    onDamage: (damage) => options.onMessage(`cilium/ebpf ${version} is built again: ${damage}`),
  });
  return { version, about, program: adapterProgram(directory, `cilium-${basename(directory)}`, classify) };
}

async function build(
  { version, toolchain, modules, library }: Ingredients,
  debian: DebianPackages,
  temporary: string,
  { cache, onMessage, signal }: BuildCiliumOptions,
): Promise<void> {
  const release = goReleaseOf(toolchain);
  const go = await debian.unpackExactly(toolchain, `go-${release}`, (path) => !isWantedOfGo(path));
  const imported = await debian.unpackExactly(modules, 'go-modules', (path) => !isWantedSource(path));
  const sources = await library();
  const workspace = join(temporary, 'workspace');
  // What was compiled of Go's own library serves every version that is built with it.
  const compiled = join(cache, 'loaders', 'go-cache', go.key);
  const isFirst = !existsSync(compiled);
  for (const folder of [workspace, compiled]) await mkdir(folder, { recursive: true });
  await requireSpace(compiled, isFirst ? FIRST_BUILD_BYTES : BUILD_BYTES, `the adapter of cilium/ebpf ${version}`);
  const once = isFirst ? " and, this once, Go's own library" : '';
  onMessage(`compiling the adapter${once} with Go ${release} …`);
  const began = Date.now();
  const output = join(temporary, ADAPTER);
  await compileAdapter({
    go: { release, root: join(go.directory, `usr/lib/go-${release}`), compiled },
    library: sources,
    modules: imported.directory,
    version,
    workspace,
    output,
    signal,
  });
  await rm(workspace, { recursive: true });
  await chmod(output, 0o755);
  await sealAdapter(temporary);
  onMessage(`compiled the adapter of cilium/ebpf ${version} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

async function adapterDigest(): Promise<string> {
  const names = (await readdir(ADAPTER_SOURCES)).filter((name) => name.endsWith('.go')).sort();
  const contents = await Promise.all(names.map((name) => readFile(join(ADAPTER_SOURCES, name), 'utf8')));
  return digest(contents.flatMap((content, index) => [names[index] ?? '', content]));
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}\0${part}`);
  return hash.digest('hex').slice(0, 16);
}
