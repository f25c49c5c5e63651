import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ExplainedError } from '../errors.ts';
import { AgentError } from './agent-error.ts';
import { type AgentChild, greetChild, type LocalAgentOptions } from './child.ts';
import type { AgentConnection } from './connection.ts';
import { findAgent } from './find.ts';
import { syscallNumber } from './syscall-numbers.ts';

/** How to reach an agent over ssh. */
export interface SshOptions extends LocalAgentOptions {
  /** Arguments for ssh before the destination, such as `['-p', '2222', '-i', 'key']`. What ~/.ssh/config says holds as well. */
  readonly arguments?: readonly string[];
  /** Run the agent through `sudo -n`: for users who are not root and may become so without a password. */
  readonly sudo?: boolean;
  /** Folder for the agent's binary on the other machine, from which programs can be run; `/tmp` if absent. */
  readonly folder?: string;
  /** The ssh program; `ssh` from PATH if absent. */
  readonly program?: string;
  /** The agent's binary for a machine as `uname -m` names it; what {@link findAgent} finds if absent. */
  readonly findAgent?: (machine: string) => Promise<string>;
}

/** Milliseconds for connecting, which may ask a person for a password, and for what comes before the first frame. */
const CONNECT_TIMEOUT_MS = 120_000;
const LONGEST_MACHINE_NAME = 256;
const AT_FDCWD = -100;

/**
 * Starts an agent on another machine through the ssh program, and speaks to it over that one connection. The binary is sent along, put into a file of its
 * own that is removed as soon as it runs, and ends with the connection; nothing is left there, and nothing but a shell is needed.
 * Throws ExplainedError `ssh-destination`, `agent-architecture`, AgentError (`agent-lost` with what ssh said, `agent-timeout`).
 */
export async function startSshAgent(destination: string, options: SshOptions = {}): Promise<AgentConnection> {
  const { folder = '/tmp', program = 'ssh', timeoutMs = CONNECT_TIMEOUT_MS } = options;
  if (destination === '' || destination.startsWith('-')) {
    throw new ExplainedError('ssh-destination', `"${destination}" is no destination for ssh`, {
      fix: 'give [USER@]HOST, and options in `arguments`',
    });
  }
  const path = `${folder}/ksym-agent-${randomUUID()}`;
  const argv = ['-T', ...(options.arguments ?? []), '--', destination, bootstrap(path, options.sudo === true)];
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  const agent = await greetChild(child, `ssh ${destination}`, options, async (started, diagnose) => {
    const machine = await readMachine(started, destination, diagnose, timeoutMs);
    const binary = await readFile(await (options.findAgent ?? findAgent)(machine));
    started.stdin.write(`${binary.length}\n`);
    started.stdin.write(binary);
  });
  await removeBinary(agent, path);
  return agent;
}

/**
 * What the other machine's shell does: says what machine it is, takes the agent's length and bytes, and runs it. `read` and `dd bs=1` take no byte too much
 * of what follows (`head -c` of BusyBox does). The shell waits and removes the file, for the case that the agent never comes to it.
 */
function bootstrap(path: string, sudo: boolean): string {
  const file = quote(path);
  return [
    'set -e',
    'umask 077',
    `trap 'rm -f ${file.replaceAll("'", "'\\''")}' EXIT`,
    'uname -m',
    'read length',
    `dd bs=1 count="$length" > ${file} 2> /dev/null`,
    `chmod 700 ${file}`,
    `${sudo ? 'sudo -n ' : ''}${file}`,
  ].join('; ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The first line that the other side sends; what a login script may print before it is not a machine's name and is refused as such later. */
async function readMachine(
  child: AgentChild,
  destination: string,
  diagnose: () => string,
  timeoutMs: number,
): Promise<string> {
  const where = `ssh ${destination}`;
  const lost = (why: string) => new AgentError('agent-lost', 'the other machine cannot be reached', { where, why });
  const abort = new AbortController();
  const line = new Promise<string>((resolve, reject) => {
    let text = '';
    // Errors of the input are told by how the child ends.
    child.stdin.on('error', () => undefined);
    child.once('error', () => reject(lost(diagnose())));
    child.once('close', () => reject(lost(diagnose())));
    const onReadable = (): void => {
      for (let byte = child.stdout.read(1); byte !== null; byte = child.stdout.read(1)) {
        text += String(byte);
        if (text.endsWith('\n')) {
          child.stdout.off('readable', onReadable);
          resolve(text.trim());
          return;
        }
        if (text.length > LONGEST_MACHINE_NAME) {
          child.stdout.off('readable', onReadable);
          reject(lost(`it answers "${text.slice(0, 60)}…"`));
          return;
        }
      }
    };
    child.stdout.on('readable', onReadable);
  });
  const timeout = delay(timeoutMs, undefined, { signal: abort.signal }).then(() => {
    throw new AgentError('agent-timeout', 'the other machine does not answer', { where, why: diagnose() });
  });
  try {
    return await Promise.race([line, timeout]);
  } finally {
    abort.abort();
    timeout.catch(() => undefined);
    line.catch(() => undefined);
  }
}

/** The running agent needs its file no more. */
async function removeBinary(agent: AgentConnection, path: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${path}\0`);
  const number = syscallNumber(agent.hello.machine, 'unlinkat');
  await agent.syscall({ number, args: [AT_FDCWD, { bytes, direction: 'in' }, 0] });
}
