import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import pLimit from 'p-limit';
import { type DebianPackages, isDocumentation, type PackageFiles } from '../../kernels/debian/package-files.ts';
import { populateDirectory } from '../../kernels/populate.ts';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { linkSelftests } from './link-selftests.ts';

import { COMPILER_PACKAGES, HEADER_PACKAGES } from './packages.ts';
import { type SelftestSource, selftestSource } from './selftest-source.ts';

/** The selftests' objects. */
export interface CompiledSelftests {
  /** `NAME.bpf.o` for each of progs/NAME.c that compiles. */
  readonly directory: string;
  /** The same for what the selftests' Makefile links. */
  readonly linked: string;
  /** Version of the kernel's source package. */
  readonly version: string;
  /** The folder tools/testing/selftests/bpf. */
  readonly selftests: string;
  /** The folder of vmlinux.h. */
  readonly vmlinux: string;
  readonly clang: Clang;
  /** First line of `clang --version`. */
  readonly compiler: string;
  /** What does not compile, with the compiler's first error. */
  readonly failures: Readonly<Record<string, string>>;
}

/** What is needed for {@link compileSelftests}. */
export interface CompileRequest {
  readonly packages: DebianPackages;
  /** The folder of bpftool's packages. */
  readonly bpftool: PackageFiles;
  readonly cache: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** As tools/testing/selftests/bpf/Makefile of 6.12 compiles programs, without its warnings. */
const FLAGS = [
  '--target=bpf',
  '-g',
  '-O2',
  '-mcpu=v3',
  '-mlittle-endian',
  '-std=gnu11',
  '-fno-strict-aliasing',
  '-D__TARGET_ARCH_x86',
  '-DENABLE_ATOMICS_TESTS',
  '-w',
  // Nothing of this host's own headers.
  '-nostdlibinc',
];
const SELFTESTS = 'tools/testing/selftests/bpf';
/** Of linux-bpf-dev. */
const VMLINUX = 'usr/include/x86_64-linux-gnu/linux/bpf';
const FAILURES = 'failures.json';
/** Raised when the same inputs are compiled in another way. */
const LAYOUT = 2;

/**
 * Compiles every program of the selftests with Debian's clang and headers; once, until one of the packages changes.
 * @throws ExplainedError `corpus-compiler-broken`, and those of {@link DebianPackages}
 */
export async function compileSelftests(request: CompileRequest): Promise<CompiledSelftests> {
  const { packages, bpftool, cache, say, signal } = request;
  const [source, compiler, headers] = [
    await selftestSource(packages, { cache, signal }),
    await packages.unpack(COMPILER_PACKAGES, 'compiler'),
    await packages.unpack(HEADER_PACKAGES, 'headers', (path) => isDocumentation(path) || /\.a$/.test(path)),
  ];
  const clang = clangOf(compiler);
  const key = createHash('sha256')
    .update(JSON.stringify([LAYOUT, FLAGS, source.key, compiler.key, headers.key]))
    .digest('hex')
    .slice(0, 16);
  const directory = join(cache, 'corpus', 'compiled', key);
  await populateDirectory(
    directory,
    async (temporary) => {
      const failures = await compileAll({ source, headers, clang, say, signal }, temporary);
      await writeFile(join(temporary, FAILURES), JSON.stringify(failures));
    },
    { signal },
  );
  const linked = join(cache, 'corpus', 'linked', `${key}-${bpftool.key}`);
  const link = (temporary: string): Promise<void> => linkSelftests(directory, temporary, bpftool, signal);
  await populateDirectory(linked, link, { signal });
  const version = await runTool(clang.path, ['--version'], { package: 'clang', env: clang.environment, signal });
  if (version.exitCode !== 0) throw broken(clang.path, version.stderr);
  return {
    directory,
    linked,
    version: source.version,
    selftests: join(source.directory, SELFTESTS),
    vmlinux: join(headers.directory, VMLINUX),
    clang,
    compiler: version.stdout.toString('utf8').split('\n')[0] ?? '',
    failures: JSON.parse(await readFile(join(directory, FAILURES), 'utf8')) as Record<string, string>,
  };
}

/** A clang that finds its libraries by the environment. */
export interface Clang {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Compilation {
  readonly source: SelftestSource;
  readonly headers: PackageFiles;
  readonly clang: Clang;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

function clangOf({ directory }: PackageFiles): Clang {
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib/llvm-19/lib'];
  return {
    path: join(directory, 'usr/lib/llvm-19/bin/clang'),
    environment: { LD_LIBRARY_PATH: libraries.map((path) => join(directory, path)).join(':') },
  };
}

async function compileAll(compilation: Compilation, target: string): Promise<Record<string, string>> {
  const { source, say } = compilation;
  const folder = join(source.directory, SELFTESTS, 'progs');
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.c')).sort();
  await mkdir(target, { recursive: true });
  const failures: Record<string, string> = {};
  const limit = pLimit(availableParallelism());
  let done = 0;
  const started = performance.now();
  await limit.map(sources, async (name) => {
    const error = await compileOne(compilation, name, join(target, name.replace(/\.c$/, '.bpf.o')));
    if (error !== null) failures[basename(name, '.c')] = error;
    done += 1;
    if (done % 100 === 0 || done === sources.length) {
      const seconds = Math.round((performance.now() - started) / 1000);
      say(`compiled ${done} of ${sources.length} selftests, ${seconds} s`);
    }
  });
  if (Object.keys(failures).length === sources.length) throw broken(folder, Object.values(failures)[0] ?? '');
  return failures;
}

/** The compiler's first error; null if there is none. */
async function compileOne(
  { source, headers, clang, signal }: Compilation,
  name: string,
  object: string,
): Promise<string | null> {
  const root = join(headers.directory, 'usr/include');
  const selftests = join(source.directory, SELFTESTS);
  const args = [
    ...FLAGS,
    // Paths of this host would make other objects on every host.
    `-ffile-prefix-map=${source.directory}=.`,
    `-ffile-prefix-map=${headers.directory}=.`,
    `-I${join(headers.directory, VMLINUX)}`,
    `-I${selftests}`,
    `-I${join(source.directory, 'tools/include/uapi')}`,
    `-I${join(source.directory, 'tools/include')}`,
    // After the kernel's own: vmlinux.h and the C library's view of the kernel define the same types.
    ...['-idirafter', join(root, 'x86_64-linux-gnu'), '-idirafter', root],
    ...['-c', join('progs', name), '-o', object],
  ];
  const options = { package: 'clang', cwd: selftests, env: clang.environment, signal };
  const { exitCode, stderr } = await runTool(clang.path, args, options);
  if (exitCode === 0) return null;
  return stderr.split('\n').find((line) => /error:/.test(line)) ?? (stderr.trim() || `it ended with ${exitCode}`);
}

function broken(where: string, why: string): ExplainedError {
  return new ExplainedError('corpus-compiler-broken', "Debian's clang does not compile the selftests here", {
    where,
    why: why.trim(),
    fix: 'It wants a host with the C library of Debian 12 or later.',
  });
}
