import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExplainedError } from '../../../loader/errors.ts';
import type { LoaderRequest } from '../../config/loader-entries.ts';
import { type ChosenPackagesOptions, unpackChosen } from '../chosen-packages.ts';
import { packagesOfVersion, upstreamOf } from './versions.ts';

/** libbpf as it is linked. */
export interface LibbpfLibrary {
  /** `1.5.0`; of a build without any record of it, `unknown`. */
  readonly version: string;
  /** Where it is from, for people. */
  readonly about: string;
  /** libbpf.a */
  readonly archive: string;
  /** Where `<bpf/libbpf.h>` is, or libbpf.h itself. */
  readonly headers: { readonly folder: string; readonly inBpf: boolean };
  /** Folders of headers that it wants before the sysroot's: the kernel's that libbpf's sources carry. */
  readonly before: readonly string[];
}

/** What a matrix may ask for. */
export type LibbpfRequest = Extract<LoaderRequest, { kind: 'libbpf' }>;

/**
 * Finds the library that is asked for.
 * @throws ExplainedError `loader-version-unknown`, `loader-path-unusable`, and those of the Debian source
 */
export async function findLibrary(
  request: LibbpfRequest | { readonly version: string } | { readonly path: string },
  options: ChosenPackagesOptions,
): Promise<LibbpfLibrary> {
  return 'version' in request ? fromDebian(request.version, options) : fromFolder(request.path);
}

async function fromDebian(version: string, options: ChosenPackagesOptions): Promise<LibbpfLibrary> {
  const files = await unpackChosen(
    {
      name: `libbpf-${version}`,
      alternatives: async () => (await packagesOfVersion(options.packages, version)).map((one) => [one]),
    },
    options,
  );
  const [found] = files.packages;
  if (found === undefined) throw new TypeError('no package');
  const usr = join(files.directory, 'usr');
  return {
    version: upstreamOf(found.version),
    about: `${found.name} ${found.version} of Debian's ${found.suite}`,
    archive: join(usr, 'lib', 'x86_64-linux-gnu', 'libbpf.a'),
    headers: { folder: join(usr, 'include'), inBpf: true },
    before: [],
  };
}

/** Where `make install` and distributions put libraries, and where libbpf's own Makefile leaves it. */
const ARCHIVES = [
  'usr/lib64',
  'usr/lib',
  'usr/lib/x86_64-linux-gnu',
  'lib64',
  'lib',
  'lib/x86_64-linux-gnu',
  '',
  'src',
];
const HEADERS = ['usr/include/bpf', 'include/bpf', '', 'src'];

async function fromFolder(path: string): Promise<LibbpfLibrary> {
  const archive = ARCHIVES.map((folder) => join(path, folder, 'libbpf.a')).find(existsSync);
  const folder = HEADERS.map((one) => join(path, one)).find((one) => existsSync(join(one, 'libbpf.h')));
  if (archive === undefined || folder === undefined) throw unusable(path, archive, folder);
  const inBpf = folder.endsWith('/bpf');
  const kernelHeaders = join(folder, '..', 'include', 'uapi');
  return {
    version: await versionOf(folder, archive),
    about: path,
    archive,
    headers: { folder: inBpf ? join(folder, '..') : folder, inBpf },
    before: !inBpf && existsSync(kernelHeaders) ? [kernelHeaders] : [],
  };
}

/** libbpf.pc lies beside the library, or where it is installed to, and tells all of the version; libbpf_version.h knows two numbers since 0.6. */
async function versionOf(headers: string, archive: string): Promise<string> {
  const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
  for (const folder of ['.', 'pkgconfig']) {
    const description = await read(join(dirname(archive), folder, 'libbpf.pc'));
    const version = /^Version: *(\d[\d.]*)$/m.exec(description)?.[1];
    if (version !== undefined) return version;
  }
  const header = await read(join(headers, 'libbpf_version.h'));
  const [major, minor] = ['MAJOR', 'MINOR'].map(
    (part) => new RegExp(`^#define LIBBPF_${part}_VERSION (\\d+)$`, 'm').exec(header)?.[1],
  );
  return major === undefined || minor === undefined ? 'unknown' : `${major}.${minor}`;
}

function unusable(path: string, archive: string | undefined, headers: string | undefined): ExplainedError {
  const missing = !existsSync(path)
    ? 'there is no such folder'
    : [archive === undefined ? 'libbpf.a' : [], headers === undefined ? 'libbpf.h' : []].flat().join(' and ') +
      ' cannot be found in it';
  return new ExplainedError('loader-path-unusable', 'this is no build of libbpf', {
    where: path,
    why: missing,
    fix: 'Name the folder that `make install` filled (DESTDIR), its prefix, or src/ of libbpf after `make`: libbpf.a has to be there, a shared library does not do.',
  });
}
