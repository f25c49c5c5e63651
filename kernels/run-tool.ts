import { ExplainedError } from '../loader/errors.ts';
import { runGuarded } from '../loader/guarded-process.ts';
import { diskFull } from './free-space.ts';

/** How a tool of the system is run. */
export interface ToolOptions {
  /** Debian package that has the tool, for the message if it is not installed. */
  readonly package: string;
  readonly cwd?: string;
  /** Added to this process's environment; `LC_ALL=C` is always set. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the tool. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the tool is ended. Default: none. */
  readonly timeoutMs?: number;
}

/** How a tool ended. */
export interface ToolResult {
  /** Null if a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Where tools are looked for: folders such as /usr/sbin too, which an ordinary user's PATH lacks on Debian. */
export function toolPath(): string {
  return `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;
}

/**
 * Runs a tool of the system without a shell and collects what it prints, in the folders of {@link toolPath}. The tool and what it starts
 * do not outlive this process.
 *
 * @throws ExplainedError `tool-missing` if it is not installed, `interrupted` if `signal` ended it, `tool-timeout`
 */
export async function runTool(command: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  const { cwd, env, signal, timeoutMs } = options;
  const { end, ...result } = await runGuarded(command, args, {
    env: { ...process.env, ...env, LC_ALL: 'C', PATH: toolPath() },
    signal,
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  if (end === 'missing') throw toolMissing(command, options.package);
  if (end === 'aborted') throw new ExplainedError('interrupted', `${command} was interrupted`);
  if (end === 'timeout') {
    throw new ExplainedError('tool-timeout', `${command} did not end within ${(timeoutMs ?? 0) / 1000} s`, {
      why: result.stderr.trim(),
    });
  }
  return result;
}

/** The error for a tool that is not installed, with the package that has it. */
export function toolMissing(command: string, owner: string): ExplainedError {
  return new ExplainedError('tool-missing', `${command} is not installed`, { fix: `sudo apt-get install ${owner}` });
}

/** The error for a tool that failed, with what it said last; `disk-full` if that was it. */
export function toolFailed(result: ToolResult, code: string, message: string, where: string): ExplainedError {
  // Go says it without a capital.
  if (/No space left on device|Disk quota exceeded/i.test(result.stderr)) return diskFull(where);
  const said = result.stderr.trim().split('\n').slice(-5).join('\n    ');
  return new ExplainedError(code, message, { where, why: said || `it ended with ${result.exitCode}` });
}
