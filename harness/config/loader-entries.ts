import { resolve } from 'node:path';
import type { LoaderEntry } from './schema.ts';
import type { ConfigError, Finding } from './yaml-file.ts';

/** The loader of this project, by its name in results. */
export const OUR_LOADER = 'ksym-matrix';

/** The loaders that the harness has an adapter for. */
export const LIBRARIES = ['libbpf', 'cilium/ebpf'] as const;

/** One of {@link LIBRARIES}. */
export type Library = (typeof LIBRARIES)[number];

/** What is wanted of a loader. */
export type LoaderRequest =
  | { readonly kind: 'ksym-matrix' }
  /** The newest build that Debian's suites have of a version such as `1.5`. */
  | { readonly kind: Library; readonly version: string }
  /** A build, or a source tree, of the user's own. */
  | { readonly kind: Library; readonly path: string }
  /** A program of the user's own; `{object}` stands for the object's path. Relative paths count from `directory`. */
  | { readonly kind: 'command'; readonly command: readonly [string, ...string[]]; readonly directory: string };

/** A library, and which version of it. */
export interface LibraryVersion {
  readonly library: Library;
  readonly version: string;
}

/** A loader of the matrix under its name in the grid. */
export interface MatrixLoader {
  readonly name: string;
  readonly request: LoaderRequest;
  /** What the matrix says that it is made with: what is known of that holds for it as well. */
  readonly like?: LibraryVersion;
  /** An error at the loader's place in the matrix; none if it is not from a file. */
  readonly complain?: (message: string) => ConfigError;
}

/** The loaders of a matrix that names none. */
export const DEFAULT_LOADERS: readonly MatrixLoader[] = [{ name: OUR_LOADER, request: { kind: 'ksym-matrix' } }];

/** What is wrong with the loaders of a matrix. */
export function checkLoaders(entries: readonly LoaderEntry[]): Finding[] {
  const findings = entries.flatMap((entry, index) =>
    checkEntry(entry).map(({ key, message }) => ({
      path: ['loaders', index, ...(key === undefined ? [] : [key])],
      message,
      ...(key === undefined ? {} : { atKey: true }),
    })),
  );
  if (findings.length > 0) return findings;
  const loaders = readLoaders(entries, '/');
  const folders = loaders.map(({ name }) => loaderFolder(name));
  return loaders.flatMap(({ name, request }, index) => {
    const path = ['loaders', index];
    if (name === OUR_LOADER && request.kind !== 'ksym-matrix') {
      return [{ path, message: `"${OUR_LOADER}" is this project's own loader: give it another name` }];
    }
    // Known differences of a library, those of every version of it, would be taken for a program of one's own that only has its name.
    if (request.kind === 'command' && LIBRARIES.some((library) => library === name)) {
      const message = `"${name}" is a library: give the program another name, and say \`like: { ${name}: VERSION }\` if it is made with it`;
      return [{ path, message }];
    }
    const first = folders.indexOf(loaderFolder(name));
    const other = loaders[first]?.name;
    if (first === index) return [];
    const message =
      other === name
        ? `there is another loader of the name "${name}": give one of them a name of its own`
        : `"${name}" and "${other}" are the same folder in a run: give one of them another name`;
    return [{ path, message }];
  });
}

/** A loader's name as that of a folder. */
export function loaderFolder(name: string): string {
  return name.replaceAll('/', '-');
}

/**
 * The loaders behind entries that {@link checkLoaders} finds nothing wrong with.
 * @param directory where relative paths count from
 * @param fail makes an error of findings
 */
export function readLoaders(
  entries: readonly LoaderEntry[],
  directory: string,
  fail?: (findings: readonly Finding[]) => ConfigError,
): MatrixLoader[] {
  return entries.map((entry, index) => {
    const request = toRequest(entry, directory);
    const path = ['loaders', index, ...(request.kind === 'ksym-matrix' ? [] : [request.kind])];
    const like = typeof entry === 'string' ? undefined : toLibraryVersion(entry.like ?? {});
    return {
      name: (typeof entry === 'string' ? undefined : entry.name) ?? defaultName(request),
      request,
      ...(like === undefined ? {} : { like }),
      ...(fail === undefined ? {} : { complain: (message) => fail([{ path, message }]) }),
    };
  });
}

/** A loader is named by its library and version: `libbpf-1.5`. */
function defaultName(request: LoaderRequest): string {
  if (request.kind === 'ksym-matrix') return OUR_LOADER;
  if (request.kind === 'command') return request.command[0].split('/').at(-1) ?? request.command[0];
  return `${request.kind}-${'version' in request ? request.version : 'local'}`;
}

function toRequest(entry: LoaderEntry, directory: string): LoaderRequest {
  if (typeof entry === 'string') return { kind: 'ksym-matrix' };
  if (entry.command !== undefined) {
    const [program = '', ...rest] = wordsOf(entry.command);
    return { kind: 'command', command: [program, ...rest], directory };
  }
  for (const kind of LIBRARIES) {
    const wanted = entry[kind];
    if (typeof wanted === 'string') return { kind, version: wanted };
    if (wanted !== undefined) return { kind, path: resolve(directory, wanted.path) };
  }
  throw new TypeError('an entry without a loader');
}

function toLibraryVersion(like: Readonly<Partial<Record<Library, string | undefined>>>): LibraryVersion | undefined {
  const [found] = LIBRARIES.flatMap((library) => {
    const version = like[library];
    return version === undefined ? [] : [{ library, version }];
  });
  return found;
}

const KEYS = [...LIBRARIES, 'command'] as const;

function checkEntry(entry: LoaderEntry): { key?: string; message: string }[] {
  if (typeof entry === 'string') return [];
  const [first, second] = KEYS.filter((key) => entry[key] !== undefined);
  if (first === undefined) {
    return [{ message: `a loader is \`${OUR_LOADER}\`, or has one of the keys ${KEYS.join(', ')}` }];
  }
  if (second !== undefined) {
    return [{ key: second, message: `a loader has one of these keys, and this one has two: ${first} and ${second}` }];
  }
  const mistake = mistakeOfLike(entry);
  if (mistake !== undefined) return [{ key: 'like', message: mistake }];
  if (entry.command === undefined) return [];
  if (wordsOf(entry.command).length === 0) return [{ key: 'command', message: 'the command is empty' }];
  if (entry.command.includes('{object}')) return [];
  return [{ key: 'command', message: "`{object}` has to stand in it: that is where the object's path goes" }];
}

function mistakeOfLike(entry: Exclude<LoaderEntry, string>): string | undefined {
  if (entry.like === undefined) return undefined;
  const named = LIBRARIES.filter((library) => entry.like?.[library] !== undefined);
  const [first] = named;
  if (first === undefined || named.length > 1) {
    return 'one library and its version are wanted, as in { libbpf: "1.5" }';
  }
  const own = LIBRARIES.find((library) => entry[library] !== undefined);
  if (own === undefined) return undefined;
  if (typeof entry[own] === 'string') return `a version of Debian's is what it is: \`like\` is for a command or a path`;
  return own === first ? undefined : `a build of ${own} is like a version of ${own}, and not of ${first}`;
}

/** A command's words. Nothing is quoted and no shell is asked: an argument with spaces wants a script of its own. */
function wordsOf(command: string | readonly string[]): string[] {
  return typeof command === 'string' ? command.split(/\s+/).filter((word) => word !== '') : [...command];
}
