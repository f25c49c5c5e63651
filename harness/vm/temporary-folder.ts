import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, lstat, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MachineError } from './errors.ts';

/**
 * Makes a folder of our own in TMPDIR, or in `parent`, and says to other processes that it is in use for as long as this one lives.
 * What is left of it when this process exits is removed then. A process that was killed removes nothing: the first folder
 * that a later process makes in the same parent has those removed whose owner is gone.
 *
 * @param prefix begins with `ksym-matrix-` and ends with a dash; the name goes on with a mark of this process and something random, 22 characters
 * @throws MachineError `no-temporary-folder`
 */
export async function makeTemporaryFolder(prefix: `ksym-matrix-${string}-`, parent = tmpdir()): Promise<string> {
  try {
    const mark = await ownerIn(parent);
    const folder = await mkdtemp(join(parent, `${prefix}${mark}-`));
    made.add(folder);
    return folder;
  } catch (cause) {
    throw new MachineError('no-temporary-folder', 'no folder for temporary files can be made', 'boot', {
      where: parent,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: 'set TMPDIR to a folder that is there and can be written',
      cause,
    });
  }
}

/**
 * How others know that an owner lives: it listens on a unix socket beside its folders, named after the mark in their names. The kernel
 * closes the socket with its process, however that ends, and connect(2) asks it from every container that sees the folder, where
 * a process id means another process or none. A lock would do as well, but Node has none, and a child process to hold it costs more than a socket.
 *
 * Only the kernel that the owner runs on can answer, so the mark begins with a digest of its boot: a folder on a network may have owners on other hosts.
 */
const SOCKET = /^\.ksym-matrix-([0-9a-f]{14})$/;
const FOLDER = /^ksym-matrix-.+-([0-9a-f]{14})-[A-Za-z0-9]{6}$/;

/** After this long, owners of another boot count as gone: this host was started again, or theirs has forgotten them. */
const OTHER_BOOT_MS = 24 * 3600 * 1000;

/** This process's mark in each parent folder. */
const owners = new Map<string, Promise<string>>();
/** Folders of this process, some of them removed since. */
const made = new Set<string>();
const sockets = new Set<string>();

function ownerIn(parent: string): Promise<string> {
  const known = owners.get(parent);
  if (known !== undefined) return known;
  if (owners.size === 0) process.once('exit', removeAll);
  const owner = becomeOwner(parent);
  owners.set(parent, owner);
  // What failed may be mended by the time of the next try.
  owner.catch(() => owners.delete(parent));
  return owner;
}

async function becomeOwner(parent: string): Promise<string> {
  const directory = await open(parent, 'r');
  try {
    await sweep(parent, directory);
    const mark = `${bootDigest()}${randomBytes(4).toString('hex')}`;
    const socket = `.ksym-matrix-${mark}`;
    await listen(within(directory, `${socket}.new`));
    sockets.add(join(parent, socket));
    // Under its real name it listens from the first moment: nobody takes it for a dead one between bind(2) and listen(2).
    await rename(join(parent, `${socket}.new`), join(parent, socket));
    return mark;
  } finally {
    await directory.close();
  }
}

/** A path of any folder is too long for a socket's (107 bytes); the one through an open file is not. */
function within(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** Listens until this process ends, without keeping it from ending. */
async function listen(path: string): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();
}

/** Removes what belongs to this user and to nobody alive. What cannot be removed stays: it is no reason to stop. */
async function sweep(parent: string, directory: FileHandle): Promise<void> {
  const names = await readdir(parent);
  const marks = new Set(names.map((name) => SOCKET.exec(name)?.[1]).filter((mark) => mark !== undefined));
  for (const mark of marks) {
    const socket = join(parent, `.ksym-matrix-${mark}`);
    try {
      const { uid, mtimeMs } = await lstat(socket);
      if (uid !== process.getuid?.()) continue;
      if (!mark.startsWith(bootDigest()) && Date.now() - mtimeMs < OTHER_BOOT_MS) continue;
      if (!(await isDead(within(directory, `.ksym-matrix-${mark}`)))) continue;
      const folders = names.filter((name) => FOLDER.exec(name)?.[1] === mark);
      for (const folder of folders) await rm(join(parent, folder), { recursive: true, force: true });
      // Last, so that what was interrupted here is found again.
      await rm(socket, { force: true });
    } catch {
      // Another process removes the same.
    }
  }
}

/** Whether a socket's process is gone for certain: the kernel refuses the connection. Any other answer says nothing. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (dead: boolean): void => {
      socket.destroy();
      resolve(dead);
    };
    socket.once('connect', () => end(false));
    socket.once('error', (error) => end('code' in error && error.code === 'ECONNREFUSED'));
  });
}

/** Six characters that differ between kernels that are running now, and between this one's boots. */
function bootDigest(): string {
  return createHash('sha256').update(readFileSync('/proc/sys/kernel/random/boot_id')).digest('hex').slice(0, 6);
}

/** The last thing that this process does: it removes what it had no time for. */
function removeAll(): void {
  try {
    for (const folder of made) if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
    for (const socket of sockets) rmSync(socket, { force: true });
  } catch {
    // Something still writes into a folder: its socket stays, so that the next start finds it.
  }
}
