import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { DebianPackage } from '../debian/package-list.ts';
import type { DebianSource } from '../debian/source.ts';
import { unpackDeb } from '../debian/unpack.ts';
import { compareVersions } from '../debian/version.ts';
import { sha256OfFile } from '../kernel.ts';
import { runTool } from '../run-tool.ts';

/** Source code that a kernel is built from. */
export interface SourceCode {
  readonly kind: 'debian' | 'folder' | 'archive';
  /** For people and file names: `linux-source-5.10`, or a path's last part. */
  readonly name: string;
  /** Version of Debian's package; null where only the code itself tells. */
  readonly version: string | null;
  /** Of an archive or package its SHA-256; of a folder one over its files' paths, sizes and times. */
  readonly digest: string;
  /** The folder or archive; of a package its path below the mirror's address. */
  readonly path: string;
  /** Size of the package or archive in bytes; null for a folder. */
  readonly size: number | null;
}

/** Name of the package that `debian-5.10` stands for; null for a path. */
export function sourcePackageOf(source: string): string | null {
  const [, line] = /^debian-(\d+\.\d+)$/.exec(source) ?? [];
  return line === undefined ? null : `linux-source-${line}`;
}

/**
 * Finds source code: `debian-X.Y` is Debian's newest package of that line, everything else the path of a folder or of a tar archive.
 * @throws ExplainedError `build-source-missing`, `build-source-bad`, and those of the Debian source
 */
export async function findSourceCode(
  source: string,
  debian: DebianSource,
  options: { readonly refresh: boolean; readonly signal: AbortSignal | undefined },
): Promise<SourceCode> {
  const packageName = sourcePackageOf(source);
  if (packageName !== null) {
    const one = await sourcePackage(packageName, debian, options.refresh);
    const { version, sha256: digest, filename: path, size } = one;
    return { kind: 'debian', name: packageName, version, digest, path, size };
  }
  const path = await realpath(source).catch((cause: unknown) => {
    throw new ExplainedError('build-source-missing', 'there is no source code', {
      where: source,
      fix: 'build.source is debian-X.Y (such as debian-6.1), a folder with the source of Linux, or a tar archive of it.',
      cause,
    });
  });
  const name = basename(path).replace(/\.tar(?:\.\w+)?$|\.t[gx]z$/, '');
  const found = await stat(path);
  if (!found.isDirectory() && !found.isFile()) {
    throw bad(path, 'this is not the source of Linux', 'it is neither a folder nor a file');
  }
  if (!found.isDirectory()) {
    return { kind: 'archive', name, version: null, digest: await sha256OfFile(path), path, size: found.size };
  }
  await requireCleanFolder(path);
  return { kind: 'folder', name, version: null, digest: await digestOfFolder(path), path, size: null };
}

/**
 * Unpacks an archive or package into `target`, so that its Makefile is `target/Makefile`. A folder is used where it is: kbuild writes nothing
 * into it.
 * @throws ExplainedError `build-source-bad`, `disk-full`, `interrupted`, and those of the Debian source
 */
export async function unpackSourceCode(
  code: SourceCode,
  target: string,
  debian: DebianSource,
  onBytes: (phase: 'download' | 'verify', bytes: number, bytesPerSecond: number) => void,
  onUnpack: () => void,
): Promise<void> {
  const { signal } = debian;
  let archive = code.path;
  const scratch = join(target, '.package');
  if (code.kind === 'debian') {
    const deb = await debian.fetch(await sourcePackage(code.name, debian, false, code.digest), onBytes);
    onUnpack();
    await unpackDeb(deb, scratch, (path) => !path.endsWith('.tar.xz'), signal);
    archive = join(scratch, 'usr/src', `${code.name}.tar.xz`);
  }
  onUnpack();
  const args = ['-x', '-f', archive, '-C', target, '--strip-components=1', '--no-same-owner', '--no-same-permissions'];
  const { exitCode, stderr } = await runTool('tar', args, { package: 'tar', signal });
  if (exitCode !== 0) {
    const why = stderr.trim().split('\n').slice(-3).join('\n');
    if (/No space left/.test(stderr))
      throw new ExplainedError('disk-full', 'no space is left on the disk', { where: target });
    throw bad(code.path, 'the archive cannot be unpacked', why);
  }
  await rm(scratch, { recursive: true, force: true });
}

