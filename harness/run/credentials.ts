import type { AgentConnection, SyscallBuffer } from '../../loader/agent/connection.ts';
import { describeErrno } from '../../loader/agent/errno.ts';
import { type SyscallName, syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { CAPABILITIES, type CapabilityChange } from '../config/capabilities.ts';
import { readText } from './facts.ts';
import { SettingError } from './setting-error.ts';

/** As whom the agent is to act; undefined changes nothing. */
export interface Credentials {
  readonly capabilities?: CapabilityChange | undefined;
  /** Effective user id. */
  readonly user?: number | undefined;
}

/** _LINUX_CAPABILITY_VERSION_3, include/uapi/linux/capability.h: two records of 32 bits each follow. */
const VERSION_3 = 0x2008_0522;
/** include/uapi/linux/prctl.h and securebits.h: a change of the user id leaves capabilities as they are. */
const [PR_SET_SECUREBITS, NO_SETUID_FIXUP] = [28, 1 << 2];
/** setresuid(2): this id stays. */
const UNCHANGED = 0xffff_ffff;

/**
 * Makes the agent, which makes all system calls, another user with fewer capabilities. They go from its effective set alone, which is what the kernel
 * asks (capable(), bpf_capable(), kallsyms_show_value()); as the permitted set and the saved user id stay, all of it can be put back.
 * @returns a function that puts them back, which throws ExplainedError `settings-not-restored`
 * @throws SettingError for a capability that the kernel does not know; AgentError
 */
export async function applyCredentials(agent: AgentConnection, wanted: Credentials): Promise<() => Promise<void>> {
  const { capabilities, user } = wanted;
  if (capabilities === undefined && user === undefined) return async () => undefined;
  const call = (name: SyscallName, ...args: (number | SyscallBuffer)[]) => makeCall(agent, name, args);
  const before = await readSets(agent);
  const effective = capabilities === undefined ? before.effective : await reduce(agent, before.effective, capabilities);
  const restore = async (): Promise<void> => {
    await call('capset', header(), sets(before));
    if (user === undefined) return;
    await call('setresuid', UNCHANGED, 0, UNCHANGED);
    await call('prctl', PR_SET_SECUREBITS, 0);
  };
  try {
    if (user !== undefined) {
      await call('prctl', PR_SET_SECUREBITS, NO_SETUID_FIXUP);
      await call('setresuid', UNCHANGED, user, UNCHANGED);
    }
    await call('capset', header(), sets({ ...before, effective }));
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
}

/**
 * The capabilities that a process has which the agent starts, after a change: a bit for each, by number.
 * @throws SettingError for a capability that the kernel does not know; AgentError
 */
export async function capabilitiesAfter(agent: AgentConnection, change: CapabilityChange | undefined): Promise<bigint> {
  const { effective } = await readSets(agent);
  return change === undefined ? effective : reduce(agent, effective, change);
}

interface Sets {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
}

async function readSets(agent: AgentConnection): Promise<Sets> {
  const data: SyscallBuffer = { bytes: new Uint8Array(24), direction: 'out' };
  await makeCall(agent, 'capget', [header(), data]);
  const view = new DataView(data.bytes.buffer);
  const set = (index: number): bigint =>
    (BigInt(view.getUint32(12 + 4 * index, true)) << 32n) | BigInt(view.getUint32(4 * index, true));
  return { effective: set(0), permitted: set(1), inheritable: set(2) };
}

/** struct __user_cap_data_struct: the low halves of the three sets, then the high ones. */
function sets({ effective, permitted, inheritable }: Sets): SyscallBuffer {
  const view = new DataView(new ArrayBuffer(24));
  [effective, permitted, inheritable].forEach((set, index) => {
    view.setUint32(4 * index, Number(set & 0xffff_ffffn), true);
    view.setUint32(12 + 4 * index, Number(set >> 32n), true);
  });
  return { bytes: new Uint8Array(view.buffer), direction: 'in' };
}

/** struct __user_cap_header_struct: the version, and 0 for the process itself. */
function header(): SyscallBuffer {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, VERSION_3, true);
  return { bytes, direction: 'in' };
}

async function reduce(agent: AgentConnection, effective: bigint, change: CapabilityChange): Promise<bigint> {
  const names = 'drop' in change ? change.drop : change.only;
  const last = Number((await readText(agent, '/proc/sys/kernel/cap_last_cap')) ?? CAPABILITIES.length - 1);
  let mask = 0n;
  for (const name of names) {
    const number = CAPABILITIES.indexOf(name);
    if (number > last) {
      const why = `its last capability is ${CAPABILITIES[last] ?? last}`;
      throw new SettingError(`the kernel has no ${name}`, { where: '/proc/sys/kernel/cap_last_cap', why });
    }
    mask |= 1n << BigInt(number);
  }
  return 'drop' in change ? effective & ~mask : effective & mask;
}

async function makeCall(agent: AgentConnection, name: SyscallName, args: (number | SyscallBuffer)[]): Promise<void> {
  const { errno } = await agent.syscall({ number: syscallNumber(agent.hello.machine, name), args });
  if (errno === 0) return;
  throw new ExplainedError('credentials-failed', "the agent's credentials cannot be changed", {
    where: name,
    why: describeErrno(errno),
  });
}
