import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { ExplainedError } from '../../loader/errors.ts';
import { Machine } from '../vm/machine.ts';
import type { MachineOptions } from '../vm/machine-parts.ts';
import { bootLogPath, MachineSource, type OpenListener } from '../vm/machine-source.ts';
import type { Observer } from '../vm/observations.ts';
import { TEMPLATE } from '../vm/template-files.ts';
import { TemplateError, TemplateStore } from '../vm/template-store.ts';
import { makeTemporaryFolder } from '../vm/temporary-folder.ts';
import type { ModuleTree } from './guest-modules.ts';
import { type GuestPlace, initramfsPlace } from './guest-place.ts';
import { enterHostRoot, type HostRoot } from './host-root.ts';
import { type FileShare, startVirtiofsd } from './virtiofsd.ts';

/** What a guest is opened from. */
export interface GuestRequest {
  readonly machine: Omit<MachineOptions, 'memory'>;
  readonly modules: ModuleTree;
  readonly cache: string;
  /** The one of `run`, so that the saved machines are the same. */
  readonly observer: Observer;
  /** False boots the kernel. */
  readonly templates: boolean;
  /** Whether the host's root file system is to be seen in the guest. */
  readonly hostRoot: boolean;
  readonly listener: Required<OpenListener>;
}

/** A machine that is ready for a user's programs. */
export interface Guest {
  readonly machine: Machine;
  readonly place: GuestPlace;
  /** Null if the host's files are not to be seen. */
  readonly hostRoot: HostRoot | null;
  close(how?: 'quit' | 'kill'): Promise<void>;
}

/**
 * Opens a guest: restored if there is a saved machine or one can be made, else booted.
 * @throws MachineError, HostRootError, AgentError; ExplainedError `disk-full`
 */
export async function openGuest(request: GuestRequest): Promise<Guest> {
  if (request.hostRoot) return openWithHostRoot(request);
  const source = new MachineSource(request);
  const { machine } = await source.open(request.machine, request.listener);
  return {
    machine,
    place: initramfsPlace(machine.agent),
    hostRoot: null,
    close: (how = 'kill') => machine.close(how),
  };
}

async function openWithHostRoot(request: GuestRequest): Promise<Guest> {
  const { signal } = request.machine;
  // Beside the machine's own folder, because virtiofsd is started while the machine is.
  const folder = await makeTemporaryFolder('ksym-matrix-share-', tmpdir().length < 60 ? tmpdir() : '/tmp');
  const starting = startVirtiofsd(folder, signal);
  starting.catch(() => undefined);
  let machine: Machine | undefined;
  let share: FileShare | undefined;
  const close = async (how: 'quit' | 'kill' = 'kill'): Promise<void> => {
    await machine?.close(how);
    await (await starting.catch(() => undefined))?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    machine = await openWithSharedMemory(request, join(folder, 'ram'));
    share = await starting;
    if (!share.protected) {
      request.listener.onMessage(
        "only the guest's kernel keeps the guest from writing to this host's files: no mount namespace can be made here",
      );
    }
    const place = await enterHostRoot(machine, share.socket, request.modules);
    return { machine, place, hostRoot: place, close };
  } catch (error) {
    const lost = machine !== undefined && (machine.spoilt || !(error instanceof ExplainedError));
    const failure = lost && machine !== undefined ? await machine.diagnose(error) : error;
    await close();
    throw failure;
  }
}

/**
 * Another process (virtiofsd) reads and writes the RAM, so it must be a shared mapping, which a template's own file must not be: the
 * machine gets a copy. The file has no name any more once the machine runs, and goes with it.
 */
async function openWithSharedMemory(request: GuestRequest, ram: string): Promise<Machine> {
  const { machine: options, observer, listener } = request;
  const memory = { path: ram, share: true };
  try {
    if (request.templates) {
      const consolePath = bootLogPath(options.consolePath);
      const template = await new TemplateStore(request.cache).get({
        machine: { ...options, consolePath },
        observer,
        ...listener,
      });
      await copySparse(join(template.directory, TEMPLATE.ram), ram);
      return await Machine.restore({ ...options, memory, state: join(template.directory, TEMPLATE.state) });
    }
  } catch (error) {
    if (options.signal?.aborted === true || !(error instanceof ExplainedError)) throw error;
    if (!(error instanceof TemplateError) && !('code' in error && error.code === 'restore-failed')) throw error;
    listener.onMessage(`no saved machine can be used, so the kernel is booted: ${error.explain()}`);
  } finally {
    await rm(ram, { force: true });
  }
  listener.onBoot();
  return Machine.start({ ...options, memory }).finally(() => rm(ram, { force: true }));
}

async function copySparse(from: string, to: string): Promise<void> {
  const result = await execa('cp', ['--sparse=always', '--reflink=auto', '--', from, to], {
    reject: false,
    stdin: 'ignore',
    env: { LC_ALL: 'C' },
  });
  if (!result.failed) return;
  // A machine that is booted would have its memory in the same place.
  if (/No space left|quota exceeded/i.test(result.stderr)) {
    throw new ExplainedError('disk-full', "no space is left for a machine's memory", {
      where: dirname(to),
      fix: 'free some space, or set TMPDIR to a folder with more: some 200 MB while a machine sees the files of this host',
    });
  }
  throw new TemplateError('template-not-copied', "a saved machine's memory cannot be copied", {
    where: to,
    why: result.stderr || (result.shortMessage ?? ''),
  });
}
