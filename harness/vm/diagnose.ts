import { setTimeout as sleep } from 'node:timers/promises';
import { ExplainedError } from '../../loader/errors.ts';
import { MachineError } from './errors.ts';
import type { MachineParts } from './machine-parts.ts';

/** Time for a dying machine to print its last lines and for QEMU to end. */
const LAST_WORDS_MS = 1500;
const EXCERPT_LINES = 12;

/**
 * Says what became of a machine whose agent does not answer: the console decides between panic, oops and silence, then
 * QEMU's end. A `MachineError` with a better reason passes as it is.
 */
export async function diagnose(error: unknown, parts: MachineParts, phase: 'boot' | 'run'): Promise<MachineError> {
  await Promise.race([parts.group.exited, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  // The pipe may hold lines that were written before the end.
  await sleep(20);
  const { console } = parts;
  const where = `console log ${console.path}`;
  const during = phase === 'boot' ? 'while it booted' : 'while a program was tested';
  if (console.crash?.kind === 'panic') {
    return new MachineError('kernel-panic', `the kernel panicked ${during}`, phase, {
      where,
      why: console.crash.text.replace(/^\[[^\]]*\]\s*/, ''),
      consoleExcerpt: console.crashExcerpt(EXCERPT_LINES),
      cause: error,
    });
  }
  if (console.crash?.kind === 'oops') {
    return new MachineError('kernel-oops', `the kernel reported a fault in itself ${during}`, phase, {
      where,
      why: console.crash.text.replace(/^\[[^\]]*\]\s*/, ''),
      consoleExcerpt: console.crashExcerpt(EXCERPT_LINES),
      cause: error,
    });
  }
  const consoleExcerpt = console.tail(EXCERPT_LINES);
  const { exit } = parts;
  if (exit?.startError !== undefined) {
    return new MachineError('qemu-missing', 'QEMU could not be started', phase, {
      where: parts.options.prepared.plan.qemu,
      why: exit.startError,
      fix: 'install qemu-system-x86, or run `ksym-matrix doctor`',
      cause: error,
    });
  }
  if (exit !== undefined) {
    const how = exit.signal === undefined ? `with exit code ${exit.exitCode}` : `killed by ${exit.signal}`;
    const own = consoleExcerpt.filter((line) => line.includes('ksym-matrix:')).at(-1);
    const refused = exit.exitCode !== 0 && exit.stderr !== '' && console.size === 0;
    return new MachineError(refused ? 'qemu-failed' : 'qemu-exited', `QEMU ended ${during}, ${how}`, phase, {
      where,
      why: exit.stderr.split('\n').slice(-3).join(' ') || own || 'it said nothing',
      consoleExcerpt,
      cause: error,
    });
  }
  if (error instanceof MachineError) {
    return new MachineError(error.code, error.message, error.phase, {
      where,
      why:
        error.why ??
        (consoleExcerpt.length === 0 ? 'its console is empty' : `its console ends with: ${consoleExcerpt.at(-1)}`),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      consoleExcerpt,
      cause: error,
    });
  }
  return new MachineError(
    'vm-silent',
    `the machine stopped answering ${during}, and its console tells of no crash`,
    phase,
    {
      where,
      why: error instanceof ExplainedError ? error.explain() : String(error),
      consoleExcerpt,
      cause: error,
    },
  );
}
