import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAgent } from '../../loader/agent/client.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import type { Accelerator } from './accelerator.ts';
import type { ConsoleLog } from './console.ts';
import { diagnose } from './diagnose.ts';
import { MachineError } from './errors.ts';
import { type MachineOptions, type MachineParts, startParts, stopParts, whenListening } from './machine-parts.ts';
import { watchOwnPulse } from './own-pulse.ts';
import { type ProcessMemory, readProcessMemory } from './process-memory.ts';
import { type MemoryFile, SOCKETS } from './qemu-arguments.ts';
import { connectUnix, QmpClient } from './qmp.ts';
import { refreshGuest } from './refresh.ts';
import { loadState } from './saved-state.ts';

/** How a machine came to be ready. */
export type Beginning = 'booted' | 'restored';

/** A running virtual machine with an agent in it. */
export class Machine {
  readonly agent: AgentConnection;
  readonly console: ConsoleLog;
  readonly accelerator: Accelerator;
  readonly beginning: Beginning;
  /** Milliseconds from QEMU's start to the agent's hello. */
  readonly readyMs: number;
  readonly #parts: MachineParts;
  #closing: Promise<void> | undefined;
  #lost = false;

  private constructor(parts: MachineParts, agent: AgentConnection, beginning: Beginning, readyMs: number) {
    this.#parts = parts;
    this.agent = agent;
    this.console = parts.console;
    this.accelerator = parts.options.accelerator;
    this.beginning = beginning;
    this.readyMs = readyMs;
  }

  /**
   * Boots a kernel and waits until the agent answers.
   * @throws MachineError if it does not, after everything was cleaned up.
   */
  static start(options: MachineOptions): Promise<Machine> {
    return Machine.#begin(options, 'booted', connectWhenUp);
  }

  /**
   * Starts a machine from a saved state and waits until the agent answers. The guest's clock is set and its random numbers are seeded
   * anew, so that machines from one state differ where they must.
   * @param options must describe the same hardware that the state was saved on; `memory` is the RAM file that belongs to it
   * @throws MachineError if it does not come up, after everything was cleaned up; `restore-failed` if QEMU refuses the state
   */
  static restore(options: MachineOptions & { readonly memory: MemoryFile; readonly state: string }): Promise<Machine> {
    return Machine.#begin(options, 'restored', (parts, signal) => connectAfterRestore(parts, options.state, signal));
  }

