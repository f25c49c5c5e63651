import { spawn } from 'node:child_process';
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

/**
 * Starts the agent binary at `path` as a child process and greets it over its standard input and output. `close()` ends the child
 * and waits until it is gone; one that does not go within two seconds is killed. Throws AgentError as {@link connectAgent} does.
 */
export async function startLocalAgent(path: string, options: LocalAgentOptions = {}): Promise<AgentConnection> {
  const child = spawn(path, [], { stdio: ['pipe', 'pipe', 'pipe'] });
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
  const end = async (): Promise<void> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_GRACE_MS);
    await gone;
    clearTimeout(timer);
  };
  if (child.pid !== undefined) options.onStart?.(child.pid);
  try {
    return await connectAgent(
      { readable: child.stdout, writable: child.stdin },
      {
        ...options,
        name: path,
        diagnose: () => [problem, stderr.trim()].filter((part) => part !== undefined && part !== '').join(': '),
        onClose: end,
      },
    );
  } catch (error) {
    child.kill('SIGKILL');
    await gone;
    throw error;
  }
}
