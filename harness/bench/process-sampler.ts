import { readdirSync, readFileSync } from 'node:fs';

/** What a process holds, in bytes (proc(5): status, smaps_rollup). */
export interface Memory {
  /** Pages of its own, such as what a guest with a private mapping has written. */
  readonly anonymous: number;
  /** Pages of files, which other processes may share: programs, libraries, a template's RAM. */
  readonly file: number;
  /** Shared memory. */
  readonly shared: number;
  /** Proportional set size: shared pages count by the share. Undefined where the kernel does not tell. */
  readonly proportional: number | undefined;
}

/** Peaks of a process and of the QEMUs below it. */
export interface Peaks {
  /** Resident set of the process itself, in bytes. */
  readonly resident: number;
  /** Its open file descriptors. */
  readonly descriptors: number;
  /** QEMUs at a time. */
  readonly machines: number;
  /** Proportional set size of all QEMUs together, in bytes. */
  readonly machinesMemory: number;
  /** The largest that any one QEMU was, by its resident set. */
  readonly largestMachine: Memory | undefined;
}

/** Looks at a process and its descendants again and again, through /proc. */
export class ProcessSampler {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peaks: Peaks = { resident: 0, descriptors: 0, machines: 0, machinesMemory: 0, largestMachine: undefined };

  /** @param interval milliseconds between two looks; each takes a few itself */
  constructor(pid: number, interval: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), interval);
    this.#timer.unref();
    this.#look();
  }

  /** What was seen so far. */
  get peaks(): Peaks {
    return this.#peaks;
  }

  /** Ends the looking and gives the peaks that were seen. */
  stop(): Peaks {
    clearInterval(this.#timer);
    return this.#peaks;
  }

  #look(): void {
    const before = this.#peaks;
    const machines = descendants(this.#pid)
      .filter((pid) => isQemu(pid))
      .map((pid) => memoryOf(pid))
      .filter((memory) => memory !== undefined);
    const sizes = machines.map((memory) => memory.proportional ?? residentSize(memory));
    const largest = [before.largestMachine, ...machines].reduce((left, right) =>
      residentSize(right) > residentSize(left) ? right : left,
    );
    this.#peaks = {
      resident: Math.max(before.resident, ownResident(this.#pid)),
      descriptors: Math.max(before.descriptors, openDescriptors(this.#pid)),
      machines: Math.max(before.machines, machines.length),
      machinesMemory: Math.max(
        before.machinesMemory,
        sizes.reduce((sum, size) => sum + size, 0),
      ),
      largestMachine: largest,
    };
  }
}

/** What a process holds now; undefined if it has ended. */
export function memoryOf(pid: number): Memory | undefined {
  // Before the rest, so that a process that grows meanwhile has no share larger than its whole.
  const proportional = field(read(`/proc/${pid}/smaps_rollup`), 'Pss');
  const status = read(`/proc/${pid}/status`);
  const anonymous = field(status, 'RssAnon');
  if (anonymous === undefined) return undefined;
  return {
    anonymous,
    file: field(status, 'RssFile') ?? 0,
    shared: field(status, 'RssShmem') ?? 0,
    proportional,
  };
}

/** Everything that is mapped and in memory, in bytes. */
export function residentSize(memory: Memory | undefined): number {
  return memory === undefined ? 0 : memory.anonymous + memory.file + memory.shared;
}

/** The processes that a process started, and those that they started. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = read(`/proc/${entry}/stat`);
    const parent = Number(/^\d+ \(.*\) \S (\d+)/s.exec(stat)?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const below = (one: number): number[] => (children.get(one) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function isQemu(pid: number): boolean {
  return read(`/proc/${pid}/comm`).startsWith('qemu-system');
}

/** The highest that the kernel has seen itself, so that nothing between two looks is missed. */
function ownResident(pid: number): number {
  return field(read(`/proc/${pid}/status`), 'VmHWM') ?? 0;
}

function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** A line such as `VmHWM:    1234 kB`, in bytes. */
function field(text: string, name: string): number | undefined {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
