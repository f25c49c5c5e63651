import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../../loader/agent/agent-error.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { ConsoleLog } from './console.ts';
import { MachineError, type MachineErrorCode } from './errors.ts';
import type { MachineParts } from './machine-parts.ts';
import { longestPause } from './own-pulse.ts';
import { type Probe, probeMachine } from './probe.ts';
import type { ProcessExit } from './process.ts';
import { withoutStamp } from './splats.ts';

/** Time for a dying machine to print its last lines and for QEMU to end. */
const LAST_WORDS_MS = 1500;
/** A console that printed nothing for so long has said what it had to say. */
const QUIET_MS = 300;
const EXCERPT_LINES = 12;
/** A deadline that was over before this process, having stood still for longer than this, could look for the answer is not held against the machine. */
const OWN_PAUSE_MS = 1000;
/** A standstill that ended longer ago left time to take the answer. */
const JUST_NOW_MS = 500;

/** What was found, without what every error has. */
interface Finding {
  readonly code: MachineErrorCode;
  readonly what: string;
  readonly why: string;
  readonly fix?: string;
  readonly where?: string;
}

const RUN_ALONE = 'read the console log, and see whether it happens again (a cell alone: run --kernel, --program)';

/**
 * Says what became of a machine whose agent does not answer: the console decides first, then QEMU's end, then what QEMU says of a
 * machine that is still there. A `MachineError` with a better reason passes as it is.
 */
export async function diagnose(error: unknown, parts: MachineParts, phase: 'boot' | 'run'): Promise<MachineError> {
  const pause = longestPause(JUST_NOW_MS);
  await lastWords(error, parts);
  const during = phase === 'boot' ? 'while it booted' : 'while it was in use';
  const { console, exit } = parts;
  const finding =
    describeCrash(console, during) ??
    (exit === undefined ? null : describeEnd(exit, parts, during)) ??
    (await describeSilence(error, parts, pause, during));
  return new MachineError(finding.code, finding.what, phase, {
    where: finding.where ?? `console log ${console.path}`,
    why: finding.why,
    ...(finding.fix === undefined ? {} : { fix: finding.fix }),
    consoleExcerpt: console.crash === undefined ? console.tail(EXCERPT_LINES) : console.crashExcerpt(EXCERPT_LINES),
    cause: error,
  });
}

/** Whether an error says that the agent cannot be asked any more; it may as well have answered that one call failed. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof AgentError && error.code !== 'agent-call-failed' && error.code !== 'agent-refused';
}

/** Waits for QEMU's end, or until the console is quiet: what is said last tells most. */
async function lastWords(error: unknown, { group, console, exit }: MachineParts): Promise<void> {
  const started = performance.now();
  // The socket closes when QEMU ends.
  const ending = error instanceof AgentError && error.code === 'agent-lost';
  let size = console.size;
  let quietSince = started;
  while (exit === undefined && performance.now() - started < LAST_WORDS_MS) {
    if (await Promise.race([group.exited.then(() => true), sleep(20, false, { ref: false })])) break;
    if (console.size !== size) quietSince = performance.now();
    size = console.size;
    if (!ending && performance.now() - quietSince > QUIET_MS) return;
  }
  // The pipe may hold lines that were written before the end.
  await sleep(20);
}

function describeCrash({ crash, splats }: ConsoleLog, during: string): Finding | null {
  if (crash === undefined) return null;
  const why = withoutStamp(crash.text);
  if (crash.kind === 'panic') {
    return { code: 'kernel-panic', what: `the kernel panicked ${during}`, why, fix: RUN_ALONE };
  }
  if (splats.some(({ kind, text }) => kind === 'soft-lockup' && text === crash.text)) {
    const fix = `${RUN_ALONE}; a host without time for its machines can be the cause as well (--jobs 1)`;
    return { code: 'kernel-lockup', what: `the kernel reported that it is stuck ${during}`, why, fix };
  }
  return { code: 'kernel-oops', what: `the kernel reported a fault in itself ${during}`, why, fix: RUN_ALONE };
}

