import { link, mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { ExplainedError } from '../../loader/errors.ts';
import {
  checkKind,
  hardLinkSource,
  linkTarget,
  pathParts,
  type Refuse,
  writeContent,
} from '../archive/entry-checks.ts';
import { readTar, type TarEntry } from '../archive/tar.ts';
import { consumeTool } from '../archive/tool-stream.ts';
import { diskFull, isDiskFull } from '../free-space.ts';

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
  const failure = await consumeTool('dpkg-deb', ['--fsys-tarfile', deb], { package: 'dpkg', signal }, (output) =>
    writeEntries(deb, output, target, skip),
  );
  if (failure === null) return;
  const { cause, said } = failure;
  if (cause instanceof ExplainedError && !cause.code.startsWith('tar-')) throw cause;
  if (isDiskFull(cause)) throw diskFull(target, cause);
  throw new ExplainedError('deb-unreadable', 'the package cannot be unpacked', {
    where: deb,
    why: said,
    fix: 'The file is damaged: remove it, and it is downloaded again.',
    cause,
  });
}

async function writeEntries(
  deb: string,
  stream: Readable,
  target: string,
  skip: (path: string) => boolean,
): Promise<void> {
  const refuse: Refuse = (entry, why) => refused(deb, entry, why);
  const made = new Map<string, TarEntry['type']>();
  const isFile = (path: string): boolean => made.get(path) === 'file' || made.get(path) === 'hardlink';
  for await (const entry of readTar(stream)) {
    const path = checkedPath(entry, made, refuse);
    if (path === '' || skip(path)) continue;
    const place = join(target, path);
    if (entry.type === 'directory') {
      await mkdir(place, { recursive: true });
    } else {
      await mkdir(dirname(place), { recursive: true });
      if (entry.type === 'symlink') await symlink(linkTarget(entry, path, refuse), place);
      else if (entry.type === 'hardlink') await link(join(target, hardLinkSource(entry, isFile, refuse)), place);
      else await writeContent(entry, place);
    }
    made.set(path, entry.type);
  }
}

/** The entry's path below the target without `./`; empty for the target itself. */
function checkedPath(entry: TarEntry, made: ReadonlyMap<string, TarEntry['type']>, refuse: Refuse): string {
  const parts = pathParts(entry, refuse);
  checkKind(entry, refuse);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const above = parts.slice(0, depth).join('/');
    const type = made.get(above);
    if (type === 'symlink') throw refuse(entry, `${above} is a symbolic link`);
    if (type !== undefined && type !== 'directory') throw refuse(entry, `${above} is there already`);
  }
  return parts.join('/');
}

function refused(deb: string, entry: Pick<TarEntry, 'path'>, why: string): ExplainedError {
  return new ExplainedError('deb-entry-refused', `the package's entry ${JSON.stringify(entry.path)} is refused`, {
    where: deb,
    why,
    fix: 'No package of Debian that is used here has such an entry: do not use this mirror.',
  });
}
