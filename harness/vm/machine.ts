import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAgent } from '../../loader/agent/client.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import type { Accelerator } from './accelerator.ts';
import { ConsoleLog } from './console.ts';
import { diagnose } from './diagnose.ts';
import { MachineError } from './errors.ts';
import type { PreparedMachine } from './prepare.ts';
import { type GroupProcess, type ProcessExit, startGroupProcess } from './process.ts';
import { connectUnix, QmpClient } from './qmp.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** How long each phase of a machine's life may take, in milliseconds. */
export interface Deadlines {
  /** From the start to the first byte on the console. */
  readonly firstOutput: number;
  /** From the start to the agent's hello. */
  readonly ready: number;
  /** One request to the agent. */
  readonly request: number;
  /** From the order to stop to QEMU's end; then it is killed. */
  readonly shutdown: number;
}

/** Generous where a slow host is the likely cause, short where only a defect can be. */
export const DEFAULT_DEADLINES: Deadlines = { firstOutput: 20_000, ready: 180_000, request: 60_000, shutdown: 5_000 };

export interface MachineOptions {
  readonly prepared: PreparedMachine;
  readonly accelerator: Accelerator;
  /** Kernel parameters after the planned ones, as they would stand on the command line. */
  readonly append: readonly string[];
  readonly consolePath: string;
  readonly deadlines: Deadlines;
  /** Aborting ends the machine at once. */
  readonly signal?: AbortSignal;
}

/** Kernel parameters of every machine: the console is the serial port from the first moment, and a panic ends QEMU at once. */
const KERNEL_PARAMETERS = ['console=ttyS0', 'earlyprintk=serial,ttyS0,115200', 'loglevel=7', 'panic=-1'];

/** A running virtual machine with an agent in it. */
export class Machine {
  readonly agent: AgentConnection;
  readonly console: ConsoleLog;
  readonly accelerator: Accelerator;
  /** From QEMU's start to the agent's hello. */
  readonly bootMs: number;
  readonly #parts: MachineParts;
  #closing: Promise<void> | undefined;

  private constructor(parts: MachineParts, agent: AgentConnection, bootMs: number) {
    this.#parts = parts;
    this.agent = agent;
    this.console = parts.console;
    this.accelerator = parts.options.accelerator;
    this.bootMs = bootMs;
  }

  /**
   * Starts QEMU and waits until the agent answers.
   * @throws MachineError if it does not, after everything was cleaned up.
   */
  static async start(options: MachineOptions): Promise<Machine> {
    const started = performance.now();
    const parts = await startParts(options);
    const abort = new AbortController();
    try {
      const agent = await Promise.race([connectWhenUp(parts, abort.signal), failureBeforeReady(parts, abort.signal)]);
      return new Machine(parts, agent, performance.now() - started);
    } catch (error) {
      const failure = await diagnose(error, parts, 'boot');
      await stopParts(parts);
      throw failure;
    } finally {
      abort.abort();
    }
  }

  /** QEMU's process id. */
  get pid(): number {
    return this.#parts.group.pid;
  }

  /** Whether the kernel has reported a crash, or QEMU has ended: nothing more can be asked of this machine. */
  get spoilt(): boolean {
    return this.console.crash !== undefined || this.#parts.exit !== undefined;
  }

