import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { ExplainedError, FormatError } from '../errors.ts';

const counts = new WeakMap<AgentConnection, Promise<number>>();

/** How many CPUs may ever be there: per-CPU map values have one slot for each (`num_possible_cpus`). Read once per connection. */
export function possibleCpus(agent: AgentConnection): Promise<number> {
  const known = counts.get(agent) ?? readPossibleCpus(agent);
  counts.set(agent, known);
  return known;
}

/** The number after the last one in a list such as `0-3` or `0,2-7`. Throws FormatError `cpu-list`. */
export function cpuListEnd(list: string): number {
  const last = /(?:^|[,-])(\d+)\s*$/.exec(list)?.[1];
  if (last === undefined) {
    throw new FormatError('cpu-list', 'not a list of CPUs', { section: '/sys/devices/system/cpu/possible', offset: 0 });
  }
  return Number(last) + 1;
}

/** No kernel is built for more CPUs than 8,192 (NR_CPUS, arch/x86/Kconfig). */
const LAST_CPU = 8191;

/** Binds the agent to a CPU, so that test runs happen there until it is bound to another. Throws ExplainedError `cpu-not-available`. */
export async function runOnCpu(agent: AgentConnection, cpu: number): Promise<void> {
  if (!Number.isInteger(cpu) || cpu < 0 || cpu > LAST_CPU) {
    throw new ExplainedError('cpu-not-available', `there is no CPU ${cpu}`, { why: 'CPUs are numbered from 0' });
  }
  const bytes = new Uint8Array(Math.ceil((cpu + 1) / 64) * 8);
  bytes[cpu >> 3] = 1 << (cpu & 7);
  const number = syscallNumber(agent.hello.machine, 'sched_setaffinity');
  const { errno } = await agent.syscall({ number, args: [0, bytes.length, { bytes, direction: 'in' }] });
  if (errno !== 0) {
    throw new ExplainedError('cpu-not-available', `cannot run on CPU ${cpu}`, {
      why: `${describeErrno(errno)}: online are ${(await onlineCpus(agent)).join(', ')}`,
    });
  }
}

/** The numbers of the CPUs that are online. Throws FormatError `cpu-list`, AgentError. */
export async function onlineCpus(agent: AgentConnection): Promise<number[]> {
  return cpuNumbers(new TextDecoder().decode(await agent.readFile('/sys/devices/system/cpu/online')));
}

/** The CPUs in a list such as `0-3` or `0,2-7`. Throws FormatError `cpu-list`. */
export function cpuNumbers(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = '', last = first] = range.split('-');
      const count = cpuListEnd(last) - Number(first);
      return Array.from({ length: count }, (_, index) => Number(first) + index);
    });
}

async function readPossibleCpus(agent: AgentConnection): Promise<number> {
  return cpuNumbers(new TextDecoder().decode(await agent.readFile('/sys/devices/system/cpu/possible'))).length;
}
