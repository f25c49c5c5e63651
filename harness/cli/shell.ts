import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { filesBelow } from '../guest/archive.ts';
import { parseIn } from '../guest/file-pair.ts';
import { installApplets } from '../guest/guest-place.ts';
import type { Guest } from '../guest/open-guest.ts';
import { checkFiles } from '../guest/program-in-guest.ts';
import { GUEST_ENVIRONMENT, runProgram } from '../guest/run-program.ts';
import { startShell, type WindowSize } from '../guest/shell-session.ts';
import { bridgeTerminal } from '../guest/terminal-bridge.ts';
import { pushFiles } from '../guest/transfer.ts';
import { MachineError } from '../vm/errors.ts';
import { SOCKETS } from '../vm/qemu-arguments.ts';
import { connectUnix } from '../vm/qmp.ts';
import { GUEST_EXIT, guestExitCode } from './guest-exit-codes.ts';
import { type GuestKernel, GuestKernels, type GuestOptions } from './guest-kernels.ts';
import { interruptible } from './interrupt.ts';
import { reportError } from './report-error.ts';

export interface ShellOptions extends GuestOptions {
  readonly in?: string[];
  readonly cwd?: string;
  /** False with --no-host-root. */
  readonly hostRoot: boolean;
}

const NO_TERMINAL: WindowSize = { columns: 80, rows: 24 };

/** `ksym-matrix shell KERNEL` */
export async function shell(name: string, options: ShellOptions): Promise<number> {
  return interruptible(async (signal) => {
    try {
      const kernels = await GuestKernels.create(options, cacheDirectory(), signal);
      const [kernel, another] = await kernels.select([name]);
      if (kernel === undefined || another !== undefined) {
        throw new ConfigError('one-kernel-wanted', 'a shell runs on one kernel', { where: name });
      }
      const cwd = resolve('/', options.cwd ?? process.cwd());
      const filesIn = (options.in ?? []).map((text) => parseIn(text, cwd));
      await checkFiles(filesIn, []);
      const guest = await kernels.open(kernel, options.hostRoot, signal);
      try {
        const files = await Promise.all(filesIn.map((pair) => filesBelow(pair.host, pair.guest)));
        await installApplets(guest.place);
        await pushFiles(guest.place, files.flat());
        return await (process.stdin.isTTY ? converse(guest, kernel, cwd) : runScript(guest, cwd));
      } finally {
        await guest.close();
      }
    } catch (error) {
      if (signal.aborted) return GUEST_EXIT.interrupted;
      reportError(error);
      if (error instanceof MachineError) for (const line of error.consoleExcerpt) process.stderr.write(`  ${line}\n`);
      return guestExitCode(error);
    } finally {
      process.stdin.destroy();
    }
  });
}

/** Standard input is a script. */
async function runScript(guest: Guest, cwd: string): Promise<number> {
  const [program = guest.place.busybox, ...rest] = shellOf(guest);
  const end = await runProgram(guest.machine, guest.place, {
    argv: [program, ...rest, '-s'],
    environment: GUEST_ENVIRONMENT,
    workingDirectory: await folderIn(guest, cwd),
    input: process.stdin,
    onOutput: (stream, chunk) => process[stream].write(chunk),
  });
  if (guest.machine.spoilt) throw await guest.machine.diagnose(undefined);
  return end.signalNumber === null ? (end.exitCode ?? GUEST_EXIT.broken) : 128 + end.signalNumber;
}

async function converse(guest: Guest, { name, kernel }: GuestKernel, cwd: string): Promise<number> {
  const { machine, place } = guest;
  const files =
    guest.hostRoot === null
      ? "the guest's own files"
      : guest.hostRoot.writable
        ? "this host's files (what you write stays in the guest)"
        : "this host's files, read-only but for /tmp, /var/tmp and /run";
  process.stderr.write(
    `ksym-matrix: Linux ${kernel.release} (${machine.beginning}), ${files}\n` +
      `ksym-matrix: leave with exit or Ctrl-D; Ctrl-] ends the machine at once; console: ${machine.console.path}\n`,
  );
  const socket = await connectUnix(join(machine.directory, SOCKETS.shell));
  const session = await startShell(place, {
    argv: shellOf(guest),
    environment: { ...GUEST_ENVIRONMENT, TERM: process.env.TERM ?? 'linux', PS1: `[${name}] \\w \\$ ` },
    workingDirectory: cwd,
    size: windowSize(),
  });
  // Sizes may change faster than the guest hears of them; the last one counts.
  const onResize = (): void => void session.resize(windowSize()).catch(() => undefined);
  process.stdout.on('resize', onResize);
  const end = await bridgeTerminal(process.stdin, process.stdout, socket, session.endMark);
  process.stdout.off('resize', onResize);
  if (end.kind === 'exited') return end.exitCode;
  process.stderr.write('\n');
  if (end.kind === 'lost' || machine.spoilt) throw await machine.diagnose(undefined);
  process.stderr.write(`ksym-matrix: ${end.kind === 'escaped' ? 'ended with Ctrl-]' : 'the terminal is gone'}\n`);
  return GUEST_EXIT.interrupted;
}

function windowSize(): WindowSize {
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? { columns, rows } : NO_TERMINAL;
}

/** Without start-up files: they may take seconds in an emulated machine, and are made for another one. */
function shellOf({ place }: Guest): string[] {
  if (place.hidden === null) return [place.busybox, 'sh'];
  return existsSync('/bin/bash') ? ['/bin/bash', '--norc', '--noprofile'] : ['/bin/sh'];
}

/** The folder if the guest has it, else the root. */
async function folderIn(guest: Guest, cwd: string): Promise<string> {
  const { exitCode } = await guest.place.agent.execute({ argv: [guest.place.busybox, 'test', '-d', cwd] });
  return exitCode === 0 ? cwd : '/';
}
