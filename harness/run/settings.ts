import type { AgentConnection } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import type { Variant } from '../config/load.ts';
import { applyCredentials } from './credentials.ts';
import { readText, sysctlPath } from './facts.ts';
import { SettingError } from './setting-error.ts';

const O_WRONLY = 1;
const AT_FDCWD = -100;

/** The parts of a variant that are changed in a machine that runs. */
export type Settings = Pick<Variant, 'sysctl' | 'capabilities' | 'user'>;

/**
 * Sets a machine as a variant asks: its sysctls, and then as whom the agent acts, which may not be allowed to set sysctls any more.
 * @returns a function that puts everything back; it throws ExplainedError if that is not possible, and the machine is spoilt then
 * @throws SettingError if the kernel cannot be set so; AgentError. What was changed by then has been put back.
 */
export async function applySettings(agent: AgentConnection, settings: Settings): Promise<() => Promise<void>> {
  const before: [string, string][] = [];
  let restoreCredentials = async (): Promise<void> => undefined;
  const restore = async (): Promise<void> => {
    await restoreCredentials();
    for (const [name, value] of before.reverse()) await setSysctl(agent, name, value);
  };
  try {
    for (const [name, value] of Object.entries(settings.sysctl)) {
      const old = await readText(agent, sysctlPath(name));
      if (old === undefined) throw new SettingError(`the kernel has no sysctl ${name}`);
      await setSysctl(agent, name, value);
      before.push([name, old]);
    }
    restoreCredentials = await applyCredentials(agent, settings);
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
}

async function setSysctl(agent: AgentConnection, name: string, value: string): Promise<void> {
  const path = { bytes: new TextEncoder().encode(`${sysctlPath(name)}\0`), direction: 'in' } as const;
  const opened = await agent.syscall({
    number: syscallNumber(agent.hello.machine, 'openat'),
    args: [AT_FDCWD, path, O_WRONLY],
  });
  if (opened.errno !== 0) throw refused(name, value, opened.errno);
  const content = { bytes: new TextEncoder().encode(value), direction: 'in' } as const;
  const written = await agent.syscall({
    number: syscallNumber(agent.hello.machine, 'write'),
    args: [opened.value, content, content.bytes.length],
  });
  await agent.syscall({ number: syscallNumber(agent.hello.machine, 'close'), args: [opened.value] });
  if (written.errno !== 0) throw refused(name, value, written.errno);
}

function refused(name: string, value: string, errno: number): SettingError {
  return new SettingError(`the kernel does not let sysctl ${name} be set to ${value}`, { why: errnoName(errno) });
}
