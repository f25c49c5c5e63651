import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { PACKAGE_ROOT } from '../package-root.ts';
import { type GroupProcess, startGroupProcess } from '../vm/process.ts';
import { HostRootError } from './host-root-error.ts';

/** A running virtiofsd that shares this host's root file system. */
export interface FileShare {
  /** The socket that QEMU connects to. */
  readonly socket: string;
  /** Whether the host itself keeps the guest from writing, whatever the guest's kernel does. */
  readonly protected: boolean;
  stop(): Promise<void>;
}

/** Where distributions put it: the one in Rust (package virtiofsd), and the one in C that came with QEMU before 8.0. */
const PLACES = [
  '/usr/libexec/virtiofsd',
  '/usr/lib/virtiofsd/virtiofsd',
  '/usr/lib/virtiofsd',
  '/usr/lib/qemu/virtiofsd',
];
const START_MS = 5000;
const FIX = "sudo apt-get install virtiofsd (on Debian 12: qemu-system-common), or leave the host's files out";

/** One way to start it. */
interface Way {
  readonly command: readonly string[];
  readonly protected: boolean;
}

/**
 * Starts virtiofsd, so that the guest can read this host's files. It runs in mount namespace where every file system is
 * read-only, if this user may make one; else with its own option, if it has one; else only the guest's kernel keeps the guest from writing.
 * @param directory a folder for its socket
 * @throws HostRootError `virtiofsd-missing`, `virtiofsd-failed`
 */
export async function startVirtiofsd(directory: string, signal?: AbortSignal): Promise<FileShare> {
  const program = findVirtiofsd();
  if (program === undefined) {
    throw new HostRootError('virtiofsd-missing', "there is no virtiofsd to share the host's files with", { fix: FIX });
  }
  const folder = join(directory, 'share');
  await mkdir(folder);
  const socket = join(folder, 'fs');
  const complaints: string[] = [];
  for (const way of await waysToStart(program, folder, socket)) {
    const [command = '', ...args] = way.command;
    const group = startGroupProcess(command, args);
    if (await listens(group, socket, signal)) {
      return {
        socket,
        protected: way.protected,
        stop: async () => {
          group.signal('SIGKILL');
          await group.exited;
        },
      };
    }
    group.signal('SIGKILL');
    complaints.push((await group.exited).stderr.trim().split('\n').at(-1) ?? '');
  }
  throw new HostRootError('virtiofsd-failed', 'virtiofsd does not start', {
    where: program,
    why: complaints.filter((text) => text !== '').join('; ') || 'it said nothing',
    fix: FIX,
  });
}

function findVirtiofsd(): string | undefined {
  const inPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'virtiofsd'));
  return [...inPath, ...PLACES].find((path) => path.startsWith('/') && existsSync(path));
}

async function waysToStart(program: string, folder: string, socket: string): Promise<Way[]> {
  const help = await execa(program, ['--help'], { reject: false, stdin: 'ignore' });
  const text = `${help.stdout}${help.stderr}`;
  const root = process.getuid?.() === 0;
  const inC = !text.includes('--shared-dir');
  const daemon = inC
    ? [program, `--socket-path=${socket}`, '-o', 'source=/,sandbox=chroot,cache=auto,log_level=err']
    : [
        program,
        '--socket-path',
        socket,
        '--shared-dir',
        '/',
        '--sandbox',
        'none',
        '--no-announce-submounts',
        '--log-level',
        'error',
      ];
  const script = join(PACKAGE_ROOT, 'harness', 'guest', 'read-only.sh');
  const namespaces = root ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  const unshare = ['unshare', ...namespaces, '--propagation', 'private', '--', 'sh', script, folder];
  const ways: Way[] = [{ command: [...unshare, ...daemon], protected: true }];
  if (!inC && text.includes('--readonly')) ways.push({ command: [...daemon, '--readonly'], protected: true });
  // The one in C refuses to run as an ordinary user.
  else if (!inC || root) ways.push({ command: daemon, protected: false });
  return ways;
}

async function listens(group: GroupProcess, socket: string, signal: AbortSignal | undefined): Promise<boolean> {
  let ended = false;
  void group.exited.then(() => {
    ended = true;
  });
  const deadline = performance.now() + START_MS;
  while (!ended && performance.now() < deadline && signal?.aborted !== true) {
    if (existsSync(socket)) return true;
    await sleep(3);
  }
  return false;
}