/** What init.sh prints when the agent has ended. */
const AGENT_ENDED = /ksym-matrix: agent ended with status (\d+)/;
/** What it prints instead of starting one. */
const LACKING_DRIVER = /ksym-matrix: this kernel has no driver (\w+)/;
/** A shell's exit code for a program that a signal ended is this plus the signal's number. */
const SIGNALLED = 128;
/** stream.h of the agent: a frame did not begin as frames do. */
const EXIT_FRAMING_LOST = 2;

function describeEnd(exit: ProcessExit, parts: MachineParts, during: string): Finding {
  const { console } = parts;
  if (exit.startError !== undefined) {
    return {
      code: 'qemu-missing',
      what: 'QEMU could not be started',
      where: parts.options.prepared.plan.qemu,
      why: exit.startError,
      fix: 'install qemu-system-x86, or run `ksym-matrix doctor`',
    };
  }
  const words = exit.stderr.split('\n').slice(-3).join(' ');
  // QEMU ends with 0 on SIGTERM, too, and says so (softmmu/runstate.c, qemu_kill_report()).
  if (exit.exitCode === 0 && !words.includes('terminating on signal')) {
    return describeOwnEnd(console, during);
  }
  const how = exit.signal === undefined ? `with exit code ${exit.exitCode}` : `killed by ${exit.signal}`;
  const refused = exit.exitCode !== 0 && exit.stderr !== '' && console.size === 0;
  // RAM that is mapped privately is that of a saved machine.
  if (refused && parts.options.memory?.share === false) {
    return { code: 'restore-failed', what: 'QEMU does not take the saved machine', why: words };
  }
  return {
    code: refused ? 'qemu-failed' : 'qemu-exited',
    what: `QEMU ended ${during}, ${how}`,
    why: words || 'it said nothing',
    fix: refused
      ? words.includes('Cannot allocate memory')
        ? 'this host has too little memory for the machine: give it less (machine.memory in matrix.yaml, --memory), or run fewer with --jobs'
        : 'run `ksym-matrix doctor`'
      : "look into the host's log (dmesg): a host short of memory kills QEMU; then run again, with fewer --jobs",
  };
}

/** The guest powered off, or restarted, which ends QEMU (-no-reboot). */
function describeOwnEnd(console: ConsoleLog, during: string): Finding {
  const last = console.lines.findLast((line) => line.includes('ksym-matrix: ')) ?? '';
  const status = Number(AGENT_ENDED.exec(last)?.[1] ?? Number.NaN);
  const memory = shortOfMemory(console);
  if (status > SIGNALLED && memory !== undefined) {
    const why = `${memory}; the agent was killed`;
    const fix = 'give the machine more memory (machine.memory in matrix.yaml), or let the program take less';
    return { code: 'guest-out-of-memory', what: `the guest ran out of memory ${during}`, why, fix };
  }
  if (status > SIGNALLED) {
    const why = `signal ${status - SIGNALLED} ended it; nothing outside the guest can send one`;
    return { code: 'agent-killed', what: `the agent was killed ${during}`, why, fix: RUN_ALONE };
  }
  if (status === EXIT_FRAMING_LOST) return garbled('the agent met bytes that are no frame, and gave up', during);
  if (!Number.isNaN(status)) {
    const why = `it ended with status ${status}, which nobody asked it to do`;
    return { code: 'agent-ended', what: `the agent ended ${during}`, why, fix: REPORT_IT };
  }
  const driver = LACKING_DRIVER.exec(last)?.[1];
  if (driver !== undefined) {
    const why = 'it is neither built in, nor a module that was loaded, and the agent is reached through it';
    const fix =
      'use a kernel with CONFIG_VIRTIO_PCI and CONFIG_VIRTIO_CONSOLE; if they are modules, name those too (modules:)';
    return { code: 'kernel-lacks-driver', what: `this kernel has no driver ${driver}`, why, fix };
  }
  // Before there was an agent, our init says what it lacks.
  if (last !== '') return { code: 'agent-ended', what: `no agent was started ${during}`, why: last };
  const why = 'QEMU ended as if asked to, and the console tells of no crash';
  return { code: 'machine-ended', what: `the machine switched off or restarted ${during}`, why, fix: RUN_ALONE };
}

