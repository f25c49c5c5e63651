import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentConnection, SyscallBuffer } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { type SyscallName, syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { Machine } from '../vm/machine.ts';
import { loadModules, type ModuleTree } from './guest-modules.ts';
import type { GuestPlace } from './guest-place.ts';
import { HostRootError } from './host-root-error.ts';

/** Mounted over in the guest: what the host has there is not seen. */
const HIDDEN = ['/dev', '/proc', '/sys', '/run'];
/** Without overlayfs these are the places where the guest can write. */
const WRITABLE = ['/tmp', '/var/tmp'];
const BUSYBOX = '/bin/busybox';
const MS_MOVE = 8192;

/** The host's root file system in a guest. */
export interface HostRoot extends GuestPlace {
  /** Whether the guest may write anywhere (into its memory), or only below /tmp, /var/tmp and /run. */
  readonly writable: boolean;
}

/**
 * Plugs the host's root file system into a running machine and moves the agent into it: what it runs from then on sees the host's files
 * under their own names, with the guest's /dev, /proc, /sys and /run. virtiofs cannot be part of a saved machine (vhost-user devices are
 * not migratable), so the device comes after the restore, into the slot that every machine keeps for it.
 * @param machine must have RAM that virtiofsd can map: a file, shared
 * @param socket where virtiofsd listens
 * @throws HostRootError; AgentError if the machine does not answer
 */
export async function enterHostRoot(machine: Machine, socket: string, modules: ModuleTree): Promise<HostRoot> {
  const { agent } = machine;
  await plugIn(machine, socket);
  const known = await fileSystems(agent);
  const wanted = ['virtiofs', 'overlay'].filter((name) => !known.includes(name));
  await loadModules(agent, modules, wanted);
  if (!known.includes('virtiofs') && !(await fileSystems(agent)).includes('virtiofs')) {
    throw new HostRootError('host-root-unsupported', `Linux ${agent.hello.release} has no virtiofs`, {
      why: 'it is neither built in nor a module of the packages in the cache',
      fix: "leave the host's files out: --no-host-root for a shell; for a program, push what it needs with --in",
    });
  }
  const script = await readFile(join(PACKAGE_ROOT, 'harness', 'guest', 'host-root.sh'), 'utf8');
  const mounted = await agent.execute({ argv: [BUSYBOX, 'sh', '-c', script], environment: { PATH: '/bin' } });
  const [root, how] = Buffer.from(mounted.stdout).toString('utf8').split('\n');
  if (mounted.exitCode !== 0 || root === undefined || root === '') {
    const said = Buffer.from(mounted.stderr).toString('utf8').trim();
    throw new HostRootError('host-root-failed', "the guest cannot mount the host's files", { why: said });
  }
  await moveInto(agent, root);
  const writable = how === 'overlay';
  return { agent, busybox: '/run/ksym-matrix/busybox', hidden: writable ? HIDDEN : [...HIDDEN, ...WRITABLE], writable };
}

async function plugIn(machine: Machine, socket: string): Promise<void> {
  const qmp = await machine.connectQmp();
  try {
    const address = { type: 'unix', data: { path: socket } };
    await qmp.execute('chardev-add', {
      id: 'host',
      backend: { type: 'socket', data: { addr: address, server: false } },
    });
    await qmp.execute('device_add', {
      driver: 'vhost-user-fs-pci',
      id: 'host',
      chardev: 'host',
      tag: 'host',
      bus: 'spare',
    });
  } finally {
    qmp.close();
  }
}

async function fileSystems(agent: AgentConnection): Promise<string[]> {
  const text = Buffer.from(await agent.readFile('/proc/filesystems')).toString('utf8');
  return text.split('\n').map((line) => line.replace(/^nodev/, '').trim());
}

/** What switch_root(8) does, for the agent alone: a process that is only chrooted may not make user namespaces. */
async function moveInto(agent: AgentConnection, root: string): Promise<void> {
  const call = async (name: SyscallName, ...args: (number | SyscallBuffer)[]): Promise<void> => {
    const { errno } = await agent.syscall({ number: syscallNumber(agent.hello.machine, name), args });
    if (errno === 0) return;
    throw new HostRootError('host-root-failed', "the agent cannot go over into the host's files", {
      why: `${name}: ${errnoName(errno)}`,
    });
  };
  await call('chdir', path(root));
  await call('mount', path('.'), path('/'), 0, MS_MOVE, 0);
  await call('chroot', path('.'));
  await call('chdir', path('/'));
}

function path(text: string): SyscallBuffer {
  return { bytes: new TextEncoder().encode(`${text}\0`), direction: 'in' };
}
