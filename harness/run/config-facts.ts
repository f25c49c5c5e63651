import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { KernelConfig } from '../../loader/resolve/kernel-config.ts';
import { KERNEL_OPTIONS } from '../config/fact-registry.ts';
import type { FactValues } from './facts.ts';

/**
 * A kernel's configuration on the host, for `__kconfig` externs: kernels in machines have no /boot. Undefined if there is no such file.
 * @throws Node's error if it cannot be read
 */
export async function hostKernelConfig(path: string | null): Promise<KernelConfig | undefined> {
  return path === null ? undefined : KernelConfig.parse(await readFile(path, 'utf8'), path);
}

/**
 * Facts from a kernel's configuration on the host; none if there is no such file.
 * @throws Node's error if it cannot be read
 */
export async function configFacts(path: string | null): Promise<FactValues> {
  return path === null ? {} : parseConfig(await readFile(path, 'utf8'));
}

/**
 * Facts from the configuration that a kernel holds itself (CONFIG_IKCONFIG_PROC), for kernels that come without a file of it; none if it
 * has none, as Debian's.
 * @throws AgentError if the machine does not answer; Node's error if what it serves is no gzip
 */
export async function guestConfigFacts(agent: AgentConnection): Promise<FactValues> {
  let packed: Uint8Array;
  try {
    packed = await agent.readFile('/proc/config.gz');
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return {};
    throw error;
  }
  return parseConfig(gunzipSync(packed).toString('utf8'));
}

function parseConfig(text: string): FactValues {
  const set = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^CONFIG_(\w+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) set.set(match[1], match[2].replace(/^"(.*)"$/, '$1'));
  }
  return Object.fromEntries(KERNEL_OPTIONS.map((name) => [`config.${name}`, set.get(name) ?? 'n']));
}
