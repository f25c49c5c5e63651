import { constants } from 'node:os';
import { AgentError } from '../../loader/agent/agent-error.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { GUEST_ENVIRONMENT } from '../guest/run-program.ts';
import type { AdapterAnswer } from './adapter-answer.ts';
import { BoundedText } from './bounded-text.ts';
import { readCommandEnd } from './command/read-end.ts';
import { type GuestLoaders, OBJECT_PATH, OBSERVER_PATH, RECORD_PATH } from './guest-loaders.ts';
import type { Observation } from './observation.ts';
import { NOT_OBSERVED, type ObservedCredentials, observedCommand, parseRecord } from './observer/record.ts';
import type { LoaderProgram, WantedRun } from './prepared-loader.ts';

/** What a loader is run with. */
export interface LoaderJob {
  readonly object: Uint8Array;
  /** Test runs after the load, in order. */
  readonly runs: readonly WantedRun[];
  readonly credentials: ObservedCredentials;
  /** Milliseconds; then it is killed with everything that it started. */
  readonly timeoutMs: number;
}

/** What a loader did, said and asked of the kernel. */
export interface LoaderRun {
  /** Null if it printed none: `fault` says why, if it should have. */
  readonly answer: AdapterAnswer | null;
  /** How its output breaks PROTOCOL.md; null if it does not, or need not follow it. */
  readonly fault: string | null;
  /** Null if a signal ended it, or the time was over. */
  readonly exitCode: number | null;
  /** Name of the signal that ended it, such as `SIGSEGV`. */
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** As text, cut off where it is too long. */
  readonly stdout: string;
  readonly stderr: string;
  /** Null if the observer left no record, as when it was killed with the loader. */
  readonly observation: Observation | null;
}

/** A record holds at most 16 MB beside its heads. */
const RECORD_BYTES = 20 << 20;

/**
 * Runs a loader in a guest, under the observer's eyes.
 * @throws ExplainedError `guest-write-failed`, `loader-not-observed`; AgentError if the machine does not answer
 */
export async function runLoader(
  guest: GuestLoaders,
  program: LoaderProgram,
  { object, runs, credentials, timeoutMs }: LoaderJob,
): Promise<LoaderRun> {
  const argv = program.argv(OBJECT_PATH, runs);
  await guest.bring(program, argv[0]);
  await guest.writeObject(object);
  const output = { stdout: new BoundedText(), stderr: new BoundedText() };
  const end = await guest.agent.execute({
    argv: observedCommand(OBSERVER_PATH, RECORD_PATH, credentials, argv),
    environment: GUEST_ENVIRONMENT,
    workingDirectory: '/',
    collect: false,
    onOutput: (stream, chunk) => output[stream].add(chunk),
    timeoutMs,
  });
  const stdout = output.stdout.text;
  const stderr = output.stderr.text;
  const observation = await readRecord(guest, end.timedOut);
  if (end.exitCode === NOT_OBSERVED && observation?.complete !== true) {
    throw new ExplainedError('loader-not-observed', 'a loader cannot be run under the observer', {
      why: stderr.trim() || 'it said nothing',
    });
  }
  const signal = end.signal ?? signalBehind(end.exitCode);
  const exitCode = signal === null ? end.exitCode : null;
  const told = { stdout, stderr, observation, timedOut: end.timedOut };
  if (end.timedOut || exitCode === null) {
    return { ...told, answer: null, fault: null, exitCode: null, signal: signal === null ? null : nameOf(signal) };
  }
  return { ...told, ...readAnswer(program, { exitCode, stdout, stderr }), exitCode, signal: null };
}

function readAnswer(
  program: LoaderProgram,
  end: { readonly exitCode: number; readonly stdout: string; readonly stderr: string },
): Pick<LoaderRun, 'answer' | 'fault'> {
  if (program.speaks === 'exit-code') return { answer: null, fault: null };
  const said = readCommandEnd(end);
  if (said.kind === 'answer') {
    const broke = program.speaks === 'protocol' && end.exitCode !== 0;
    return broke
      ? { answer: null, fault: `it ended with ${end.exitCode} after its answer` }
      : { answer: said.answer, fault: null };
  }
  if (said.kind === 'broken') return { answer: null, fault: inShort(said.message) };
  if (program.speaks === 'either') return { answer: null, fault: null };
  const [line = ''] = end.stdout.trim().split('\n', 1);
  const printed = line === '' ? 'it printed nothing' : `it printed "${line.slice(0, 120)}"`;
  return { answer: null, fault: `${printed}, and ended with ${end.exitCode}` };
}

/** The first thing that is wrong with a document says enough: all that is missing would be a page. */
function inShort(message: string): string {
  const [first = '', second = ''] = message.split('\n');
  return `${first} ${second.trim()}`.trim();
}

/** The observer ends as the loader did: with 128 and the signal's number, as a shell does. */
function signalBehind(exitCode: number | null): number | null {
  if (exitCode === null || exitCode <= 128 || exitCode > 128 + LAST_SIGNAL) return null;
  return exitCode - 128;
}

const LAST_SIGNAL = 64;

/** `SIGKILL` for 9. */
function nameOf(signal: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === signal)?.[0] ?? `signal ${signal}`;
}

/** A record that is there is whole, unless the observer was killed. */
async function readRecord(guest: GuestLoaders, killed: boolean): Promise<Observation | null> {
  let bytes: Uint8Array;
  try {
    bytes = await guest.agent.readFile(RECORD_PATH, { maxBytes: RECORD_BYTES });
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'agent-call-failed') throw error;
    // The observer begins with it, so the loader took it away, and who knows what else.
    guest.forget();
    return null;
  }
  await guest.removeRecord();
  try {
    return parseRecord(bytes);
  } catch (error) {
    if (killed && error instanceof ExplainedError) return null;
    throw error;
  }
}
