import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CPIO_KIND, cpioHeader, cpioTrailer, pad } from '../vm/cpio.ts';
import type { GuestFile } from './guest-file.ts';

/** A cpio archive of files, read from the host's disk as the archive is read. Throws Node's error for a file that cannot be read. */
export async function* archiveOf(files: readonly GuestFile[]): AsyncGenerator<Buffer> {
  for (const [index, file] of files.entries()) {
    const path = file.path.replace(/^\/+/, '');
    const inode = index + 1;
    if (file.kind === 'folder') {
      if (path !== '') yield cpioHeader({ inode, mode: CPIO_KIND.folder | 0o755, path, size: 0 });
    } else if (file.kind === 'link') {
      const target = Buffer.from(file.target);
      yield Buffer.concat([
        cpioHeader({ inode, mode: CPIO_KIND.link | 0o777, path, size: target.length }),
        pad(target),
      ]);
    } else {
      const { mode, size, mtimeMs } = await stat(file.source);
      const modified = Math.max(0, Math.floor(mtimeMs / 1000));
      yield cpioHeader({ inode, mode: CPIO_KIND.file | (mode & 0o7777), path, size, modified });
      yield* exactly(file.source, size);
    }
  }
  yield cpioTrailer();
}

/** What a path of the host becomes in the guest: a file, or a folder with all that is in it. Devices and sockets are left out. */
export async function filesBelow(source: string, path: string): Promise<GuestFile[]> {
  // What was named is followed if it is a link; links further down stay links.
  const about = await stat(source);
  if (!about.isDirectory()) return [{ kind: 'file', path, source }];
  const found: GuestFile[] = [{ kind: 'folder', path }];
  for (const name of (await readdir(source)).sort()) {
    const [inner, place] = [join(source, name), join(path, name)];
    const entry = await lstat(inner);
    if (entry.isSymbolicLink()) found.push({ kind: 'link', path: place, target: await readlink(inner) });
    else if (entry.isDirectory() || entry.isFile()) found.push(...(await filesBelow(inner, place)));
  }
  return found;
}

/** The content of a file as long as its header says, though somebody may be writing to it. */
async function* exactly(source: string, size: number): AsyncGenerator<Buffer> {
  let left = size;
  if (size > 0) {
    for await (const chunk of createReadStream(source, { end: size - 1, highWaterMark: 1 << 18 })) {
      left -= chunk.length;
      yield chunk;
    }
  }
  yield Buffer.alloc(left + ((4 - (size % 4)) % 4));
}
