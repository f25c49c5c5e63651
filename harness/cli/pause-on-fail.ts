import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import pLimit from 'p-limit';
import { ExplainedError } from '../../loader/errors.ts';
import { initramfsPlace, installApplets } from '../guest/guest-place.ts';
import { GUEST_ENVIRONMENT } from '../guest/run-program.ts';
import { startShell } from '../guest/shell-session.ts';
import { bridgeTerminal } from '../guest/terminal-bridge.ts';
import { cellName } from '../results/cell-name.ts';
import type { Attempt, CellMachine } from '../run/run-stint.ts';
import type { Cell } from '../run/select.ts';
import type { Machine } from '../vm/machine.ts';
import { SOCKETS } from '../vm/qemu-arguments.ts';
import { connectUnix } from '../vm/qmp.ts';
import type { ProgressView } from './progress.ts';

/**
 * `run --pause-on-fail`: asks what to do when a cell has ended red, with its machine still there to be looked at. Other machines go on
 * meanwhile; if several cells are red, they are asked about one after the other.
 * @throws ExplainedError `no-terminal` if there is nobody to ask
 */
export function createPause(
  view: ProgressView,
  signal: AbortSignal,
  stop: () => void,
): (cell: Cell, attempt: Attempt, machine: CellMachine) => Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new ExplainedError('no-terminal', '--pause-on-fail needs a terminal to ask on', {
      fix: 'leave it out: the evidence of every cell is kept (ksym-matrix logs)',
    });
  }
  const oneAtATime = pLimit(1);
  let asking = true;
  return (cell, attempt, { machine }) =>
    oneAtATime(async () => {
      if (!asking || signal.aborted) return false;
      const resume = view.hold();
      try {
        const answer = await converse(cell, attempt, machine, signal);
        if (answer !== 'next') asking = false;
        if (answer === 'stop') stop();
        return true;
      } finally {
        resume();
      }
    });
}

type Answer = 'next' | 'all' | 'stop';

async function converse(cell: Cell, attempt: Attempt, machine: Machine, signal: AbortSignal): Promise<Answer> {
  const name = cellName(cell.program.name, cell.variant.name);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  say(`\n${name} on ${cell.kernel.name}: ${attempt.outcome.class} in phase ${attempt.outcome.phase}`);
  say(`  ${attempt.outcome.message}`);
  say(`  console: ${machine.console.path}; QEMU: process ${machine.pid}`);
  for (;;) {
    const alive = !machine.spoilt;
    if (!alive) say('  the machine has crashed: there is no shell in it');
    const choices = `${alive ? '[s]hell in the machine, ' : ''}[n]ext, [a]ll without asking, [q]uit`;
    const answer = await ask(`${choices}: `, signal);
    if (answer === 'q' || answer === null) return 'stop';
    if (answer === 'a') return 'all';
    if (answer === 'n' || answer === '') return 'next';
    if (answer === 's' && alive) await openShell(machine).catch((error: unknown) => say(explain(error)));
  }
}

/** Null if the input ends or the run is being stopped. */
async function ask(question: string, signal: AbortSignal): Promise<string | null> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const ended = new Promise<null>((resolve) => lines.once('close', () => resolve(null)));
    const answer = await Promise.race([lines.question(question, { signal }).catch(() => null), ended]);
    return answer === null ? null : answer.trim().toLowerCase().slice(0, 1);
  } finally {
    lines.close();
  }
}

async function openShell(machine: Machine): Promise<void> {
  const place = initramfsPlace(machine.agent);
  await installApplets(place);
  process.stderr.write('leave with exit or Ctrl-D; Ctrl-] comes back at once and leaves it running\n');
  const socket = await connectUnix(join(machine.directory, SOCKETS.shell));
  const { columns, rows } = process.stderr;
  const { endMark } = await startShell(place, {
    argv: [place.busybox, 'sh'],
    environment: { ...GUEST_ENVIRONMENT, TERM: process.env.TERM ?? 'linux', PS1: '\\w \\$ ' },
    workingDirectory: '/',
    // A terminal that does not tell its size has none.
    size: { columns: columns || 80, rows: rows || 24 },
  });
  await bridgeTerminal(process.stdin, process.stderr, socket, endMark);
}

function explain(error: unknown): string {
  return error instanceof ExplainedError ? error.explain() : error instanceof Error ? error.message : String(error);
}
