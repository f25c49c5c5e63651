import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildAgent } from './build.ts';

/** The agent's binary for this machine, built into the user's cache folder if need be. Throws ExplainedError `agent-…`. */
export async function findAgent(): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return buildAgent({ outputDirectory: join(cache, 'ksym-matrix', 'agent') });
}