const REPORT_IT = 'run it again; if it happens again, it is a defect of this program: please report it';

function garbled(why: string, during: string): Finding {
  return { code: 'channel-garbled', what: `the agent's channel carried nonsense ${during}`, why, fix: REPORT_IT };
}

/** What the kernel said when memory ran out: whom it killed, if it did. */
function shortOfMemory({ splats }: ConsoleLog): string | undefined {
  const found = splats.filter(({ kind, allowed }) => kind === 'out-of-memory' && allowed === null);
  const victims = found.flatMap(({ block }) => block).filter((line) => line.includes('Killed process '));
  const victim = victims.find((line) => line.includes(' (agent) ')) ?? victims[0];
  return victim === undefined ? found[0]?.text : withoutStamp(victim);
}

/** The machine is there, and does not do what it was asked to. */
async function describeSilence(error: unknown, parts: MachineParts, pause: number, during: string): Promise<Finding> {
  const { console, group, directory } = parts;
  if (error instanceof AgentError && (error.code === 'agent-protocol' || error.code === 'agent-version')) {
    return garbled(`${error.message}: ${error.why ?? ''}`, during);
  }
  const timely = error instanceof MachineError && error.code !== 'vm-silent' && error.code !== 'boot-timeout';
  if (timely) return passOn(error, console);
  if (pause > OWN_PAUSE_MS) {
    return {
      code: 'harness-stalled',
      what: `this program did not run for ${(pause / 1000).toFixed(1)} s ${during}, so that a deadline passed`,
      why: 'it was stopped (Ctrl-Z, a debugger), or its host had no time for it',
      fix: 'run it again',
    };
  }
  const probe = await probeMachine(group.pid, directory);
  const outside = describeStandstill(probe, during);
  if (outside !== null) return outside;
  if (error instanceof MachineError) return passOn(error, console);
  const asked = error instanceof ExplainedError ? (error.why ?? error.message) : String(error);
  return describeHang(probe, asked, console, during);
}

/** A reason that was found where more was known. */
function passOn(error: MachineError, console: ConsoleLog): Finding {
  const last = console.tail(1)[0];
  const why = error.why ?? (last === undefined ? 'its console is empty' : `its console ends with: ${last}`);
  const { code, message: what, fix, where } = error;
  return { code, what, why, ...(fix === undefined ? {} : { fix }), ...(where === undefined ? {} : { where }) };
}

/** What is not the guest's doing. */
function describeStandstill({ state, detail }: Probe, during: string): Finding | null {
  if (state === 'stopped') {
    const fix = 'find out what stopped it, or why the host has no time for it; then run again';
    return { code: 'qemu-stopped', what: `QEMU does not run ${during}`, why: detail, fix };
  }
  if (state === 'paused') {
    const fix =
      'find out who paused it; on "io-error" or "internal-error" QEMU did so itself: look at the disk, and at KVM';
    return { code: 'guest-paused', what: `QEMU has stopped the guest ${during}`, why: detail, fix };
  }
  return null;
}

function describeHang({ state, detail }: Probe, asked: string, console: ConsoleLog, during: string): Finding {
  const memory = shortOfMemory(console);
  if (memory !== undefined) {
    const why = `${memory}; ${asked}`;
    return { code: 'guest-out-of-memory', what: `the guest ran out of memory ${during}`, why, fix: RUN_ALONE };
  }
  const task = console.splats.find(({ kind, allowed }) => kind === 'hung-task' && allowed === null);
  if (task !== undefined) {
    const why = `${task.text}; ${asked}`;
    return { code: 'kernel-hung-task', what: `a task hung in the kernel ${during}`, why, fix: RUN_ALONE };
  }
  if (state === 'idle') {
    const why = `${asked}, though the kernel runs: ${detail}. The agent is stopped, or a system call of its does not return`;
    return { code: 'agent-hung', what: `the agent stopped answering ${during}`, why, fix: RUN_ALONE };
  }
  const why = `${asked}, and its console tells of no crash; ${detail}`;
  return { code: 'vm-silent', what: `the machine stopped answering ${during}`, why, fix: RUN_ALONE };
}
