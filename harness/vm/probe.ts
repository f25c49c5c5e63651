import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SOCKETS } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';

/**
 * What a machine does while its agent says nothing, seen from outside:
 * - `stopped`: QEMU itself does not run, or does not answer on its control socket
 * - `paused`: QEMU answers, and says that it has stopped the guest
 * - `idle`: the guest runs, and all its CPUs wait for something to do
 * - `busy`: the guest runs, and a CPU has something to do
 * - `running`: the guest runs; more could not be found out
 */
export interface Probe {
  readonly state: 'stopped' | 'paused' | 'idle' | 'busy' | 'running';
  /** What it was told by, for people. */
  readonly detail: string;
}

/** Time for QEMU to answer everything; it takes a few milliseconds, and two pauses between looks. */
const DEADLINE_MS = 2500;
/** Looks at what may be of a moment only, and the time between them. A tick of an idle kernel comes every 4 ms. */
const LOOKS = 4;
const PAUSE_MS = 40;

/** States in which QEMU itself waits for what we do next (qapi/run-state.json). */
const WAITS_FOR_US: ReadonlySet<string> = new Set(['prelaunch', 'inmigrate']);

/**
 * Looks at a machine through QEMU's control socket.
 * @param pid QEMU's process id
 * @param directory the machine's sockets
 */
export async function probeMachine(pid: number, directory: string): Promise<Probe> {
  if (await isStopped(pid))
    return { state: 'stopped', detail: `process ${pid} is stopped, as by SIGSTOP or a debugger` };
  let client: QmpClient | undefined;
  const connecting = QmpClient.connect(join(directory, SOCKETS.qmp));
  const asking = (async (): Promise<Probe> => {
    client = await connecting;
    return ask(client);
  })();
  try {
    const answer = await Promise.race([asking, sleep(DEADLINE_MS, undefined, { ref: false })]);
    return answer ?? { state: 'stopped', detail: `process ${pid} does not answer on its control socket` };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { state: 'running', detail: `its control socket cannot be used: ${why}` };
  } finally {
    asking.catch(() => undefined);
    client?.close();
    // It may be accepted after we have given up.
    void connecting.then((late) => late.close()).catch(() => undefined);
  }
}

async function ask(qmp: QmpClient): Promise<Probe> {
  const { status } = (await qmp.execute('query-status')) as { status: string };
  if (status !== 'running') {
    const detail = `QEMU says that the guest's state is "${status}"`;
    return { state: WAITS_FOR_US.has(status) ? 'running' : 'paused', detail };
  }
  const seen = new Map<string, number>();
  let busyLooks = 0;
  for (let look = 0; look < LOOKS; look++) {
    if (look > 0) await sleep(PAUSE_MS);
    const found = await busyCpus(qmp);
    if (found === null) return { state: 'running', detail: 'QEMU shows no registers' };
    if (found.length > 0) busyLooks++;
    for (const place of found) seen.set(place, (seen.get(place) ?? 0) + 1);
  }
  // An idle kernel's tick is seen now and then; a CPU that works is seen each time.
  if (busyLooks < LOOKS) return { state: 'idle', detail: 'its CPUs are halted and wait for something to do' };
  const [[place] = ['']] = [...seen].sort(([, left], [, right]) => right - left);
  return { state: 'busy', detail: `most often at ${place}` };
}

/** The CPUs that are not halted, each with where it is; null if QEMU does not show it. Target i386, target/i386/cpu-dump.c. */
async function busyCpus(qmp: QmpClient): Promise<string[] | null> {
  const text = await qmp.execute('human-monitor-command', { 'command-line': 'info registers -a' });
  const found = [...String(text).matchAll(/RIP=([0-9a-f]+).*?CPL=(\d).*?HLT=(\d)/g)];
  if (found.length === 0) return null;
  return found.flatMap(([, address, level, halted], cpu) =>
    halted === '1' ? [] : [`0x${address} on CPU ${cpu}, in ${level === '3' ? 'a program' : 'the kernel'}`],
  );
}

/** proc_pid_stat(5): the state stands behind the name, which is in parentheses and may hold anything. */
async function isStopped(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /^[Tt]/.test(text.slice(text.lastIndexOf(')') + 2));
}
