import { existsSync } from 'node:fs';
import { access, constants, readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { FormatError } from '../../loader/errors.ts';
import { EM_X86_64, isElf, readElfNeeds } from './elf-needs.ts';
import type { GuestFile } from './guest-file.ts';
import { findLibraries, readLibraryCache, type SearchPlaces } from './library-search.ts';
import { ProgramError } from './program-error.ts';

/** A program of the host, and what has to be in the guest for it to start there. */
export interface ProgramFiles {
  /** Where it lies, here as there. */
  readonly path: string;
  readonly files: readonly GuestFile[];
}

/** How a program is looked for. */
export interface ProgramSearch {
  /** PATH, for names without a slash. */
  readonly path: string;
  /** LD_LIBRARY_PATH, as the program will have it. */
  readonly libraryPath: string;
  /** Whether the guest sees this host's files: a script's interpreter is then not looked for. */
  readonly hostRoot: boolean;
}

/** Interpreters above this size (bash has 1.3 MB) come with a library of their own in a thousand files. */
const LARGEST_INTERPRETER = 2 << 20;
/** Scripts may name scripts as interpreters; the kernel follows as many (fs/exec.c). */
const MAX_DEPTH = 5;
const LIBRARY_CACHE = '/etc/ld.so.cache';
const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  40: 'arm',
  62: 'x86-64',
  183: 'aarch64',
  243: 'riscv',
  247: 'bpf',
};

/**
 * Finds a program, its dynamic loader and its libraries, or a script's interpreter and its. Nothing is executed.
 * @throws ProgramError
 */
export async function findProgram(name: string, search: ProgramSearch): Promise<ProgramFiles> {
  const path = await locate(name, search.path);
  const files = new Map<string, GuestFile>();
  await collect(path, search, files, 0);
  return { path, files: [...files.values()] };
}

async function locate(name: string, path: string): Promise<string> {
  if (name.includes('/')) {
    const file = resolve(name);
    if (existsSync(file)) return file;
    throw new ProgramError('program-not-found', `there is no ${name}`, { where: file });
  }
  for (const folder of path.split(':').filter((one) => isAbsolute(one))) {
    const file = join(folder, name);
    if (await mayExecute(file)) return file;
  }
  throw new ProgramError('program-not-found', `there is no program ${name} in PATH`, {
    fix: existsSync(name)
      ? `write ./${name} for the file in this folder`
      : 'write the path of a program of your own, as in ./my-test',
  });
}

async function collect(
  path: string,
  search: ProgramSearch,
  files: Map<string, GuestFile>,
  depth: number,
): Promise<void> {
  await requireExecutable(path);
  await add(path, files);
  const bytes = await readFile(path);
  if (isElf(bytes)) return collectLibraries(path, bytes, search, files);
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) {
    throw new ProgramError('program-not-executable', 'this file is no program', {
      where: path,
      why: 'it begins neither as an ELF file nor with #!',
    });
  }
  if (!search.hostRoot) await collectInterpreter(path, bytes, search, files, depth);
}

async function collectLibraries(
  path: string,
  bytes: Uint8Array,
  search: ProgramSearch,
  files: Map<string, GuestFile>,
): Promise<void> {
  try {
    const needs = readElfNeeds(bytes, path);
    if (needs.machine !== EM_X86_64 || needs.bits !== 64) {
      throw new ProgramError('program-architecture', 'this program is for another machine', {
        where: path,
        why: `it is for ${MACHINES[needs.machine] ?? `machine ${needs.machine}`} with ${needs.bits} bits, the kernels are for x86-64`,
      });
    }
    if (needs.interpreter === null && needs.needed.length === 0) return;
    const places: SearchPlaces = {
      libraryPath: search.libraryPath.split(':').filter((folder) => folder !== ''),
      cache: await readLibraryCache(),
    };
    const { paths, missing } = await findLibraries(path, needs, places);
    const [first, ...others] = missing;
    if (first !== undefined) {
      throw new ProgramError('library-missing', `a library is not on this host: ${first.name}`, {
        where: path,
        why: [first, ...others].map((one) => `${one.neededBy} needs ${one.name}`).join('; '),
        fix: 'install it, or say where it is with --env LD_LIBRARY_PATH=FOLDER',
      });
    }
    for (const library of paths) await add(library, files, library);
    // Folders such as /usr/local/lib are known to the loader only through its cache.
    if (existsSync(LIBRARY_CACHE)) await add(LIBRARY_CACHE, files);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ProgramError('program-not-executable', 'this program is damaged', {
      where: path,
      why: error.explain(),
      cause: error,
    });
  }
}

async function collectInterpreter(
  path: string,
  bytes: Uint8Array,
  search: ProgramSearch,
  files: Map<string, GuestFile>,
  depth: number,
): Promise<void> {
  const line = Buffer.from(bytes.subarray(2, 256)).toString('utf8').split('\n')[0]?.trim() ?? '';
  const [interpreter = '', argument = ''] = line.split(/\s+/);
  if (!isAbsolute(interpreter) || !existsSync(interpreter) || depth >= MAX_DEPTH) {
    throw new ProgramError('program-not-found', `the script's interpreter is not on this host: ${interpreter}`, {
      where: path,
    });
  }
  await collect(interpreter, search, files, depth + 1);
  const named = interpreter.endsWith('/env') && argument !== '' ? await locate(argument, search.path) : undefined;
  if (named !== undefined) await collect(named, search, files, depth + 1);
  const real = named ?? interpreter;
  const { size } = await stat(real);
  if (size > LARGEST_INTERPRETER) {
    throw new ProgramError('interpreter-not-portable', `${real} needs more than itself to run a script`, {
      where: path,
      why: `it has ${Math.round(size / 1e5) / 10} MB, so its library is not part of it`,
      fix: "use --host-root: the guest then sees this host's files",
    });
  }
}

async function requireExecutable(path: string): Promise<void> {
  const { isFile, executable } = { isFile: (await stat(path)).isFile(), executable: await mayExecute(path) };
  if (isFile && executable) return;
  throw new ProgramError('program-not-executable', isFile ? 'this file may not be executed' : 'this is no file', {
    where: path,
    ...(isFile ? { fix: `chmod +x ${path}` } : {}),
  });
}

/** Whether it is a file with execute permission: root may execute only what somebody may. */
async function mayExecute(path: string): Promise<boolean> {
  try {
    const about = await stat(path);
    await access(path, constants.R_OK);
    return about.isFile() && (about.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** Puts a file at its real place, and a link where it was named: `$ORIGIN` and programs that look at their name want both. */
async function add(path: string, files: Map<string, GuestFile>, sameName?: string): Promise<void> {
  const real = sameName ?? (await realpath(path));
  files.set(real, { kind: 'file', path: real, source: await realpath(path) });
  if (real !== path) files.set(path, { kind: 'link', path, target: real });
}
