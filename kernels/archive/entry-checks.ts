import { createWriteStream } from 'node:fs';
import { posix, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ExplainedError } from '../../loader/errors.ts';
import type { TarEntry } from './tar.ts';

/** Makes the error for an entry that is not accepted, in the words of its kind of archive. */
export type Refuse = (entry: Pick<TarEntry, 'path'>, why: string) => ExplainedError;

/**
 * The parts of an entry's path, without `.`; none for the top itself.
 * @throws what `refuse` makes, if the path is absolute or has `..`
 */
export function pathParts(entry: TarEntry, refuse: Refuse): string[] {
  if (entry.path.startsWith('/')) throw refuse(entry, 'its path is absolute');
  const parts = entry.path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuse(entry, 'its path has ".."');
  return parts;
}

/** Refuses what is neither file, folder nor link, and files with set-user-id, set-group-id or sticky bits. */
export function checkKind(entry: TarEntry, refuse: Refuse): void {
  if (entry.type === 'other') {
    throw refuse(entry, `it is neither file, folder nor link (type ${JSON.stringify(entry.flag)})`);
  }
  if (entry.type !== 'symlink' && (entry.mode & 0o7000) !== 0) {
    throw refuse(entry, `its mode ${entry.mode.toString(8)} has a set-user-id, set-group-id or sticky bit`);
  }
}

/**
 * What a symbolic link is to point to: an absolute target is made relative, as if the folder that is unpacked into were the root.
 * Judged by the text alone: a target that passes another link may still lead out.
 *
 * @param path the link's place, below that folder
 * @throws what `refuse` makes, if it leads out of that folder
 */
export function linkTarget(entry: TarEntry, path: string, refuse: Refuse): string {
  const from = posix.dirname(path);
  const isAbsolute = entry.target.startsWith('/');
  const inside = posix.normalize(isAbsolute ? `.${entry.target}` : posix.join(from, entry.target));
  const leadsOut = inside === '..' || inside.startsWith('../') || (isAbsolute && entry.target.includes('..'));
  if (entry.target === '' || leadsOut) {
    throw refuse(entry, `it links out of the archive, to ${JSON.stringify(entry.target)}`);
  }
  return isAbsolute ? relative(`/${from}`, `/${inside}`) || '.' : entry.target;
}

/**
 * The path that a hard link names, below the folder that is unpacked into.
 * @param isFile whether a file of this archive is there
 * @throws what `refuse` makes, if there is none, or the path is absolute or has `..`
 */
export function hardLinkSource(entry: TarEntry, isFile: (path: string) => boolean, refuse: Refuse): string {
  const parts = entry.target.split('/').filter((part) => part !== '' && part !== '.');
  const path = parts.join('/');
  if (entry.target.startsWith('/') || parts.includes('..') || !isFile(path)) {
    const target = JSON.stringify(entry.target);
    throw refuse(entry, `it is a hard link to ${target}, which is no file of the archive before it`);
  }
  return path;
}

/** Writes a file's content to a path where nothing is. Permissions lose write access for others. */
export async function writeContent(entry: TarEntry, place: string): Promise<void> {
  const mode = (entry.mode & 0o755) | 0o600;
  await pipeline(Readable.from(entry.content, { objectMode: false }), createWriteStream(place, { flags: 'wx', mode }));
}
