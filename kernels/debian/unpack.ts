import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { link, mkdir, symlink } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ExplainedError } from '../../loader/errors.ts';
import { guardedCommand, locateProgram, signalGroup } from '../../loader/guarded-process.ts';
import { diskFull, isDiskFull } from '../free-space.ts';
import { toolMissing, toolPath } from '../run-tool.ts';
import { readTar, type TarEntry } from './tar.ts';

/**
 * Unpacks a .deb's files into the folder `target`, without root. The archive that `dpkg-deb --fsys-tarfile` decompresses is read once, each
 * entry is checked and then written, so nothing can differ between what was checked and what is written.
 *
 * Refused are paths that are absolute or have `..`, anything below or onto a symbolic link of the same package, links that lead out of `target`,
 * devices, pipes, and files with set-user-id, set-group-id or sticky bits. A symbolic link with an absolute target is made relative to
 * `target`, as if that were the root. Owners and times are not kept; permissions lose write access for others.
 *
 * @param skip entries that are left out, by path without the leading `./`
 * @throws ExplainedError `deb-unreadable`, `deb-entry-refused`, `disk-full`, `interrupted`; what was written until then stays
 */
export async function unpackDeb(
  deb: string,
  target: string,
  skip: (path: string) => boolean = () => false,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(target, { recursive: true });
  const program = locateProgram('dpkg-deb', toolPath());
  if (program === undefined) throw toolMissing('dpkg-deb', 'dpkg');
  const child = spawn(...guardedCommand(program, ['--fsys-tarfile', deb]), {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LC_ALL: 'C' },
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  const interrupt = (): void =>
    void child.stdout.destroy(new ExplainedError('interrupted', 'unpacking was interrupted'));
  signal?.addEventListener('abort', interrupt, { once: true });
  if (signal?.aborted === true) interrupt();
  let problem: unknown;
  try {
    await writeEntries(deb, child.stdout, target, skip);
    // A writer that is cut off must not look like one that broke.
    for await (const rest of child.stdout) void rest;
  } catch (error) {
    problem = error;
    // With output still unread its end would never be told.
    child.stdout.destroy();
    signalGroup(child, 'SIGKILL');
  }
  const code = await ended;
  signal?.removeEventListener('abort', interrupt);
  if (problem instanceof ExplainedError && !problem.code.startsWith('tar-')) throw problem;
  if (isDiskFull(problem)) throw diskFull(target, problem);
  if (problem !== undefined || code !== 0) {
    throw new ExplainedError('deb-unreadable', 'the package cannot be unpacked', {
      where: deb,
      why: errors.trim() || (problem instanceof Error ? problem.message : `dpkg-deb ended with ${code}`),
      fix: 'The file is damaged: remove it, and it is downloaded again.',
      cause: problem,
    });
  }
}

async function writeEntries(
  deb: string,
  stream: Readable,
  target: string,
  skip: (path: string) => boolean,
): Promise<void> {
  const made = new Map<string, TarEntry['type']>();
  for await (const entry of readTar(stream)) {
    const path = checkedPath(deb, entry, made);
    if (path === '' || skip(path)) continue;
    const place = join(target, path);
    if (entry.type === 'directory') {
      await mkdir(place, { recursive: true });
    } else {
      await mkdir(dirname(place), { recursive: true });
      if (entry.type === 'symlink') await symlink(linkTarget(deb, entry, path), place);
      else if (entry.type === 'hardlink') await link(join(target, hardLinkSource(deb, entry, made)), place);
      else {
        const mode = (entry.mode & 0o755) | 0o600;
        await pipeline(
          Readable.from(entry.content, { objectMode: false }),
          createWriteStream(place, { flags: 'wx', mode }),
        );
      }
    }
    made.set(path, entry.type);
  }
}

/** The entry's path below the target without `./`; empty for the target itself. */
function checkedPath(deb: string, entry: TarEntry, made: ReadonlyMap<string, TarEntry['type']>): string {
  if (entry.type === 'other')
    throw refused(deb, entry, `it is neither file, folder nor link (type ${JSON.stringify(entry.flag)})`);
  if (entry.path.startsWith('/')) throw refused(deb, entry, 'its path is absolute');
  const parts = entry.path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused(deb, entry, 'its path has ".."');
  if (entry.type !== 'symlink' && (entry.mode & 0o7000) !== 0) {
    throw refused(deb, entry, `its mode ${entry.mode.toString(8)} has a set-user-id, set-group-id or sticky bit`);
  }
  const path = parts.join('/');
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const above = parts.slice(0, depth).join('/');
    const type = made.get(above);
    if (type === 'symlink') throw refused(deb, entry, `${above} is a symbolic link`);
    if (type !== undefined && type !== 'directory') throw refused(deb, entry, `${above} is there already`);
  }
  return path;
}

function linkTarget(deb: string, entry: TarEntry, path: string): string {
  const from = posix.dirname(path);
  const inside = posix.normalize(entry.target.startsWith('/') ? `.${entry.target}` : posix.join(from, entry.target));
  if (
    entry.target === '' ||
    inside === '..' ||
    inside.startsWith('../') ||
    (entry.target.startsWith('/') && entry.target.includes('..'))
  ) {
    throw refused(deb, entry, `it links out of the package, to ${JSON.stringify(entry.target)}`);
  }
  return entry.target.startsWith('/') ? relative(`/${from}`, `/${inside}`) || '.' : entry.target;
}

function hardLinkSource(deb: string, entry: TarEntry, made: ReadonlyMap<string, TarEntry['type']>): string {
  const source = entry.target.split('/').filter((part) => part !== '' && part !== '.');
  const path = source.join('/');
  const type = made.get(path);
  if (entry.target.startsWith('/') || source.includes('..') || (type !== 'file' && type !== 'hardlink')) {
    throw refused(
      deb,
      entry,
      `it is a hard link to ${JSON.stringify(entry.target)}, which is no file of the package before it`,
    );
  }
  return path;
}

function refused(deb: string, entry: TarEntry, why: string): ExplainedError {
  return new ExplainedError('deb-entry-refused', `the package's entry ${JSON.stringify(entry.path)} is refused`, {
    where: deb,
    why,
    fix: 'No package of Debian that is used here has such an entry: do not use this mirror.',
  });
}
