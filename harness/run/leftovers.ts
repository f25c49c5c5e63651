import type { AgentConnection } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { AttrWriter } from '../../loader/syscall/attr.ts';
import { BpfCommand, bpf } from '../../loader/syscall/bpf.ts';
import { readText } from './facts.ts';

/** What a machine was like before its first cell, as far as a cell could change it for the next one. */
export interface Baseline {
  /** /proc/sys/kernel/tainted: a bit for each kind of trouble the kernel has noted (Documentation/admin-guide/tainted-kernels.rst). */
  readonly tainted: string;
  /** Modules, by name. */
  readonly modules: string;
  /** The highest id in use, of programs, maps, links and BTF. The kernel counts on, so whatever is made later has a higher one. */
  readonly ids: Readonly<Record<BpfObject, number>>;
}

const COMMANDS = {
  program: BpfCommand.programGetNextId,
  map: BpfCommand.mapGetNextId,
  link: BpfCommand.linkGetNextId,
  btf: BpfCommand.btfGetNextId,
} as const;

type BpfObject = keyof typeof COMMANDS;

const OBJECTS: readonly BpfObject[] = ['program', 'map', 'link', 'btf'];

/** Maps and BTF of a program go when its memory does: after a grace period, by a worker (bpf_prog_free_deferred, kernel/bpf/core.c). */
const GRACE_MS = 1000;

/** Reads what {@link LeftoverWatch} compares with. Throws AgentError. */
export async function readBaseline(agent: AgentConnection): Promise<Baseline> {
  const ids: Record<BpfObject, number> = { program: 0, map: 0, link: 0, btf: 0 };
  for (const object of OBJECTS) {
    for (;;) {
      const next = await nextId(agent, object, ids[object]);
      if (next === null) break;
      ids[object] = next;
    }
  }
  return { tainted: await readTaint(agent), modules: await readModules(agent), ids };
}

/**
 * Watches over a machine that several cells share: after each cell it finds what the cell has left that the next one could meet. A
 * machine with leftovers is given up.
 */
export class LeftoverWatch {
  readonly #agent: AgentConnection;
  readonly #baseline: Baseline;
  /** Maps and BTF that were still there after a cell, and since when. */
  readonly #lingering = new Map<string, { readonly since: number; readonly cell: string }>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(agent: AgentConnection, baseline: Baseline, now: () => number = () => performance.now()) {
    this.#agent = agent;
    this.#baseline = baseline;
    this.#now = now;
  }

  /**
   * What was left, in words for a person; empty if nothing was. Throws AgentError if the machine does not answer.
   * @param cell the one that has just ended
   */
  async find(cell: string): Promise<string[]> {
    const found: string[] = [];
    const tainted = await readTaint(this.#agent);
    if (tainted !== this.#baseline.tainted)
      found.push(`the kernel is tainted: ${tainted} was ${this.#baseline.tainted}`);
    if ((await readModules(this.#agent)) !== this.#baseline.modules) found.push('modules were loaded or removed');
    for (const object of OBJECTS) {
      const id = await nextId(this.#agent, object, this.#baseline.ids[object]);
      if (id === null) continue;
      if (object === 'program' || object === 'link') found.push(`${object} ${id} is still there`);
      else found.push(...this.#lingersTooLong(`${object} ${id}`, cell));
    }
    return found;
  }

  #lingersTooLong(name: string, cell: string): string[] {
    const first = this.#lingering.get(name) ?? { since: this.#now(), cell };
    this.#lingering.set(name, first);
    return this.#now() - first.since > GRACE_MS ? [`${name} is still there, since ${first.cell}`] : [];
  }
}

/** The lowest id above `after`; null if there is none, or if this kernel cannot tell (links have ids from 5.8 on). */
async function nextId(agent: AgentConnection, object: BpfObject, after: number): Promise<number | null> {
  const attr = new AttrWriter().u32(after).u32(0).u32(0).finish({ whole: true });
  const { errno } = await bpf(agent, COMMANDS[object], attr);
  if (errno === 0) return new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(4, true);
  const name = errnoName(errno);
  if (name === 'ENOENT' || name === 'EINVAL' || name === 'EPERM') return null;
  throw new ExplainedError('leftovers-unknown', `the kernel does not list its ${object}s`, { why: name });
}

async function readTaint(agent: AgentConnection): Promise<string> {
  return (await readText(agent, '/proc/sys/kernel/tainted')) ?? 'unknown';
}

/** A kernel without modules has no such file. */
async function readModules(agent: AgentConnection): Promise<string> {
  const lines = ((await readText(agent, '/proc/modules')) ?? '').split('\n');
  return lines.map((line) => line.split(' ')[0]).join(' ');
}
