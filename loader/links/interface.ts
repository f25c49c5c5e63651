import { errnoName } from '../agent/errno.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { closeAll } from '../syscall/bpf.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import { didYouMean } from './near-names.ts';
import { readIfThere } from './tracefs.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SIOCGIFINDEX = 0x8933;
/** `struct ifreq`: 16 bytes of name, then the answer. */
const IFREQ_SIZE = 40;
const LONGEST_NAME = 15;

/**
 * The number of a network interface of the agent's network namespace; a number is taken as it is.
 * Throws ExplainedError `attach-target-missing`, `attach-no-such-interface`; AgentError.
 */
export async function interfaceIndex(program: AttachableProgram, wanted: string | number | undefined): Promise<number> {
  if (typeof wanted === 'number') {
    if (Number.isInteger(wanted) && wanted > 0 && wanted < 2 ** 31) return wanted;
    throw attachError(program, 'attach-no-such-interface', `${wanted} is no network interface's number`, {
      fix: 'name it, or take a number of `ip link`: they begin with 1',
    });
  }
  if (wanted === undefined) {
    throw attachError(program, 'attach-target-missing', 'it is not said which network interface to attach to', {
      fix: 'name it: attach({ interface: "eth0" })',
    });
  }
  const { agent } = program;
  const { machine } = agent.hello;
  const request = new Uint8Array(IFREQ_SIZE);
  const name = new TextEncoder().encode(wanted);
  // What the beginning of a longer name means would be another interface.
  if (name.length > LONGEST_NAME) {
    const why = `names of interfaces take at most ${LONGEST_NAME} bytes, and this one ${name.length}`;
    throw attachError(program, 'attach-no-such-interface', `there is no network interface "${wanted}"`, { why });
  }
  request.set(name);
  const socket = await agent.syscall({
    number: syscallNumber(machine, 'socket'),
    args: [AF_INET, SOCK_DGRAM_CLOEXEC, 0],
  });
  if (socket.errno !== 0) throw attachError(program, 'attach-no-such-interface', 'no socket', { errno: socket.errno });
  const answer = await agent.syscall({
    number: syscallNumber(machine, 'ioctl'),
    args: [socket.value, SIOCGIFINDEX, { bytes: request, direction: 'inout' }],
  });
  await closeAll(agent, [socket.value]);
  if (answer.errno === 0) return new DataView(request.buffer).getInt32(16, true);
  if (errnoName(answer.errno) !== 'ENODEV') {
    throw attachError(program, 'attach-no-such-interface', `no interface ${wanted}`, { errno: answer.errno });
  }
  const table = (await readIfThere(agent, '/proc/net/dev')) ?? '';
  const names = [...table.matchAll(/^\s*([^\s:]+):/gm)].map((match) => match[1] ?? '');
  const fix = didYouMean(wanted, names);
  throw attachError(program, 'attach-no-such-interface', `there is no network interface "${wanted}"`, {
    why: names.length === 0 ? 'the agent’s network namespace has none' : `there is ${names.join(', ')}`,
    ...(fix === undefined ? {} : { fix }),
  });
}