  /** Finds out why a request to the agent failed: panic, oops, QEMU's end or silence. */
  diagnose(error: unknown): Promise<MachineError> {
    return diagnose(error, this.#parts, 'run');
  }

  /** Ends the machine: politely, then not. Never rejects; safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.agent.close().catch(() => undefined);
      await stopParts(this.#parts);
    })();
    return this.#closing;
  }
}

/** What a machine is made of; shared with the diagnosis. */
export interface MachineParts {
  readonly options: MachineOptions;
  readonly group: GroupProcess;
  readonly console: ConsoleLog;
  /** Holds the sockets; the path is short because a unix socket's may have at most 107 bytes. */
  readonly socketDirectory: string;
  exit: ProcessExit | undefined;
  /** What QEMU says when KVM cannot go on; QEMU then stops the guest and waits. */
  kvmFailure: string | undefined;
}

async function startParts(options: MachineOptions): Promise<MachineParts> {
  const { prepared, accelerator } = options;
  const socketDirectory = await makeTemporaryFolder('ksym-matrix-vm-', tmpdir().length < 60 ? tmpdir() : '/tmp');
  const console = new ConsoleLog(options.consolePath);
  const group = startGroupProcess(
    prepared.plan.qemu,
    [
      ...prepared.plan.arguments,
      ...['-nodefaults', '-no-user-config', '-no-reboot'],
      // Emulated CPUs take turns: with a thread for each, QEMU now and then runs stale code that the kernel has just patched,
      // which ends in an int3 oops during boot. Two machines on two cores are also faster so.
      ...['-accel', accelerator.name === 'tcg' ? 'tcg,thread=single' : 'kvm'],
      // Five-level paging makes emulated page walks longer for nothing: no test machine has 64 TiB.
      ...['-cpu', accelerator.name === 'tcg' ? 'max,la57=off' : 'host'],
      ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
      ...['-qmp', `unix:${optionValue(join(socketDirectory, 'qmp'))},server=on,wait=off`],
      ...['-chardev', `socket,id=agent,path=${optionValue(join(socketDirectory, 'agent'))},server=on,wait=off`],
      ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,name=org.ksym-matrix.agent'],
      ...['-kernel', prepared.image, '-initrd', prepared.initrd],
      ...['-append', [...KERNEL_PARAMETERS, ...prepared.plan.kernelParameters, ...options.append].join(' ')],
    ],
    { outputFifo: join(socketDirectory, 'console') },
  );
  group.child.stdout.on('data', (chunk: Buffer) => console.write(chunk));
  const parts: MachineParts = { options, group, console, socketDirectory, exit: undefined, kvmFailure: undefined };
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

/** A value inside one of QEMU's comma-separated options. */
function optionValue(text: string): string {
  return text.replaceAll(',', ',,');
}

/** The agent's socket is there as soon as QEMU is; what is written waits in QEMU until the agent opens its port. */
async function connectWhenUp(parts: MachineParts, signal: AbortSignal): Promise<AgentConnection> {
  const path = join(parts.socketDirectory, 'agent');
  for (;;) {
    signal.throwIfAborted();
    try {
      const socket = await connectUnix(path);
      return await connectAgent(socket, {
        // The deadline is watched below, where more is known of why.
        timeoutMs: parts.options.deadlines.ready + 10_000,
        requestTimeoutMs: parts.options.deadlines.request,
        name: 'the agent in the machine',
      });
    } catch (error) {
      if (!isNotListening(error)) throw error;
    }
    await sleep(20, undefined, { signal });
  }
}

/** Rejects with the first sign that this machine will not come up. */
async function failureBeforeReady(parts: MachineParts, signal: AbortSignal): Promise<never> {
  const { deadlines } = parts.options;
  const started = performance.now();
  for (;;) {
    const elapsed = performance.now() - started;
    if (parts.exit !== undefined) throw new MachineError('qemu-exited', 'QEMU ended before the agent answered', 'boot');
    if (parts.console.crash !== undefined) throw new MachineError('kernel-panic', 'the kernel crashed', 'boot');
    if (parts.kvmFailure !== undefined) {
      throw new MachineError('kvm-failed', 'KVM of this host cannot run the kernel', 'boot', {
        why: parts.kvmFailure,
        fix: 'leave out --accel kvm, or use --accel tcg: the kernel is then emulated',
      });
    }
    if (parts.console.size === 0 && elapsed > deadlines.firstOutput) {
      throw new MachineError(
        'vm-silent',
        `the machine printed nothing within ${deadlines.firstOutput / 1000} s`,
        'boot',
      );
    }
    if (elapsed > deadlines.ready) {
      throw new MachineError('boot-timeout', `the agent was not ready within ${deadlines.ready / 1000} s`, 'boot');
    }
    await sleep(50, undefined, { signal });
  }
}

async function stopParts(parts: MachineParts): Promise<void> {
  if (parts.exit === undefined) {
    void askToQuit(parts);
    const ended = await Promise.race([
      parts.group.exited.then(() => true),
      sleep(parts.options.deadlines.shutdown, false, { ref: false }),
    ]);
    if (!ended) parts.group.signal('SIGKILL');
    await parts.group.exited;
  }
  await parts.console.close();
  await rm(parts.socketDirectory, { recursive: true, force: true });
}

async function askToQuit(parts: MachineParts): Promise<void> {
  try {
    const qmp = await QmpClient.connect(join(parts.socketDirectory, 'qmp'));
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
