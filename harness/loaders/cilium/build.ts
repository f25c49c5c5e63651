import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DebianPackages, WantedPackage } from '../../../kernels/debian/package-files.ts';
import { populateDirectory } from '../../../kernels/populate.ts';
import { loaderPackages } from '../debian-packages.ts';
import type { LoaderProgram } from '../prepared-loader.ts';
import { openCheckout } from './checkout.ts';
import { ADAPTER_SOURCES, COMPILATION_FLAGS, compileAdapter, LIBRARY_PATH } from './compile.ts';
import { classify } from './messages.ts';
import {
  findLibrary,
  type GoPackages,
  goPackages,
  isOldVersion,
  type LibraryVersion,
  libraryVersions,
  upstreamVersion,
} from './packages.ts';
import { isWantedOfGo, isWantedSource } from './source-files.ts';

/** The newest package of a version, or a checkout of the user's. */
export type CiliumRequest = { readonly version: string } | { readonly path: string };

/** What {@link buildCilium} works with. */
export interface BuildCiliumOptions {
  /** The project's cache; everything goes below its `loaders/`. */
  readonly cache: string;
  readonly mirror: string | undefined;
  /** Told what goes on, a line each. */
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

/** An adapter that is ready for guests. */
export interface BuiltLoader {
  /** The library's own version, such as 0.22.0. */
  readonly version: string;
  /** What it was built from, for people. */
  readonly about: string;
  readonly program: LoaderProgram;
}

/** Sources of the library that are about to be compiled. */
interface LibrarySources {
  readonly version: string;
  /** For people. */
  readonly label: string;
  /** Other sources, another key. */
  readonly key: string;
  readonly packages: GoPackages;
  /** The folder with its go.mod, once they are needed. */
  readonly directory: () => Promise<string>;
}

const BINARY = 'adapter';

/**
 * The adapter for a version of cilium/ebpf, built by Debian's packages of Go into `loaders/cilium/KEY/` unless it is there.
 * @throws ExplainedError `loader-version-unknown`, `loader-path-unusable`, `adapter-build-failed`, `interrupted`, and those of {@link DebianPackages}
 */
export async function buildCilium(request: CiliumRequest, options: BuildCiliumOptions): Promise<BuiltLoader> {
  const debian = loaderPackages(options);
  const library = await ('path' in request
    ? checkoutSources(request.path, options.signal)
    : packagedSources(debian, request.version));
  const { version, packages } = library;
  const parts = await newestOf(debian, [...packages.toolchain, ...packages.modules]);
  const key = digest([library.key, ...parts.map(({ sha256 }) => sha256), COMPILATION_FLAGS, await adapterDigest()]);
  const directory = join(options.cache, 'loaders', 'cilium', `${version}-${key}`);
  const onWait = (): void => options.onMessage(`cilium/ebpf ${version}: another run is building it …`);
  await populateDirectory(directory, (temporary) => build(library, debian, temporary, options), {
    onWait,
    signal: options.signal,
  });
  const compiler = parts[0] === undefined ? '' : `, Go ${upstreamVersion(parts[0].version)} (${parts[0].suite})`;
  return { version, about: `${library.label}${compiler}`, program: adapterProgram(directory, version) };
}

/** All versions that Debian has, newest first. Throws as {@link DebianPackages.versions}. */
export async function ciliumVersions(options: BuildCiliumOptions): Promise<readonly LibraryVersion[]> {
  return libraryVersions(loaderPackages(options));
}

async function packagedSources(debian: DebianPackages, wanted: string): Promise<LibrarySources> {
  const one = await findLibrary(debian, wanted);
  const version = upstreamVersion(one.version);
  return {
    version,
    label: `${one.name} ${one.version} (${one.suite})`,
    key: one.sha256,
    packages: goPackages(isOldVersion(version), one.suite),
    directory: async () => {
      const { directory } = await debian.unpackExactly([one], 'cilium-ebpf', (path) => !isWantedSource(path));
      return join(directory, 'usr/share/gocode/src', LIBRARY_PATH);
    },
  };
}

async function checkoutSources(path: string, signal: AbortSignal): Promise<LibrarySources> {
  const { version, digest: key, isOld } = await openCheckout(path, signal);
  return { version, label: path, key, packages: goPackages(isOld, null), directory: async () => path };
}

async function build(
  library: LibrarySources,
  debian: DebianPackages,
  temporary: string,
  { cache, onMessage, signal }: BuildCiliumOptions,
): Promise<void> {
  const { version, packages } = library;
  const go = await debian.unpack(packages.toolchain, `go-${packages.release}`, (path) => !isWantedOfGo(path));
  const modules = await debian.unpack(packages.modules, 'go-modules', (path) => !isWantedSource(path));
  const directory = await library.directory();
  const workspace = join(temporary, 'workspace');
  // What was compiled of Go's own library serves every version that is built with it.
  const compiled = join(cache, 'loaders', 'go-cache', go.key);
  for (const folder of [workspace, compiled]) await mkdir(folder, { recursive: true });
  onMessage(`cilium/ebpf ${version}: compiling the adapter with Go ${packages.release} …`);
  const began = Date.now();
  const output = join(temporary, BINARY);
  const root = join(go.directory, `usr/lib/go-${packages.release}`);
  await compileAdapter({
    go: { release: packages.release, root, compiled },
    library: directory,
    modules: modules.directory,
    version,
    workspace,
    output,
    signal,
  });
  await rm(workspace, { recursive: true });
  await chmod(output, 0o755);
  onMessage(`cilium/ebpf ${version}: compiled in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

function adapterProgram(directory: string, version: string): LoaderProgram {
  const path = `/run/ksym-matrix/cilium-${version}`;
  return {
    files: [{ kind: 'file', path, source: join(directory, BINARY) }],
    argv: (object, runs) => [path, object, ...runs.flatMap(({ program, cpu }) => ['--run', `${program}@${cpu}`])],
    speaks: 'protocol',
    classify,
  };
}

async function newestOf(debian: DebianPackages, wanted: readonly WantedPackage[]) {
  const found = await Promise.all(wanted.map((one) => debian.versions(one)));
  return found.flatMap(([newest]) => (newest === undefined ? [] : [newest]));
}

async function adapterDigest(): Promise<string> {
  const names = (await readdir(ADAPTER_SOURCES)).filter((name) => name.endsWith('.go')).sort();
  const contents = await Promise.all(names.map((name) => readFile(join(ADAPTER_SOURCES, name))));
  return digest(contents.flatMap((content, index) => [names[index] ?? '', content.toString('utf8')]));
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}\0${part}`);
  return hash.digest('hex').slice(0, 16);
}
