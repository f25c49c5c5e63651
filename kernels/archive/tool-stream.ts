import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ExplainedError } from '../../loader/errors.ts';
import { guardedCommand, locateProgram, signalGroup } from '../../loader/guarded-process.ts';
import { toolMissing, toolPath } from '../run-tool.ts';

/** How {@link consumeTool} ended, if it did not end well. */
export interface StreamFailure {
  /** What the reader threw; undefined if the tool failed. */
  readonly cause: unknown;
  /** What the tool printed on standard error, or how it ended. */
  readonly said: string;
}

/**
 * Runs a tool of the system whose output is too large to be kept, and gives that to `consume` as it comes. The tool does not outlive this
 * process, and is ended as soon as `consume` fails.
 *
 * @param owner the Debian package that has the tool
 * @returns null if both ended well
 * @throws ExplainedError `tool-missing`
 */
export async function consumeTool(
  command: string,
  args: readonly string[],
  options: { readonly package: string; readonly signal?: AbortSignal | undefined },
  consume: (output: Readable) => Promise<void>,
): Promise<StreamFailure | null> {
  const { signal } = options;
  const program = locateProgram(command, toolPath());
  if (program === undefined) throw toolMissing(command, options.package);
  const child = spawn(...guardedCommand(program, args), {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LC_ALL: 'C' },
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  const interrupt = (): void =>
    void child.stdout.destroy(new ExplainedError('interrupted', 'unpacking was interrupted'));
  signal?.addEventListener('abort', interrupt, { once: true });
  if (signal?.aborted === true) interrupt();
  let cause: unknown;
  try {
    await consume(child.stdout);
    // A writer that is cut off must not look like one that broke.
    for await (const rest of child.stdout) void rest;
  } catch (error) {
    cause = error;
    // With output still unread its end would never be told.
    child.stdout.destroy();
    signalGroup(child, 'SIGKILL');
  }
  const code = await ended;
  signal?.removeEventListener('abort', interrupt);
  if (cause === undefined && code === 0) return null;
  const own = cause instanceof Error ? cause.message : `${command} ended with ${code}`;
  return { cause, said: errors.trim() || own };
}
