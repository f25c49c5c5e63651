import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { digestFileOf, isWhole, noteDigest } from './built-program.ts';
import { ExplainedError } from './errors.ts';
import { type GuardedOptions, runGuarded } from './guarded-process.ts';

const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-nostdlib',
  '-static',
  '-fno-pic',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fuse-ld=lld',
  '-Wl,--build-id=none',
];

/** A program in C that needs no libc, and where its binary goes. */
export interface FreestandingBuild {
  /** What it is, as in `the agent`; in front of its error codes too. */
  readonly subject: string;
  /** What the binary's name begins with. */
  readonly binaryName: string;
  /** Folder of its sources: every .c file is compiled. */
  readonly sources: string;
  /** Folders that it includes headers from, beside its own. Absent: none. */
  readonly headers?: readonly string[];
  /** As clang calls the machine it is for: `x86_64-linux-gnu`. */
  readonly target: string;
  /** Where the binary goes; made if missing. */
  readonly outputDirectory: string;
  /** The compiler; `clang` from PATH if absent. */
  readonly clang?: string | undefined;
  /** Ends the compiler. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compiles with clang and lld, without a libc or sysroot, and returns the binary's path. Its name holds a digest of sources, flags and compiler
 * version, so unchanged sources are not built again unless the binary's file was damaged, and builds at the same time do not disturb each other.
 * Throws ExplainedError `SUBJECT-compiler-missing`, `SUBJECT-build-failed` or `interrupted`.
 */
export async function buildFreestanding(build: FreestandingBuild): Promise<string> {
  const { sources, headers = [], outputDirectory } = build;
  const clang = build.clang?.includes('/') === true ? resolve(build.clang) : (build.clang ?? 'clang');
  const names = await filesOf(sources, /\.[ch]$/);
  const flags = ['-target', build.target, ...FLAGS];
  const digest = createHash('sha256');
  digest.update(`${await compile(clang, ['--version'], build)}\0${flags.join(' ')}\0`);
  for (const name of names) digest.update(`${name}\0`).update(await readFile(join(sources, name)));
  for (const folder of headers) {
    const found = await filesOf(folder, /\.h$/);
    for (const name of found) digest.update(`${name}\0`).update(await readFile(join(folder, name)));
  }

  const binary = join(outputDirectory, `${build.binaryName}-${digest.digest('hex').slice(0, 16)}`);
  if (await isWhole(binary)) return binary;
  await mkdir(outputDirectory, { recursive: true });
  const unfinished = `${binary}.${randomUUID()}.tmp`;
  try {
    const files = names.filter((name) => name.endsWith('.c')).map((name) => join(sources, name));
    const include = headers.flatMap((folder) => ['-iquote', folder]);
    // lld takes a % in the path of its output for a digit to choose, so it is given the name alone.
    const args = [...flags, ...include, ...files, '-o', basename(unfinished)];
    await compile(clang, args, build, outputDirectory);
    await noteDigest(unfinished);
    await rename(digestFileOf(unfinished), digestFileOf(binary));
    await rename(unfinished, binary);
  } catch (error) {
    for (const path of [unfinished, digestFileOf(unfinished)]) await rm(path, { force: true });
    throw error;
  }
  return binary;
}

async function filesOf(folder: string, pattern: RegExp): Promise<string[]> {
  return (await readdir(folder)).filter((name) => pattern.test(name)).sort();
}

/** Runs the compiler and gives what it prints. */
async function compile(
  clang: string,
  args: readonly string[],
  { subject, signal }: FreestandingBuild,
  cwd?: string,
): Promise<string> {
  const options: GuardedOptions = { signal, ...(cwd === undefined ? {} : { cwd }) };
  const { end, exitCode, stdout, stderr } = await runGuarded(clang, args, options);
  if (end === 'aborted') throw new ExplainedError('interrupted', `building the ${subject} was interrupted`);
  if (end === 'missing') {
    throw new ExplainedError(`${subject}-compiler-missing`, `the ${subject} cannot be built`, {
      where: clang,
      why: 'there is no such compiler',
      fix: 'install clang and lld (Debian, Ubuntu: apt install clang lld)',
    });
  }
  if (exitCode === 0) return stdout.toString('utf8');
  const messages = stderr.trim();
  const noLinker = /invalid linker name|unable to execute command.*ld/.test(messages);
  throw new ExplainedError(`${subject}-build-failed`, `the ${subject} does not compile`, {
    where: clang,
    why: messages === '' ? `it ended with ${exitCode ?? 'a signal'}` : messages,
    ...(noLinker ? { fix: 'install lld (Debian, Ubuntu: apt install lld)' } : {}),
  });
}
