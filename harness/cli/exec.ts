import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { parseIn, parseOut } from '../guest/file-pair.ts';
import { findProgram, type ProgramFiles } from '../guest/program-files.ts';
import { checkFiles, type GuestJob, runInGuest } from '../guest/program-in-guest.ts';
import { GUEST_ENVIRONMENT } from '../guest/run-program.ts';
import { toJson, writeWhole } from '../results/write.ts';
import { chooseCapacity } from '../run/capacity.ts';
import { applySettings } from '../run/settings.ts';
import { MachineError } from '../vm/errors.ts';
import { ExecOutput } from './exec-output.ts';
import { type ExecResult, exitCodeOf, failedResult, resultOf, summarize } from './exec-result.ts';
import { GUEST_EXIT, guestExitCode } from './guest-exit-codes.ts';
import { type GuestKernel, GuestKernels, type GuestOptions } from './guest-kernels.ts';
import { interruptible } from './interrupt.ts';
import { reportError } from './report-error.ts';

export interface ExecOptions extends GuestOptions {
  readonly all?: true;
  readonly in?: string[];
  readonly out?: string[];
  readonly env?: string[];
  readonly sysctl?: string[];
  readonly cwd?: string;
  readonly timeout?: number;
  readonly hostRoot?: true;
  readonly outputDir?: string;
  readonly jobs?: number;
  readonly json?: string;
}

/** What was asked for, taken apart. */
interface Wanted {
  readonly options: ExecOptions;
  readonly program: ProgramFiles;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly sysctl: Readonly<Record<string, string>>;
}

/**
 * `ksym-matrix exec KERNEL... -- PROGRAM ARGUMENT...`
 * @param words all operands
 * @param commandLine the whole command line, in which `--` tells kernels and program apart
 */
export async function exec(
  words: readonly string[],
  options: ExecOptions,
  commandLine: readonly string[],
): Promise<number> {
  return interruptible(async (interrupted) => {
    const unread = new AbortController();
    process.stdout.once('error', () => unread.abort());
    const signal = AbortSignal.any([interrupted, unread.signal]);
    try {
      const [names, argv] = divide(words, commandLine);
      const [name, ...rest] = argv;
      if (name === undefined || (names.length === 0) !== (options.all === true)) throw usage();
      const environment = { ...GUEST_ENVIRONMENT, ...inherited(), ...pairs('--env', options.env) };
      const program = await findProgram(name, {
        path: process.env.PATH ?? '',
        libraryPath: environment.LD_LIBRARY_PATH ?? '',
        hostRoot: options.hostRoot === true,
      });
      const cwd = resolve('/', options.cwd ?? process.cwd());
      const wanted = { options, program, arguments: rest, environment, cwd, sysctl: pairs('--sysctl', options.sysctl) };
      const guests = await GuestKernels.create(options, cacheDirectory(), signal);
      const kernels = options.all === true ? await guests.all() : await guests.select(names);
      return await execOn(kernels, guests, wanted, signal);
    } catch (error) {
      if (interrupted.aborted) return GUEST_EXIT.interrupted;
      if (unread.signal.aborted) return GUEST_EXIT.unread;
      reportError(error);
      return guestExitCode(error);
    } finally {
      process.stdin.destroy();
    }
  });
}

