import { open, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { runTool } from '../../kernels/run-tool.ts';
import { type ElfNeeds, isElf, readElfNeeds } from './elf-needs.ts';

/** The libraries of a program, as the dynamic loader would find them on this host. */
export interface FoundLibraries {
  /** Paths under which the loader looks for them, its own included; they may be links. */
  readonly paths: readonly string[];
  /** Names that were found nowhere, and what needs them. */
  readonly missing: readonly { readonly name: string; readonly neededBy: string }[];
}

/** Where libraries are looked for, besides what the files themselves say. */
export interface SearchPlaces {
  /** Folders of LD_LIBRARY_PATH. */
  readonly libraryPath: readonly string[];
  /** ld.so's cache: the path of a library by its name. */
  readonly cache: ReadonlyMap<string, string>;
}

/** The folders that ld.so knows without being told, of Debian's and of other builds, and musl's. */
const DEFAULT_FOLDERS = [
  ...['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib64', '/usr/lib64', '/lib', '/usr/lib'],
  '/usr/local/lib',
];

/** Reads ld.so's cache with `ldconfig -p`; empty on a host without it. Variants for newer processors are left out. */
export async function readLibraryCache(): Promise<ReadonlyMap<string, string>> {
  const answer = await runTool('ldconfig', ['-p'], { package: 'libc-bin' }).catch(() => null);
  const found = new Map<string, string>();
  for (const line of answer?.stdout.toString('utf8').split('\n') ?? []) {
    const [, name, kind, path] = /^\s+(\S+) \(([^)]*)\) => (\S.*)$/.exec(line) ?? [];
    if (name === undefined || kind === undefined || path === undefined) continue;
    if (kind.includes('x86-64') && !kind.includes('hwcap') && !found.has(name)) found.set(name, path);
  }
  return found;
}

/**
 * Finds the libraries of a program and theirs, without running anything: by DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH, the loader's cache and its default
 * folders, in the order of ld.so(8). Libraries that a program opens by itself (dlopen) are not known.
 * @param program path of an ELF file; `needs` is what {@link readElfNeeds} says of it
 */
export async function findLibraries(program: string, needs: ElfNeeds, places: SearchPlaces): Promise<FoundLibraries> {
  const paths = new Set<string>();
  const missing: { name: string; neededBy: string }[] = [];
  const byName = new Map<string, string>();
  if (needs.interpreter !== null) {
    byName.set(basename(needs.interpreter), needs.interpreter);
    if (await isLibrary(needs.interpreter, needs.machine)) paths.add(needs.interpreter);
    else missing.push({ name: needs.interpreter, neededBy: program });
  }
  // Breadth first, as ld.so loads them: the first file of a name serves everybody.
  const waiting = [{ path: program, needs, inherited: [] as readonly string[] }];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const origin = dirname(await realpath(file.path).catch(() => file.path));
    const own = file.needs.runpath === null ? file.needs.rpath.map((folder) => expand(folder, origin)) : [];
    const rpath = file.needs.runpath === null ? [...own, ...file.inherited] : [];
    const runpath = (file.needs.runpath ?? []).map((folder) => expand(folder, origin));
    for (const name of file.needs.needed) {
      if (byName.has(name)) continue;
      const candidates = name.includes('/')
        ? [expand(name, origin)]
        : [
            ...[...rpath, ...places.libraryPath, ...runpath].map((folder) => join(folder, name)),
            ...[places.cache.get(name)].filter((path) => path !== undefined),
            ...DEFAULT_FOLDERS.map((folder) => join(folder, name)),
          ];
      const path = await firstLibrary(candidates, needs.machine);
      if (path === undefined) {
        missing.push({ name, neededBy: file.path });
        continue;
      }
      byName.set(name, path);
      paths.add(path);
      waiting.push({ path, needs: readElfNeeds(await readFile(path), path), inherited: rpath });
    }
  }
  return { paths: [...paths], missing };
}

/** `$ORIGIN`, `$LIB` and `$PLATFORM`, as in ld.so(8), "Dynamic string tokens". */
function expand(folder: string, origin: string): string {
  return folder
    .replaceAll(/\$(?:ORIGIN\b|\{ORIGIN\})/g, origin)
    .replaceAll(/\$(?:LIB\b|\{LIB\})/g, 'lib/x86_64-linux-gnu')
    .replaceAll(/\$(?:PLATFORM\b|\{PLATFORM\})/g, 'x86_64');
}

async function firstLibrary(candidates: readonly string[], machine: number): Promise<string | undefined> {
  for (const path of candidates) if (isAbsolute(path) && (await isLibrary(path, machine))) return path;
  return undefined;
}

/** ld.so passes over files of another machine or word size. */
async function isLibrary(path: string, machine: number): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) return false;
    const file = await open(path);
    try {
      const { buffer: head } = await file.read(Buffer.alloc(64), 0, 64, 0);
      return isElf(head) && head[4] === 2 && head.readUInt16LE(18) === machine;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