/**
 * The version that a source's Makefile states, such as `5.10.262` or `7.4.0-rc1`.
 * @throws ExplainedError `build-source-bad`
 */
export async function readSourceVersion(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'Makefile'), 'utf8').catch(() => '');
  const value = (name: string): string => new RegExp(`^${name} *= *(\\S*)$`, 'm').exec(text)?.[1] ?? '';
  if (value('VERSION') === '' || value('PATCHLEVEL') === '') {
    throw bad(folder, 'this is not the source of Linux', 'it has no Makefile that states VERSION and PATCHLEVEL');
  }
  return `${value('VERSION')}.${value('PATCHLEVEL')}.${value('SUBLEVEL') || '0'}${value('EXTRAVERSION')}`;
}

async function sourcePackage(
  name: string,
  debian: DebianSource,
  refresh: boolean,
  sha256?: string,
): Promise<DebianPackage> {
  const { packages } = await debian.lists({ refresh });
  const all = packages.filter((one) => /^linux-source-\d+\.\d+$/.test(one.name));
  const [found] = all
    .filter((one) => one.name === name && (sha256 === undefined || one.sha256 === sha256))
    .sort((left, right) => compareVersions(right.version, left.version));
  if (found !== undefined) return found;
  const lines = [...new Set(all.map((one) => one.name.replace('linux-source-', 'debian-')))].sort(compareVersions);
  throw sha256 === undefined
    ? new ExplainedError('build-source-missing', `the mirror has no package ${name}`, {
        fix: lines.length === 0 ? 'Name a folder or a tar archive.' : `There are ${lines.join(', ')}.`,
      })
    : new ExplainedError('package-gone', `the mirror has replaced ${name} since it was looked up`, {
        fix: 'ksym-matrix kernels pull looks it up again.',
      });
}

/** What kbuild itself refuses with O=, said before minutes have gone by. */
async function requireCleanFolder(folder: string): Promise<void> {
  await readSourceVersion(folder);
  const used = await Promise.all(
    ['.config', 'include/config', 'arch/x86/include/generated'].map((path) =>
      stat(join(folder, path)).catch(() => null),
    ),
  );
  if (used.every((one) => one === null)) return;
  throw new ExplainedError('build-source-not-clean', 'the source was configured or built in place', {
    where: folder,
    why: 'kbuild builds into another folder only from a clean source',
    fix: 'Run `make mrproper` there (it removes .config), or use the kernel that was built there with `tree:`.',
  });
}

/** Reading every file takes seconds each time it is asked; sizes and times change whenever somebody edits. */
async function digestOfFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const visit = async (path: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true });
    entries.sort((left, right) => (left.name < right.name ? -1 : 1));
    const lines = await Promise.all(
      entries.map(async (entry) => {
        if (entry.isDirectory()) return '';
        const { size, mtimeMs } = await stat(join(path, entry.name)).catch(() => ({ size: -1, mtimeMs: 0 }));
        return `${size} ${mtimeMs}`;
      }),
    );
    for (const [index, entry] of entries.entries()) {
      if (entry.name === '.git') continue;
      hash.update(`${join(path, entry.name).slice(folder.length)}\0${lines[index]}\n`);
      if (entry.isDirectory()) await visit(join(path, entry.name));
    }
  };
  await visit(folder);
  return hash.digest('hex');
}

function bad(where: string, what: string, why: string): ExplainedError {
  return new ExplainedError('build-source-bad', what, {
    where,
    why,
    fix: 'build.source is debian-X.Y (such as debian-6.1), a folder with the source of Linux, or a tar archive of it.',
  });
}
