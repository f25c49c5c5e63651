import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ExplainedError } from '../../loader/errors.ts';
import { guardedCommand, locateProgram, signalGroup } from '../../loader/guarded-process.ts';
import { toolMissing, toolPath } from '../run-tool.ts';

/** One run of make, or of what runs make. */
export interface MakeRun {
  /** What it does, for messages: "compiling the kernel". */
  readonly task: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** Added to the environment of {@link buildEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Everything that is printed is added to this file. */
  readonly log: string;
  readonly onLine?: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs make, its output going to a file. On an interruption make and its children are ended at once; make removes the files it was
 * in the middle of, so the next run goes on from there.
 * @throws ExplainedError `build-failed` with the compiler's words and the log's path, `tool-missing`, `interrupted`
 */
export async function runMake(run: MakeRun): Promise<void> {
  const [program, ...args] = run.command;
  const env = { ...buildEnvironment(), ...run.env };
  const path = locateProgram(program, env.PATH ?? '');
  if (path === undefined) throw toolMissing(program, 'make');
  const isAborted = (): boolean => run.signal?.aborted === true;
  if (isAborted()) throw interrupted(run);
  const started = performance.now();
  const log = createWriteStream(run.log, { flags: 'a' });
  log.on('error', () => {});
  log.write(`\n### ${run.task}: ${run.command.join(' ')}\n`);
  const child = spawn(...guardedCommand('/bin/sh', ['-c', WAITING, 'sh', run.log, path, ...args]), {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: run.cwd,
    env,
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${line}\n`);
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      run.onLine?.(line);
    });
  }
  let lastResort: NodeJS.Timeout | undefined;
  const stop = (): void => {
    signalGroup(child, 'SIGTERM');
    lastResort = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
  };
  run.signal?.addEventListener('abort', stop, { once: true });
  const exitCode = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  clearTimeout(lastResort);
  run.signal?.removeEventListener('abort', stop);
  const seconds = Math.round((performance.now() - started) / 1000);
  await new Promise<void>((resolve) => log.end(`### ended with ${exitCode} after ${seconds} s\n`, resolve));
  if (isAborted()) throw interrupted(run);
  if (exitCode !== 0) {
    throw new ExplainedError('build-failed', `${run.task} failed`, {
      where: run.cwd,
      why: `\n${complaints(lines).join('\n')}\n`,
      fix: `The whole output is in ${run.log}; what was compiled so far is kept.`,
    });
  }
}

/**
 * What make and the compiler get of this process's environment: nothing that would change what is built, so that the same inputs
 * give the same kernel, and who built it where, and when, is not in it.
 */
export function buildEnvironment(): Record<string, string | undefined> {
  const { HOME, TMPDIR, USER } = process.env;
  return {
    HOME,
    TMPDIR,
    USER,
    PATH: toolPath(),
    LC_ALL: 'C',
    KBUILD_BUILD_USER: 'ksym-matrix',
    KBUILD_BUILD_HOST: 'ksym-matrix',
    KBUILD_BUILD_VERSION: '1',
    KBUILD_BUILD_TIMESTAMP: 'Thu Jan  1 00:00:00 UTC 1970',
  };
}

/** The lines that say what is wrong: with several jobs the error stands some way above the last line. */
function complaints(lines: readonly string[]): readonly string[] {
  const isError = (line: string): boolean => /(?:^|\s)(?:fatal )?error:|^ERROR:|\*\*\*|undefined reference/i.test(line);
  const first = lines.findIndex(isError);
  const last = lines.slice(-SHOWN_LINES);
  if (first === -1 || first >= lines.length - SHOWN_LINES) return last;
  return [...lines.slice(first, first + SHOWN_LINES), '…', ...last.slice(-3)];
}

function interrupted(run: MakeRun): ExplainedError {
  return new ExplainedError('interrupted', `${run.task} was interrupted`, { where: run.cwd });
}

const KEPT_LINES = 400;
const SHOWN_LINES = 12;
/**
 * A shell that stays until make has ended, also after SIGTERM. The guard's own shell is a child of what is guarded, and make, when it is
 * ended, now and then waits for every child it has. What processor time it all took goes to the log.
 */
const WAITING = 'trap : TERM; log=$1; shift; "$@"; code=$?; times >>"$log"; exit $code';
/** From SIGTERM to SIGKILL: make waits for its children and removes what they have not finished. */
const GRACE_MS = 3000;
