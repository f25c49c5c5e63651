import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { KernelStore } from '../../../kernels/store.ts';
import { locateVirtmeNg } from '../../../kernels/virtme-ng.ts';
import { buildAgent } from '../../../loader/agent/build.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import { type Accelerator, chooseAccelerator } from '../accelerator.ts';
import { Machine } from '../machine.ts';
import { DEFAULT_DEADLINES, type MachineOptions } from '../machine-parts.ts';
import { MachineSource } from '../machine-source.ts';
import type { Observer } from '../observations.ts';
import { type PreparedMachine, prepareMachine } from '../prepare.ts';

/** Everything that a test needs to boot machines, with a folder for temporary files of its own. */
export interface TestHost {
  readonly prepared: ReadonlyMap<string, PreparedMachine>;
  readonly accelerator: Accelerator;
  /** Holds TMPDIR of the machines, with a path short enough for sockets, and their console logs. */
  readonly folder: string;
  /** Boots a machine, which takes seconds. */
  readonly start: (line: string, options?: StartOptions) => Promise<Machine>;
  /** Gives a machine in a tenth of a second: restored, from a boot that is saved in the cache once for each kernel. */
  readonly open: (line: string, options?: OpenOptions) => Promise<RestoredMachine>;
  /** What a machine is started with. */
  readonly request: (line: string, options?: StartOptions) => Omit<MachineOptions, 'memory'>;
  /** Closes every machine that was started, for a test that failed before it did. */
  readonly closeAll: () => Promise<void>;
  /** Folders that machines have left behind. */
  readonly leftovers: () => string[];
  readonly end: () => void;
}

export interface StartOptions extends Partial<Pick<MachineOptions, 'append' | 'signal' | 'consolePath' | 'prepared'>> {
  readonly deadlines?: Partial<MachineOptions['deadlines']>;
}

export interface OpenOptions extends Pick<StartOptions, 'deadlines' | 'signal'> {}

/** A machine that was restored, and the addresses of its kernel's functions. */
export interface RestoredMachine {
  readonly machine: Machine;
  readonly addressOf: (name: string) => Promise<bigint>;
}

/** What restored machines of these tests are saved with. */
export const OBSERVER: Observer = {
  version: 'vm-tests-1',
  observe: async (agent) => new Map([['kallsyms', await agent.readFile('/proc/kallsyms')]]),
};

/** Without page table isolation, kernel code is mapped whatever a CPU is doing when the debugger stops it (kernel-patch.ts). */
export const PATCHABLE: readonly string[] = ['nopti'];

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
  let consoleCount = 0;
  const request: TestHost['request'] = (line, { deadlines, ...options } = {}) => {
    const machine = prepared.get(line);
    if (machine === undefined) throw new Error(`no machine was prepared for ${line}`);
    return {
      prepared: machine,
      accelerator,
      append: [],
      consolePath: join(consoles, `console-${++consoleCount}.log`),
      deadlines: { ...DEFAULT_DEADLINES, ...deadlines },
      ...options,
    };
  };
  const symbols = new Map<string, Promise<Kallsyms>>();
  const source = new MachineSource({ cache, templates: true, observer: OBSERVER });
  return {
    prepared,
    accelerator,
    folder,
    request,
    start: async (line, options) => {
      const started = await Machine.start(request(line, options));
      machines.push(started);
      return started;
    },
    open: async (line, options) => {
      // The boot and what is read after it must not run into the deadlines of a test.
      const wanted = request(line, { append: PATCHABLE });
      if (!source.isSaved(wanted)) await (await source.open(wanted)).machine.close('kill');
      const { machine, observations } = await source.open(request(line, { append: PATCHABLE, ...options }));
      machines.push(machine);
      return {
        machine,
        addressOf: async (name) => {
          const kallsyms = symbols.get(observations.key) ?? observations.read('kallsyms').then(Kallsyms.parse);
          symbols.set(observations.key, kallsyms);
          const [symbol] = (await kallsyms).find(name);
          if (symbol === undefined) throw new Error(`the kernel has no ${name}`);
          return symbol.address;
        },
      };
    },
    closeAll: async () => {
      await Promise.all(machines.splice(0).map((machine) => machine.close('kill')));
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
