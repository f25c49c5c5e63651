import { createWriteStream } from 'node:fs';
import { link, lstat, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readTar } from '../../kernels/archive/tar.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { archiveOf } from './archive.ts';
import type { GuestFile } from './guest-file.ts';
import type { GuestPlace } from './guest-place.ts';

/**
 * Puts files into the guest, in one stream.
 * @throws ExplainedError `guest-write-failed` with the guest's own words
 */
export async function pushFiles(place: GuestPlace, files: readonly GuestFile[]): Promise<void> {
  if (files.length === 0) return;
  let unreadable: unknown;
  async function* archive(): AsyncGenerator<Buffer> {
    try {
      yield* archiveOf(files);
    } catch (error) {
      unreadable = error;
    }
  }
  const { exitCode, stderr } = await place.agent.execute({
    argv: [place.busybox, 'cpio', '-idmu'],
    workingDirectory: '/',
    input: archive(),
  });
  if (unreadable !== undefined) {
    const why = unreadable instanceof Error ? unreadable.message : String(unreadable);
    throw new ExplainedError('file-unreadable', 'a file for the guest cannot be read', { why, cause: unreadable });
  }
  if (exitCode === 0) return;
  // cpio counts its blocks at the end.
  const said = Buffer.from(stderr)
    .toString('utf8')
    .replace(/^cpio: /gm, '')
    .replace(/^\d+ blocks\n?/m, '')
    .trim();
  throw new ExplainedError('guest-write-failed', 'files cannot be put into the guest', {
    why: said || `cpio ended with ${exitCode}`,
    ...(said.includes('No space') ? { fix: "the guest's files lie in its memory: give it more with --memory" } : {}),
  });
}

/**
 * Fetches a file or folder of the guest; on the host it appears whole or not at all. Owners are not kept.
 * @throws ExplainedError `guest-file-missing`, `guest-read-failed`, `guest-file-special` (a device, socket or pipe), `target-taken`; Node's error if
 * the host's disk refuses
 */
export async function pullFile(place: GuestPlace, from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const temporary = join(dirname(to), `.${basename(to)}.${process.pid}.tmp`);
  const stream = new PassThrough();
  const written = unpack(stream, temporary);
  // It is awaited below, after what may reject before.
  written.catch(() => undefined);
  try {
    const end = await runTar(place.agent, place.busybox, from, stream);
    if (end.exitCode !== 0) {
      stream.destroy();
      throw end.exitCode === MISSING
        ? new ExplainedError('guest-file-missing', `the guest has no ${from} to fetch`)
        : new ExplainedError('guest-read-failed', `${from} of the guest cannot be read`, { why: end.said });
    }
    stream.end();
    await written;
    await putInPlace(from, temporary, to);
  } catch (error) {
    stream.destroy();
    await written.catch(() => undefined);
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Moves what was fetched to its name. */
async function putInPlace(from: string, temporary: string, to: string): Promise<void> {
  const [fetched, there] = [await isTaken(temporary), await isTaken(to)];
  if (fetched === null) {
    throw new ExplainedError('guest-file-special', `${from} of the guest is no file and no folder`, {
      fix: 'let the program write what it reads there into a file, and fetch that',
    });
  }
  if (there !== null && (fetched === 'folder' || there === 'folder')) {
    throw new ExplainedError('target-taken', `a ${there === 'folder' ? 'folder' : 'file'} is in the way`, {
      where: to,
      why: `${from} of the guest is a ${fetched === 'folder' ? 'folder' : 'file'}, and only a file replaces a file`,
      fix: 'remove it, or name another place: --out GUEST:HOST',
    });
  }
  await rename(temporary, to);
}

/** Exit code of {@link FETCH} if there is no such file; tar never ends with it. */
const MISSING = 44;

/**
 * Writes an archive of what was named, under a name of ours. A link is followed. The kernel tells no size of the files in /proc and a page for those in
 * /sys, so tar would take them for empty or cut short: a copy has the real one.
 */
const FETCH = `
p=$("$1" realpath "$2" 2>/dev/null) && [ -e "$p" ] || exit ${MISSING}
case "$p" in
/proc/*|/sys/*)
  if [ -f "$p" ]; then
    d=$("$1" mktemp -d) && "$1" cp "$p" "$d/file" && p=$d/file || exit 1
  fi ;;
esac
cd "$("$1" dirname "$p")" && exec "$1" tar -c -f - "./$("$1" basename "$p")"`;

async function runTar(
  agent: AgentConnection,
  busybox: string,
  from: string,
  stream: PassThrough,
): Promise<{ exitCode: number | null; said: string }> {
  const said: Uint8Array[] = [];
  const { exitCode } = await agent.execute({
    argv: [busybox, 'sh', '-c', FETCH, 'sh', busybox, from],
    collect: false,
    onOutput: (name, chunk) => {
      if (name === 'stderr') said.push(chunk);
      else if (!stream.destroyed) stream.write(chunk);
    },
  });
  return { exitCode, said: Buffer.concat(said).toString('utf8').trim() };
}

/** Writes the members of an archive with one member at its top, which becomes `target` whatever it is called. */
async function unpack(stream: Readable, target: string): Promise<void> {
  const links: { place: string; target: string }[] = [];
  for await (const entry of readTar(stream)) {
    const place = placeOf(entry.path, target);
    if (place === null) continue;
    if (entry.type === 'directory') await mkdir(place, { recursive: true });
    // A link is made last: nothing is written through it.
    else if (entry.type === 'symlink') links.push({ place, target: entry.target });
    else if (entry.type === 'hardlink') {
      const other = placeOf(entry.target, target);
      if (other !== null) await link(other, place);
    } else if (entry.type === 'file') {
      const mode = entry.mode & 0o777;
      await pipeline(Readable.from(entry.content, { objectMode: false }), createWriteStream(place, { mode }));
    }
    for await (const rest of entry.content) void rest;
  }
  for (const one of links) await symlink(one.target, one.place);
}

/** Where a member goes; null for a path that leads out. */
function placeOf(path: string, target: string): string | null {
  const [, ...below] = path.split('/').filter((part) => part !== '' && part !== '.');
  return below.includes('..') ? null : join(target, ...below);
}

/** Whether a path of the host is taken, by anything. */
export async function isTaken(path: string): Promise<'folder' | 'other' | null> {
  const about = await lstat(path).catch(() => null);
  if (about === null) return null;
  return about.isDirectory() ? 'folder' : 'other';
}
