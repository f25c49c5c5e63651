import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExplainedError } from '../../loader/errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { RunResults } from '../results/results.ts';
import { startGroupProcess } from '../vm/process.ts';
import type { BenchHost } from './bench-host.ts';
import { type Peaks, ProcessSampler } from './process-sampler.ts';

/** How a command of ksym-matrix went. */
export interface CommandRun {
  /** From its start to its end, in milliseconds. */
  readonly milliseconds: number;
  readonly exitCode: number | undefined;
  readonly peaks: Peaks;
  readonly stderr: string;
}

/** How a command is run. */
export interface CommandOptions {
  readonly host: BenchHost;
  /** The cache that it works with. */
  readonly cache: string;
  /** Milliseconds between two looks at its memory. Default: 250. */
  readonly interval?: number;
}

/**
 * Runs ksym-matrix as a user does, in a process of its own, and watches its memory.
 * @throws ExplainedError `interrupted`
 */
export async function runCommand(args: readonly string[], options: CommandOptions): Promise<CommandRun> {
  const { host, cache, interval = 250 } = options;
  const started = performance.now();
  const group = startGroupProcess('env', [`KSYM_MATRIX_CACHE=${cache}`, process.execPath, ...commandLine(), ...args]);
  group.child.stdout.resume();
  const sampler = new ProcessSampler(group.pid, interval);
  const stop = (): void => group.signal('SIGTERM');
  host.signal.addEventListener('abort', stop);
  if (host.signal.aborted) stop();
  const { exitCode, stderr } = await group.exited;
  const milliseconds = performance.now() - started;
  host.signal.removeEventListener('abort', stop);
  const peaks = sampler.stop();
  if (host.signal.aborted) throw new ExplainedError('interrupted', 'the benches were interrupted');
  return { milliseconds, exitCode, peaks, stderr };
}

/** A run of a matrix, with what it found. */
export interface MatrixRun extends CommandRun {
  readonly results: RunResults;
}

/**
 * Runs a matrix. Red cells are no failure of a bench; a machine that broke is.
 * @throws ExplainedError `bench-run-failed`, `interrupted`
 */
export async function runMatrixCommand(
  matrix: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<MatrixRun> {
  const json = join(options.host.folder, 'results.json');
  const { accelerator } = options.host;
  const run = await runCommand(
    ['run', '--matrix', matrix, '--json', json, '--accel', accelerator.name, ...args],
    options,
  );
  if (run.exitCode !== 0 && run.exitCode !== 1) {
    throw new ExplainedError('bench-run-failed', `ksym-matrix ended with ${run.exitCode}`, {
      where: `ksym-matrix run --matrix ${matrix} ${args.join(' ')}`,
      why: run.stderr.split('\n').slice(-5).join('\n'),
    });
  }
  const results = JSON.parse(await readFile(json, 'utf8')) as RunResults;
  return { ...run, results };
}

/** What a user's shell starts; a build in another folder, which launch.mjs does not know, starts itself. */
function commandLine(): readonly string[] {
  const here = fileURLToPath(new URL('.', import.meta.url));
  if (here.startsWith(join(PACKAGE_ROOT, 'build', '/'))) return [join(PACKAGE_ROOT, 'harness', 'launch.mjs')];
  return [join(here, 'start.js')];
}
