import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConsoleLog } from './console.ts';
import { type GroupProcess, type ProcessExit, startGroupProcess } from './process.ts';
import { type HardwareOptions, type MemoryFile, qemuArguments, SOCKETS } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** How long each phase of a machine's life may take, in milliseconds. */
export interface Deadlines {
  /** From the start to the first byte on the console. */
  readonly firstOutput: number;
  /** From the start to the agent's hello. */
  readonly ready: number;
  /** From the start of QEMU to the agent's hello, for a machine that is restored. */
  readonly restore: number;
  /** One request to the agent. */
  readonly request: number;
  /** From the order to stop to QEMU's end; then it is killed. */
  readonly shutdown: number;
}

/** Generous where a slow host is the likely cause, short where only a defect can be. */
export const DEFAULT_DEADLINES: Deadlines = {
  firstOutput: 20_000,
  ready: 180_000,
  restore: 30_000,
  request: 60_000,
  shutdown: 5_000,
};

export interface MachineOptions extends HardwareOptions {
  readonly consolePath: string;
  readonly deadlines: Deadlines;
  /** A file for the RAM; without it QEMU takes anonymous memory. */
  readonly memory?: MemoryFile;
  /** Aborting ends the machine at once. */
  readonly signal?: AbortSignal;
}

/** What a machine is made of; shared with the diagnosis. */
export interface MachineParts {
  readonly options: MachineOptions;
  readonly group: GroupProcess;
  readonly console: ConsoleLog;
  /** Holds the sockets; the path is short because a unix socket's may have at most 107 bytes. */
  readonly directory: string;
  exit: ProcessExit | undefined;
  /** What QEMU says when KVM cannot go on; QEMU then stops the guest and waits. */
  kvmFailure: string | undefined;
}

/** Starts QEMU, which is all: nobody has spoken to it yet. */
export async function startParts(options: MachineOptions, start: 'boot' | 'restore'): Promise<MachineParts> {
  const directory = await makeTemporaryFolder('ksym-matrix-vm-', tmpdir().length < 60 ? tmpdir() : '/tmp');
  const console = new ConsoleLog(options.consolePath);
  const { qemu } = options.prepared.plan;
  const group = startGroupProcess(qemu, qemuArguments({ ...options, memory: options.memory }, directory, start), {
    outputFifo: join(directory, 'console'),
  });
  group.child.stdout.on('data', (chunk: Buffer) => console.write(chunk));
  const parts: MachineParts = { options, group, console, directory, exit: undefined, kvmFailure: undefined };
  group.child.stderr.on('data', (chunk: Buffer | string) => {
    parts.kvmFailure ??= /^.*(?:KVM internal error|kvm run failed).*$/m.exec(chunk.toString())?.[0];
  });
  const kill = (): void => group.signal('SIGKILL');
  options.signal?.addEventListener('abort', kill);
  // An abort during what was awaited above calls no listener any more.
  if (options.signal?.aborted === true) kill();
  void group.exited.then((exit) => {
    parts.exit = exit;
    options.signal?.removeEventListener('abort', kill);
  });
  return parts;
}

/** Ends QEMU, politely, then not, and removes what it leaves. Never rejects. */
export async function stopParts(parts: MachineParts, how: 'quit' | 'kill' = 'quit'): Promise<void> {
  if (parts.exit === undefined) {
    if (how === 'kill') parts.group.signal('SIGKILL');
    else void askToQuit(parts);
    const ended = await Promise.race([
      parts.group.exited.then(() => true),
      sleep(parts.options.deadlines.shutdown, false, { ref: false }),
    ]);
    if (!ended) parts.group.signal('SIGKILL');
    await parts.group.exited;
  }
  await parts.console.close();
  await rm(parts.directory, { recursive: true, force: true }).catch(() => undefined);
}

/**
 * Waits until something in a starting QEMU listens: `attempt` is made again as long as nobody does.
 * @param interval milliseconds between two attempts
 */
export async function whenListening<T>(attempt: () => Promise<T>, interval: number, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isNotListening(error)) throw error;
    }
    await sleep(interval, undefined, { signal });
  }
}

async function askToQuit(parts: MachineParts): Promise<void> {
  try {
    const qmp = await QmpClient.connect(join(parts.directory, SOCKETS.qmp));
    await qmp.execute('quit').finally(() => qmp.close());
  } catch {
    // QEMU is not listening yet, or is ending already: the signal does it.
    parts.group.signal('SIGTERM');
  }
}

function isNotListening(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}
