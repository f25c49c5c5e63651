import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExplainedError } from '../errors.ts';
import { type GuardedOptions, runGuarded } from '../guarded-process.ts';

const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-nostdlib',
  '-static',
  '-fno-pic',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fuse-ld=lld',
  '-Wl,--build-id=none',
];
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
  const { outputDirectory, architecture = 'x86_64', signal } = options;
  const clang = options.clang?.includes('/') === true ? resolve(options.clang) : (options.clang ?? 'clang');
  const sources = agentSourceDirectory();
  const names = (await readdir(sources)).filter((name) => /\.[ch]$/.test(name)).sort();
  const flags = ['-target', TARGETS[architecture], ...FLAGS];
  const digest = createHash('sha256');
  digest.update(`${await compile(clang, ['--version'], { signal })}\0${flags.join(' ')}\0`);
  for (const name of names) digest.update(`${name}\0`).update(await readFile(join(sources, name)));

  const binary = join(outputDirectory, `ksym-agent-${architecture}-${digest.digest('hex').slice(0, 16)}`);
  if (await isWhole(binary)) return binary;
  await mkdir(outputDirectory, { recursive: true });
  const unfinished = `${binary}.${randomUUID()}.tmp`;
  try {
    const files = names.filter((name) => name.endsWith('.c')).map((name) => join(sources, name));
    // lld takes a % in the path of its output for a digit to choose, so it is given the name alone.
    await compile(clang, [...flags, ...files, '-o', basename(unfinished)], { cwd: outputDirectory, signal });
    await writeFile(`${unfinished}.sha256`, await sha256Of(unfinished));
    await rename(`${unfinished}.sha256`, `${binary}.sha256`);
    await rename(unfinished, binary);
  } catch (error) {
    for (const path of [unfinished, `${unfinished}.sha256`]) await rm(path, { force: true });
    throw error;
  }
  return binary;
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

/** Whether the binary is the one that was built: one that was cut off would start, and fail in the guest. */
async function isWhole(binary: string): Promise<boolean> {
  try {
    await access(binary, constants.X_OK);
    return (await sha256Of(binary)) === (await readFile(`${binary}.sha256`, 'utf8'));
  } catch {
    return false;
  }
}

async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** Runs the compiler and gives what it prints. */
async function compile(clang: string, args: readonly string[], options: GuardedOptions): Promise<string> {
  const { end, exitCode, stdout, stderr } = await runGuarded(clang, args, options);
  if (end === 'aborted') throw new ExplainedError('interrupted', 'building the agent was interrupted');
  if (end === 'missing') {
    throw new ExplainedError('agent-compiler-missing', 'the agent cannot be built', {
      where: clang,
      why: 'there is no such compiler',
      fix: 'install clang and lld (Debian, Ubuntu: apt install clang lld)',
    });
  }
  if (exitCode === 0) return stdout.toString('utf8');
  const messages = stderr.trim();
  const noLinker = /invalid linker name|unable to execute command.*ld/.test(messages);
  throw new ExplainedError('agent-build-failed', 'the agent does not compile', {
    where: clang,
    why: messages === '' ? `it ended with ${exitCode ?? 'a signal'}` : messages,
    ...(noLinker ? { fix: 'install lld (Debian, Ubuntu: apt install lld)' } : {}),
  });
}
