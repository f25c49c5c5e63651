import { createHash } from 'node:crypto';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PackageFiles } from '../../../kernels/debian/package-files.ts';
import { diskFull, requireSpace } from '../../../kernels/free-space.ts';
import { populateDirectory } from '../../../kernels/populate.ts';
import { sha256Of } from '../../../loader/built-program.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { runGuarded } from '../../../loader/guarded-process.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { ADAPTER, adapterProgram, damageOfAdapter, sealAdapter } from '../built-adapter.ts';
import { type LoaderPackagesOptions, loaderPackages } from '../debian-packages.ts';
import type { BuiltLoader } from '../prepared-loader.ts';
import { cSysroot, sysrootFlags } from '../sysroot.ts';
import { findLibrary, type LibbpfLibrary, type LibbpfRequest } from './library.ts';
import { classify } from './messages.ts';

/** What {@link buildLibbpf} works with. */
export interface BuildLibbpfOptions extends LoaderPackagesOptions {
  /** The compiler; `clang` from PATH if absent. */
  readonly clang?: string;
}

const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  // Versions before 1.0 announce what 1.0 has under other names.
  '-Wno-deprecated-declarations',
  '-static',
  '-fno-pie',
  '-fuse-ld=lld',
  '-Wl,--build-id=none',
  '-Wl,--gc-sections',
  '-Wl,-s',
  // kallsyms-scan.c
  '-Wl,--wrap=__isoc99_fscanf',
  '-Wl,--wrap=__isoc23_fscanf',
];
const LIBRARIES = ['-lelf', '-lz'];
/** Several times what a build takes. */
const BUILD_BYTES = 8e6;
const SOURCES = join(PACKAGE_ROOT, 'harness', 'loaders', 'libbpf');

/**
 * Builds the adapter with a libbpf from Debian's packages or from a folder of the user's, as a static program. A build that is in the cache is used as it
 * is: its folder is named by a digest of the sources, the library, the sysroot, the flags and the compiler.
 * @throws ExplainedError `loader-version-unknown`, `loader-path-unusable`, `loader-compiler-missing`, `loader-build-failed`, `disk-full`, `interrupted`, and those of the
 * Debian source
 */
export async function buildLibbpf(
  request: LibbpfRequest | { readonly version: string } | { readonly path: string },
  options: BuildLibbpfOptions,
): Promise<BuiltLoader> {
  const { cache, onMessage, signal } = options;
  const clang = options.clang?.includes('/') === true ? resolve(options.clang) : (options.clang ?? 'clang');
  const choice = { cache, onMessage, packages: loaderPackages(options) };
  const library = await findLibrary(request, choice);
  const sysroot = await cSysroot(choice);
  const compiler = await run(clang, ['--version'], { signal });
  const key = await keyOf(library, sysroot, compiler);
  const directory = join(cache, 'loaders', 'libbpf', key);
  const start = Date.now();
  const isNew = await populateDirectory(
    directory,
    async (temporary) => {
      const headers = library.headers.inBpf ? library.headers.folder : join(temporary, 'include');
      if (!library.headers.inBpf) {
        await mkdir(headers);
        await symlink(library.headers.folder, join(headers, 'bpf'));
      }
      await compile(clang, library, { headers, sysroot, temporary, signal });
      await sealAdapter(temporary);
    },
    {
      signal,
      damageOf: damageOfAdapter,
      onDamage: (damage) => onMessage(`libbpf ${library.version} is built again: ${damage}`),
    },
  );
  if (isNew)
    onMessage(`built the adapter of libbpf ${library.version} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return {
    version: library.version,
    about: library.about,
    program: adapterProgram(directory, `libbpf-${library.version}-${key}`, classify),
  };
}

async function keyOf(library: LibbpfLibrary, sysroot: PackageFiles, compiler: string): Promise<string> {
  const digest = createHash('sha256').update(
    JSON.stringify([compiler, FLAGS, LIBRARIES, sysroot.key, library.version, library.headers.inBpf]),
  );
  const { folder, inBpf } = library.headers;
  const headers = inBpf ? join(folder, 'bpf') : folder;
  for (const path of [...(await filesOf(SOURCES)), ...(await filesOf(headers, /\.h$/)), library.archive]) {
    digest.update(await sha256Of(path));
  }
  return digest.digest('hex').slice(0, 16);
}

async function compile(
  clang: string,
  library: LibbpfLibrary,
  {
    headers,
    sysroot,
    temporary,
    signal,
  }: { headers: string; sysroot: PackageFiles; temporary: string; signal: AbortSignal },
): Promise<void> {
  // lld dies of SIGBUS where a disk that is full cannot hold its output.
  await requireSpace(temporary, BUILD_BYTES, 'the adapter of libbpf');
  const include = [...library.before, headers].flatMap((folder) => ['-isystem', folder]);
  const sources = await filesOf(SOURCES, /\.c$/);
  const version = `-DVERSION_OF_LIBBPF="${library.version}"`;
  const args = [...sysrootFlags(sysroot), ...FLAGS, version, ...include, ...sources, library.archive, ...LIBRARIES];
  // lld takes a % in the path of its output for a digit to choose, so it is given the name alone.
  await run(clang, [...args, '-o', ADAPTER], { cwd: temporary, signal });
}

async function run(
  clang: string,
  args: readonly string[],
  options: { cwd?: string; signal: AbortSignal },
): Promise<string> {
  const { end, exitCode, stdout, stderr } = await runGuarded(clang, args, options);
  if (end === 'aborted') throw new ExplainedError('interrupted', 'building libbpf was interrupted');
  if (end === 'missing') {
    throw new ExplainedError('loader-compiler-missing', 'libbpf cannot be built', {
      where: clang,
      why: 'there is no such compiler',
      fix: 'install clang and lld (Debian, Ubuntu: apt install clang lld)',
    });
  }
  if (exitCode === 0) return stdout.toString('utf8');
  const messages = stderr.trim();
  if (/No space left on device|Disk quota exceeded/.test(messages)) throw diskFull(options.cwd ?? clang);
  const noLinker = /invalid linker name|unable to execute command.*ld/.test(messages);
  throw new ExplainedError('loader-build-failed', 'the adapter of libbpf cannot be built', {
    where: clang,
    why: messages === '' ? `it ended with ${exitCode ?? 'a signal'}` : messages,
    ...(noLinker ? { fix: 'install lld (Debian, Ubuntu: apt install lld)' } : {}),
  });
}

/** Sorted paths of a folder's files, C sources and headers unless told. */
async function filesOf(folder: string, pattern = /\.[ch]$/): Promise<string[]> {
  return (await readdir(folder))
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}