  static async #begin(
    options: MachineOptions,
    beginning: Beginning,
    connect: (parts: MachineParts, signal: AbortSignal) => Promise<AgentConnection>,
  ): Promise<Machine> {
    watchOwnPulse();
    const started = performance.now();
    const parts = await startParts(options, beginning === 'booted' ? 'boot' : 'restore');
    const abort = new AbortController();
    try {
      const agent = await Promise.race([
        connect(parts, abort.signal),
        failureBeforeReady(parts, beginning, abort.signal),
      ]);
      return new Machine(parts, agent, beginning, performance.now() - started);
    } catch (error) {
      // QEMU's control socket serves one client at a time: the diagnosis is to be the next.
      abort.abort();
      const failure = await diagnose(error, parts, 'boot');
      await stopParts(parts, 'kill');
      throw failure;
    } finally {
      abort.abort();
    }
  }

  /** QEMU's process id. */
  get pid(): number {
    return this.#parts.group.pid;
  }

  /** The folder with this machine's sockets (see SOCKETS); it goes when the machine is closed. */
  get directory(): string {
    return this.#parts.directory;
  }

  /** Whether the kernel has reported a crash, or QEMU has ended: nothing more can be asked of this machine. */
  get spoilt(): boolean {
    return this.console.crash !== undefined || this.#parts.exit !== undefined;
  }

  /** Another connection to QEMU's control socket; QEMU serves one at a time. The caller closes it. */
  connectQmp(): Promise<QmpClient> {
    return QmpClient.connect(join(this.#parts.directory, SOCKETS.qmp));
  }

  /** Finds out why a request to the agent failed: what the kernel, the agent, QEMU or this program did. Nothing more can be asked of the machine then. */
  diagnose(error: unknown, phase: 'boot' | 'run' = 'run'): Promise<MachineError> {
    this.#lost = true;
    return diagnose(error, this.#parts, phase);
  }

  /**
   * Ends the machine. Never rejects; safe to call twice.
   * @param how `quit` lets the agent and QEMU end by themselves; `kill` is for a machine that nothing of is wanted any more, which one
   *   that is spoilt, or was diagnosed, always is
   */
  close(how: 'quit' | 'kill' = 'quit'): Promise<void> {
    this.#closing ??= (async () => {
      const kill = how === 'kill' || this.spoilt || this.#lost;
      // An agent that is busy with another request says goodbye when that has ended, which may be never.
      const patience = sleep(this.#parts.options.deadlines.shutdown, undefined, { ref: false });
      if (!kill) await Promise.race([this.agent.close().catch(() => undefined), patience]);
      await stopParts(this.#parts, kill ? 'kill' : 'quit');
      // Nobody is there to answer: this only settles what still waits.
      void this.agent.close().catch(() => undefined);
    })();
    return this.#closing;
  }

  /** What QEMU has in memory now; null if it has ended. */
  memory(): Promise<ProcessMemory | null> {
    return readProcessMemory(this.pid);
  }
}

/** The agent's socket is there as soon as QEMU is; what is written waits in QEMU until the agent opens its port. */
async function connectWhenUp(parts: MachineParts, signal: AbortSignal): Promise<AgentConnection> {
  const socket = await whenListening(() => connectUnix(join(parts.directory, SOCKETS.agent)), 20, signal);
  return greetAgent(socket, parts, parts.options.deadlines.ready);
}

/** Loads the state, opens the agent's socket while the guest stands still, so that it finds an open port, and lets it run. */
async function connectAfterRestore(parts: MachineParts, state: string, signal: AbortSignal): Promise<AgentConnection> {
  const qmp = await whenListening(() => QmpClient.connect(join(parts.directory, SOCKETS.qmp)), 3, signal);
  let socket: Awaited<ReturnType<typeof connectUnix>>;
  try {
    await loadState(qmp, state, signal);
    socket = await connectUnix(join(parts.directory, SOCKETS.agent));
    await qmp.execute('cont');
  } finally {
    qmp.close();
  }
  const agent = await greetAgent(socket, parts, parts.options.deadlines.restore);
  await refreshGuest(agent);
  return agent;
}

function greetAgent(
  socket: Awaited<ReturnType<typeof connectUnix>>,
  parts: MachineParts,
  deadline: number,
): Promise<AgentConnection> {
  return connectAgent(socket, {
    // The deadline is watched below, where more is known of why.
    timeoutMs: deadline + 10_000,
    requestTimeoutMs: parts.options.deadlines.request,
    name: 'the agent in the machine',
  });
}

/** Rejects with the first sign that this machine will not come up. */
async function failureBeforeReady(parts: MachineParts, beginning: Beginning, signal: AbortSignal): Promise<never> {
  const { deadlines } = parts.options;
  const deadline = beginning === 'booted' ? deadlines.ready : deadlines.restore;
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
    // A restored machine need not print anything.
    if (beginning === 'booted' && parts.console.size === 0 && elapsed > deadlines.firstOutput) {
      throw new MachineError(
        'vm-silent',
        `the machine printed nothing within ${deadlines.firstOutput / 1000} s`,
        'boot',
        {
          fix: 'does every kernel end so, run `ksym-matrix doctor`; if it is this one, see that it has CONFIG_SERIAL_8250_CONSOLE',
        },
      );
    }
    if (elapsed > deadline) {
      throw new MachineError('boot-timeout', `the agent was not ready within ${deadline / 1000} s`, 'boot');
    }
    await sleep(50, undefined, { signal });
  }
}
