import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExplainedError } from '../errors.ts';
import { AGENT_ARCHITECTURES, type AgentArchitecture, buildAgent } from './build.ts';

/** Where a package that was published has its agents, from its root. A checkout has none there and builds its own. */
const PACKAGED = join('build', 'agent');

/**
 * The agent's binary for a machine as `uname -m` names it: the one that came with the package or, in a checkout, one built with clang and lld into
 * the user's cache folder. Throws ExplainedError `agent-architecture` for a machine there is none for, else as {@link buildAgent}.
 */
export async function findAgent(machine: string): Promise<string> {
  const architecture = AGENT_ARCHITECTURES.find((one) => one === machine);
  if (architecture === undefined) {
    throw new ExplainedError('agent-architecture', `there is no agent for ${machine}`, {
      why: `it is built for ${AGENT_ARCHITECTURES.join(' and ')}`,
    });
  }
  const packaged = packagedAgent(architecture);
  if (packaged !== undefined) return packaged;
  const given = process.env.XDG_CACHE_HOME;
  const cache = given !== undefined && isAbsolute(given) ? given : join(homedir(), '.cache');
  return buildAgent({ outputDirectory: join(cache, 'ksym-matrix', 'agent'), architecture });
}

/** Builds the agents that a published package brings along, all architectures, into `root`. Throws as {@link buildAgent}. */
export async function buildPackagedAgents(root: string): Promise<string[]> {
  const folder = join(root, PACKAGED);
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const architecture of AGENT_ARCHITECTURES) {
    const built = await buildAgent({ outputDirectory: join(root, 'build', 'agent-cache'), architecture });
    const path = join(folder, fileName(architecture));
    await copyFile(built, path);
    await chmod(path, 0o755);
    paths.push(path);
  }
  return paths;
}

function packagedAgent(architecture: AgentArchitecture): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    if (!existsSync(join(folder, 'package.json'))) continue;
    const path = join(folder, PACKAGED, fileName(architecture));
    return existsSync(path) ? path : undefined;
  }
  return undefined;
}

function fileName(architecture: AgentArchitecture): string {
  return `ksym-agent-${architecture}`;
}
