import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { KernelStore } from '../../../kernels/store.ts';
import { locateVirtmeNg } from '../../../kernels/virtme-ng.ts';
import { buildAgent } from '../../../loader/agent/build.ts';
import { type Accelerator, chooseAccelerator } from '../accelerator.ts';
import { Machine } from '../machine.ts';
import { DEFAULT_DEADLINES, type MachineOptions } from '../machine-parts.ts';
import { type PreparedMachine, prepareMachine } from '../prepare.ts';

/** Everything that a test needs to boot machines, with a folder for temporary files of its own. */
export interface TestHost {
  readonly prepared: ReadonlyMap<string, PreparedMachine>;
  readonly accelerator: Accelerator;
  /** Holds TMPDIR of the machines, with a path short enough for sockets, and their console logs. */
  readonly folder: string;
  readonly start: (line: string, options?: StartOptions) => Promise<Machine>;
  /** Closes every machine that was started, for a test that failed before it did. */
  readonly closeAll: () => Promise<void>;
  /** Folders that machines have left behind. */
  readonly leftovers: () => string[];
  readonly end: () => void;
}

export interface StartOptions extends Partial<Pick<MachineOptions, 'append' | 'signal' | 'consolePath' | 'prepared'>> {
  readonly deadlines?: Partial<MachineOptions['deadlines']>;
}

/** Gets the kernels and plans a machine for each. Sets TMPDIR until `end` is called. */
export async function createTestHost(lines: readonly string[]): Promise<TestHost> {
  const cache = cacheDirectory();
  const store = new KernelStore({ cache });
  const agent = await buildAgent({ outputDirectory: join(cache, 'agent') });
  const virtme = await locateVirtmeNg({ cache, source: store.debian });
  const prepared = new Map<string, PreparedMachine>();
  for (const debian of lines) {
    const { image, sha256 } = await store.get({ debian });
    prepared.set(
      debian,
      await prepareMachine({ image, imageSha256: sha256, memoryMiB: 512, cpus: 2, agent, virtme, cache }),
    );
  }
  const [first] = [...prepared.values()];
  if (first === undefined) throw new Error('no kernel was asked for');
  const accelerator = await chooseAccelerator({ wanted: 'auto', image: first.image, qemu: first.plan.qemu, cache });
  const before = process.env.TMPDIR;
  const folder = mkdtempSync('/tmp/ksym-test-');
  const [temporary, consoles] = [join(folder, 'tmp'), join(folder, 'consoles')];
  mkdirSync(temporary);
  mkdirSync(consoles);
  process.env.TMPDIR = temporary;
  const machines: Machine[] = [];
  let boots = 0;
  return {
    prepared,
    accelerator,
    folder,
    start: async (line, { deadlines, ...options } = {}) => {
      const machine = prepared.get(line);
      if (machine === undefined) throw new Error(`no machine was prepared for ${line}`);
      const started = await Machine.start({
        prepared: machine,
        accelerator,
        append: [],
        consolePath: join(consoles, `console-${++boots}.log`),
        deadlines: { ...DEFAULT_DEADLINES, ...deadlines },
        ...options,
      });
      machines.push(started);
      return started;
    },
    closeAll: async () => {
      await Promise.all(machines.map((machine) => machine.close()));
    },
    // Beside the folders lies the socket that tells others that this process lives.
    leftovers: () => readdirSync(temporary).filter((name) => !name.startsWith('.')),
    end: () => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Processes whose command line contains a text, by reading /proc. Zombies have no command line. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
    .filter((entry) => commandLine(Number(entry)).includes(text))
    .map(Number);
}

/** A process's command line, with blanks between the arguments; empty if it has ended. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Waits until a condition holds; false if it does not within the time. */
export async function eventually(condition: () => boolean, milliseconds = 5000): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > end) return false;
    await sleep(20);
  }
  return true;
}
