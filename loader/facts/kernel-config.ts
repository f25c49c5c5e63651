import { gunzipSync } from 'node:zlib';
import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection } from '../agent/connection.ts';
import { FormatError } from '../errors.ts';
import { KernelConfig } from '../resolve/kernel-config.ts';

/**
 * Where a kernel's configuration may be: in the kernel itself (CONFIG_IKCONFIG_PROC), which is sure to be the running one's, or where
 * distributions put it. libbpf knows the first two.
 */
export function kernelConfigPaths(release: string): string[] {
  return [
    '/proc/config.gz',
    `/boot/config-${release}`,
    `/usr/lib/modules/${release}/config`,
    `/lib/modules/${release}/config`,
    `/usr/lib/modules/${release}/build/.config`,
  ];
}

/** The configuration of the agent's kernel; null if it is at none of {@link kernelConfigPaths}. Throws AgentError, and FormatError for damaged gzip. */
export async function readKernelConfig(agent: AgentConnection): Promise<KernelConfig | null> {
  for (const path of kernelConfigPaths(agent.hello.release)) {
    const bytes = await readIfThere(agent, path);
    if (bytes !== null) return KernelConfig.parse(new TextDecoder().decode(unpack(bytes, path)), path);
  }
  return null;
}

/** A file's bytes; null if it cannot be opened. Throws AgentError. */
export async function readIfThere(agent: AgentConnection, path: string): Promise<Uint8Array | null> {
  try {
    return await agent.readFile(path);
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return null;
    throw error;
  }
}

function unpack(bytes: Uint8Array, path: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new FormatError('kernel-config-damaged', 'not a gzip file', { section: path, offset: 0 }, { cause });
  }
}
