import { execa } from 'execa';
import { ExplainedError } from '../loader/errors.ts';

/** How a tool of the system is run. */
export interface ToolOptions {
  /** Debian package that has the tool, for the message if it is not installed. */
  readonly package: string;
  readonly cwd?: string;
  /** Added to this process's environment; `LC_ALL=C` is always set. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the tool. */
  readonly signal?: AbortSignal;
}

/** How a tool ended. */
export interface ToolResult {
  /** Null if a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * Runs a tool of the system without a shell and collects what it prints. Folders such as /usr/sbin are searched too: an ordinary
 * user's PATH lacks them on Debian.
 *
 * @throws ExplainedError `tool-missing` if it is not installed, `interrupted` if `signal` ended it
 */
export async function runTool(command: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  const result = await execa(command, args, {
    reject: false,
    encoding: 'buffer',
    stdin: 'ignore',
    maxBuffer: 1 << 30,
    stripFinalNewline: false,
    env: {
      ...options.env,
      LC_ALL: 'C',
      PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`,
    },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  if (result.isCanceled) throw new ExplainedError('interrupted', `${command} was interrupted`);
  if (result.exitCode === undefined && result.code === 'ENOENT') {
    throw new ExplainedError('tool-missing', `${command} is not installed`, {
      fix: `sudo apt-get install ${options.package}`,
      cause: result.cause,
    });
  }
  return {
    exitCode: result.exitCode ?? null,
    stdout: Buffer.from(result.stdout),
    stderr: Buffer.from(result.stderr).toString('utf8'),
  };
}
