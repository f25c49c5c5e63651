import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { connectAgent } from './client.ts';
import type { AgentConnection } from './connection.ts';

const CLOSE_GRACE_MS = 2000;
const STDERR_KEPT = 4096;

/** How to start an agent on this machine. */
export interface LocalAgentOptions {
  /** Milliseconds for the hello. */
  readonly timeoutMs?: number;
  /** Milliseconds for each request that sets no deadline of its own. */
  readonly requestTimeoutMs?: number;
  /** Called with the child's process id once it runs. */
  readonly onStart?: (pid: number) => void;
}

/** A child process with all three standard streams. */
export type AgentChild = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts the agent binary at `path` as a child process and greets it over its standard input and output. `close()` ends the child
 * and waits until it is gone; one that does not go within two seconds is killed. Throws AgentError as {@link connectAgent} does.
 */
export async function startLocalAgent(path: string, options: LocalAgentOptions = {}): Promise<AgentConnection> {
  const child = spawn(path, [], { stdio: ['pipe', 'pipe', 'pipe'] });
  return greetChild(child, path, options, async () => undefined);
}

/**
 * Greets an agent that speaks through a child process, after `prepare` has done what comes before the first frame. The child ends with the connection,
 * and if this fails. Throws what `prepare` throws, and AgentError as {@link connectAgent} does.
 */
export async function greetChild(
  child: AgentChild,
  name: string,
  options: LocalAgentOptions,
  prepare: (child: AgentChild, diagnose: () => string) => Promise<void>,
): Promise<AgentConnection> {
  let stderr = '';
  let problem: string | undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-STDERR_KEPT);
  });
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      problem = error.message;
      resolve();
    });
    child.once('exit', (code, signal) => {
      problem = signal === null ? `it exited with status ${code}` : `it was ended by ${signal}`;
      resolve();
    });
  });
  const diagnose = (): string =>
    [problem, stderr.trim()].filter((part) => part !== undefined && part !== '').join(': ');
  const end = async (): Promise<void> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_GRACE_MS);
    await gone;
    clearTimeout(timer);
  };
  if (child.pid !== undefined) options.onStart?.(child.pid);
  try {
    await prepare(child, diagnose);
    const stream = { readable: child.stdout, writable: child.stdin };
    return await connectAgent(stream, { ...options, name, diagnose, onClose: end });
  } catch (error) {
    child.kill('SIGKILL');
    // What the child may have started keeps running for as long as somebody seems to read.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    await gone;
    throw error;
  }
}
