import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExplainedError } from '../errors.ts';
import { buildFreestanding } from '../freestanding-build.ts';

/** Machines as `uname -m` names them, and what clang calls them. */
const TARGETS = { x86_64: 'x86_64-linux-gnu', aarch64: 'aarch64-linux-gnu' } as const;

/** A machine that the agent can be built for, as `uname -m` names it. */
export type AgentArchitecture = keyof typeof TARGETS;

/** All of them. */
export const AGENT_ARCHITECTURES = Object.keys(TARGETS) as readonly AgentArchitecture[];

/** How to build the agent. */
export interface BuildAgentOptions {
  /** Where the binary goes; made if missing. */
  readonly outputDirectory: string;
  /** The compiler; `clang` from PATH if absent. */
  readonly clang?: string;
  /** `x86_64` if absent. */
  readonly architecture?: AgentArchitecture;
  /** Ends the compiler. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compiles the agent with clang and lld, without a libc or sysroot, and returns the binary's path. Its name holds a digest of sources,
 * flags and compiler version, so an unchanged agent is not built again unless its file was damaged, and builds at the same time do not disturb each other.
 * Throws ExplainedError `agent-compiler-missing`, `agent-build-failed` or `interrupted`.
 */
export async function buildAgent(options: BuildAgentOptions): Promise<string> {
  const { architecture = 'x86_64' } = options;
  return buildFreestanding({
    ...options,
    subject: 'agent',
    binaryName: `ksym-agent-${architecture}`,
    sources: agentSourceDirectory(),
    target: TARGETS[architecture],
  });
}

/**
 * The folder that holds the agent's C sources. Compiled JavaScript lies in a build folder and the C files do not, so it is looked for
 * from the package's root. Throws ExplainedError `agent-sources-missing`.
 */
export function agentSourceDirectory(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const sources = join(folder, 'loader', 'agent');
    if (existsSync(join(folder, 'package.json')) && existsSync(join(sources, 'agent.c'))) return sources;
  }
  throw new ExplainedError('agent-sources-missing', "the agent's C sources are not in this package", {
    fix: 'install the package again: loader/agent/*.c belongs to it',
  });
}
