import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { runTool } from '../../../kernels/run-tool.ts';
import type { LoaderRequest, MatrixLoader } from '../../config/loader-entries.ts';
import { ConfigError } from '../../config/yaml-file.ts';
import { filesBelow } from '../../guest/archive.ts';
import { isElf } from '../../guest/elf-needs.ts';
import type { GuestFile } from '../../guest/guest-file.ts';
import { APPLETS } from '../../guest/guest-place.ts';
import { ProgramError, type ProgramErrorCode } from '../../guest/program-error.ts';
import { findProgram, type ProgramFiles } from '../../guest/program-files.ts';
import { findProgram as findTool } from '../../setup/requirements.ts';
import type { BuiltLoader, LoaderComplaint } from '../prepared-loader.ts';
import { fillWords, pathIn, placeholderMistake } from './words.ts';

/** A loader of the user's, with where the matrix names it. */
export interface CommandLoader extends Pick<MatrixLoader, 'complain'> {
  readonly request: Extract<LoaderRequest, { kind: 'command' }>;
}

/** How {@link prepareCommand} looks for the program, and understands it. */
export interface CommandSearch {
  /** PATH. */
  readonly path: string;
  /** What known loaders' words mean. A user's loader is most often one of them, in a program of the user's. */
  readonly classify: (message: string) => LoaderComplaint | null;
}

/**
 * Finds what a user's own loader needs in a guest: the program with its dynamic libraries or its interpreter, and files and folders that the command
 * names. They lie there where they lie on this host, because a program may look for its own by `$ORIGIN`. Nothing is executed.
 * @throws ConfigError at the command's place in the matrix
 */
export async function prepareCommand(
  { request, complain = withoutPlace }: CommandLoader,
  { path, classify }: CommandSearch,
): Promise<BuiltLoader> {
  const { command, directory } = request;
  const mistake = placeholderMistake(command);
  if (mistake !== null) throw complain(mistake);
  try {
    const [name, ...rest] = command;
    const program = await findCommand(name, directory, path);
    const others = await Promise.all(rest.map((word) => filesOfWord(word, directory, path)));
    const files = unique([
      ...program.files,
      ...others.flatMap((other) => other.files),
      ...((await isScript(program.path)) ? await applets() : []),
    ]);
    const { digest, bytes } = await digestOf(files);
    const words = others.map(({ word }) => word);
    return {
      version: digest.slice(0, 12),
      about: `${command.join(' ')} (${(bytes / 1e6).toFixed(1)} MB with what it needs)`,
      program: {
        files,
        argv: (object, runs) => [program.path, ...fillWords(words, object, runs)],
        speaks: 'either',
        classify,
      },
    };
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw complain(inOneLine(error));
  }
}

/** A name with a slash counts from the matrix's folder, any other is looked for in PATH. */
async function findCommand(name: string, directory: string, path: string): Promise<ProgramFiles> {
  const search = { path, libraryPath: '', hostRoot: false };
  if (name.includes('/')) return findProgram(resolve(directory, name), search);
  try {
    return await findProgram(name, search);
  } catch (error) {
    if (!(error instanceof ProgramError) || error.code !== 'program-not-found') throw error;
    throw new ProgramError('program-not-found', error.message, {
      cause: error,
      fix: existsSync(join(directory, name))
        ? `write ./${name} for the file beside the matrix`
        : 'a program of your own is named with a slash, as in ./my-loader',
    });
  }
}

/** ld.so's list of all libraries of this host. */
const LIBRARY_CACHE = '/etc/ld.so.cache';

/** What the kernel makes up lies there in every guest as well. */
const KERNEL_FOLDERS = /^\/(proc|sys|dev)(\/|$)/;

/**
 * A word that names a file or folder: with a slash, and there. What may be executed goes along as a program, with its libraries; an absolute path only as a
 * file, because a folder such as /tmp is more likely meant to be the guest's.
 */
async function filesOfWord(
  word: string,
  directory: string,
  search: string,
): Promise<{ readonly word: string; readonly files: readonly GuestFile[] }> {
  const { before, path } = pathIn(word);
  const nothing = { word, files: [] };
  if (!path.includes('/') || path.includes('{') || KERNEL_FOLDERS.test(path)) return nothing;
  const host = resolve(directory, path);
  const about = await stat(host).catch(() => null);
  if (about === null) {
    if (!/^\.\.?\//.test(path)) return nothing;
    throw new ProgramError('program-not-found', `there is no ${path} beside the matrix`, { where: host });
  }
  if (!about.isFile() && (isAbsolute(path) || !about.isDirectory())) return nothing;
  const named = { word: `${before}${host}` };
  // Where a disk knows no permissions, everything may be executed.
  const isProgram = about.isFile() && (about.mode & 0o111) !== 0 && (await beginsAsProgram(host));
  return {
    ...named,
    files: isProgram ? (await findCommand(host, directory, search)).files : await filesBelow(host, host),
  };
}

async function beginsAsProgram(path: string): Promise<boolean> {
  return isElf(await readFile(path)) || (await isScript(path));
}

async function isScript(path: string): Promise<boolean> {
  const [first, second] = await readFile(path);
  return first === 0x23 && second === 0x21;
}

/** Links to the guest's busybox under the names of all its tools, for scripts; its shell alone has a handful. */
async function applets(): Promise<GuestFile[]> {
  const busybox = findTool('busybox') ?? 'busybox';
  const { stdout } = await runTool(busybox, ['--list'], { package: 'busybox-static' });
  const names = stdout
    .toString('utf8')
    .split('\n')
    .filter((name) => name !== '');
  return names.map((name) => ({ kind: 'link', path: join(APPLETS, name), target: '/bin/busybox' }));
}

/** Each path once: two programs have the C library in common. */
function unique(files: readonly GuestFile[]): GuestFile[] {
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

/** Of the contents alone: where the matrix lies on this host, and what else is installed there, says nothing of the loader. */
async function digestOf(files: readonly GuestFile[]): Promise<{ readonly digest: string; readonly bytes: number }> {
  const digests: string[] = [];
  let bytes = 0;
  for (const file of files) {
    if (file.kind !== 'file' || file.path === LIBRARY_CACHE) continue;
    const content = await readFile(file.source);
    digests.push(createHash('sha256').update(content).digest('hex'));
    bytes += content.length;
  }
  return { digest: createHash('sha256').update(digests.sort().join()).digest('hex'), bytes };
}

/** What helps here, where a program's error has other advice: it is written for `exec`. */
const FIXES: Readonly<Partial<Record<ProgramErrorCode, string>>> = {
  'library-missing': 'install it, or link the loader statically',
  'interpreter-not-portable': 'a loader is a compiled program, or a script for sh',
};

function inOneLine(error: ProgramError): string {
  const parts = [error.message, error.where, error.why].filter((part) => part !== undefined && part !== '');
  // Of a file that is missing, what is said is its path.
  const head = parts.filter((part, index) => index === 0 || !error.message.endsWith(` ${part}`)).join(': ');
  const fix = FIXES[error.code] ?? error.fix;
  return fix === undefined ? head : `${head} (${fix})`;
}

function withoutPlace(message: string): ConfigError {
  return new ConfigError('loader-command', message);
}