async function execOn(
  kernels: readonly GuestKernel[],
  guests: GuestKernels,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<number> {
  const { options } = wanted;
  const single = kernels.length === 1;
  if (!single && options.out !== undefined && options.outputDir === undefined) {
    throw new ConfigError('output-dir-wanted', 'files of several kernels cannot lie under one name', {
      where: '--out',
      fix: 'add --output-dir FOLDER: each kernel gets a folder of its own in it',
    });
  }
  const width = Math.max(...kernels.map(({ name }) => name.length));
  const { jobs } = await chooseCapacity(options.jobs, options.templates ? 'restored' : 'booted', undefined);
  const results = await pLimit(jobs).map(kernels, async (one) => {
    const output = await ExecOutput.open({
      prefix: single ? null : `${one.name.padEnd(width)} | `,
      folder: options.outputDir === undefined ? null : resolve(options.outputDir, single ? '.' : one.name),
      stdoutTaken: options.json === '-',
    });
    const result = await execOne(one, guests, wanted, output, single, signal).finally(() => output.close());
    if (!single && !signal.aborted) process.stderr.write(`${one.name.padEnd(width)} : ${summarize(result)}\n`);
    return result;
  });
  signal.throwIfAborted();
  if (options.json !== undefined) await writeJson(options.json, wanted, results);
  return exitCodeOf(results);
}

async function execOne(
  one: GuestKernel,
  guests: GuestKernels,
  wanted: Wanted,
  output: ExecOutput,
  single: boolean,
  signal: AbortSignal,
): Promise<ExecResult> {
  const started = performance.now();
  const { options, cwd } = wanted;
  const base = single ? (options.outputDir ?? '.') : join(options.outputDir ?? '.', one.name);
  const filesIn = (options.in ?? []).map((text) => parseIn(text, cwd));
  const filesOut = (options.out ?? []).map((text) => parseOut(text, cwd, resolve(base)));
  let console: string | null = null;
  try {
    await checkFiles(filesIn, filesOut);
    const guest = await guests.open(one, options.hostRoot === true, signal);
    console = guest.machine.console.path;
    try {
      await applySettings(guest.machine.agent, { sysctl: wanted.sysctl });
      const missing: ExplainedError[] = [];
      const job: GuestJob = {
        program: wanted.program,
        arguments: wanted.arguments,
        environment: wanted.environment,
        workingDirectory: cwd,
        filesIn,
        filesOut,
        // One standard input cannot be read by several programs.
        ...(single && !process.stdin.isTTY ? { input: process.stdin } : {}),
        ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1000 }),
        onOutput: (stream, chunk) => output.write(stream, chunk),
        onMissing: (error) => missing.push(error),
      };
      const end = await runInGuest(guest, job);
      for (const error of missing) output.say(error.explain());
      if (end.timedOut) output.say(`killed after ${options.timeout} s (--timeout)`);
      return resultOf(one, end, missing, performance.now() - started, console);
    } finally {
      await guest.close();
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof ExplainedError)) throw error;
    output.say(error.explain());
    if (error instanceof MachineError) for (const line of error.consoleExcerpt) output.say(`  ${line}`);
    return failedResult(one, error, guestExitCode(error), performance.now() - started, console);
  }
}

/** What stands before and after `--`. */
function divide(words: readonly string[], commandLine: readonly string[]): [readonly string[], readonly string[]] {
  const at = commandLine.indexOf('--');
  if (at === -1) throw usage();
  const after = commandLine.length - at - 1;
  return [words.slice(0, words.length - after), words.slice(words.length - after)];
}

function usage(): ConfigError {
  return new ConfigError('exec-usage', 'exec wants kernels (or --all), then --, then a program', {
    fix: 'as in: ksym-matrix exec 6.12 -- ./my-test argument',
  });
}

/** Of this environment only what a program cannot do without: where its libraries are, and what terminal it writes to. */
function inherited(): Record<string, string> {
  const names = ['LD_LIBRARY_PATH', 'TERM'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** `NAME=VALUE`; a NAME alone stands for this environment's value. */
function pairs(option: string, texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      const value = at === -1 ? (option === '--env' ? process.env[text] : undefined) : text.slice(at + 1);
      if (at !== 0 && value !== undefined) return [at === -1 ? text : text.slice(0, at), value] as const;
      const unset = option === '--env' && at === -1;
      throw new ConfigError('bad-pair', unset ? 'this environment has no such variable' : 'NAME=VALUE is wanted', {
        where: `${option} ${text}`,
        ...(unset ? { fix: `write --env ${text}=VALUE` } : {}),
      });
    }),
  );
}

async function writeJson(path: string, wanted: Wanted, results: readonly ExecResult[]): Promise<void> {
  const text = toJson({ schemaVersion: 1, program: wanted.program.path, arguments: wanted.arguments, results });
  if (path === '-') {
    process.stdout.write(text);
    return;
  }
  await mkdir(dirname(resolve(path)), { recursive: true });
  await writeWhole(resolve(path), text);
}
