import type { AgentConnection } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readText, sysctlPath } from './facts.ts';

const O_WRONLY = 1;
const AT_FDCWD = -100;

/**
 * Sets sysctls in the guest.
 * @returns a function that puts the old values back
 * @throws ExplainedError `sysctl-failed`
 */
export async function applySettings(
  agent: AgentConnection,
  sysctl: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const before: [string, string][] = [];
  const restore = async (): Promise<void> => {
    for (const [name, value] of before.reverse()) await setSysctl(agent, name, value);
  };
  try {
    for (const [name, value] of Object.entries(sysctl)) {
      const old = await readText(agent, sysctlPath(name));
      if (old === undefined) {
        throw new ExplainedError('sysctl-failed', `the kernel has no sysctl ${name}`, {
          fix: 'check how it is spelt in the variant in matrix.yaml',
        });
      }
      await setSysctl(agent, name, value);
      before.push([name, old]);
    }
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
  if (opened.errno !== 0) throw failed(name, value, opened.errno);
  const content = { bytes: new TextEncoder().encode(value), direction: 'in' } as const;
  const written = await agent.syscall({
    number: syscallNumber(agent.hello.machine, 'write'),
    args: [opened.value, content, content.bytes.length],
  });
  await agent.syscall({ number: syscallNumber(agent.hello.machine, 'close'), args: [opened.value] });
  if (written.errno !== 0) throw failed(name, value, written.errno);
}

function failed(name: string, value: string, errno: number): ExplainedError {
  return new ExplainedError('sysctl-failed', `sysctl ${name} cannot be set to ${value}`, { why: errnoName(errno) });
}
