// npm pack and npm publish run this before and after (package.json): a package has everything compiled, and the agent's binaries, so that who
// installs it needs neither TypeScript nor clang. A checkout builds its own agent, so the binaries go again afterwards.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

if (process.argv[2] === '--clean') {
  for (const name of ['agent', 'agent-cache']) rmSync(join(ROOT, 'build', name), { recursive: true, force: true });
} else {
  // Compiles if anything has changed. npm pack --json has its result on stdout.
  const args = [join(ROOT, 'harness', 'launch.mjs'), '--version'];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
  const { buildPackagedAgents } = await import(new URL('../build/loader/agent/find.js', import.meta.url).href);
  for (const path of await buildPackagedAgents(ROOT)) process.stderr.write(`built ${path}\n`);
}
