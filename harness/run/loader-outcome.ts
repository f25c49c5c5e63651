import { errnoName } from '../../loader/agent/errno.ts';
import type { ObjectContent } from '../../loader/object/spec.ts';
import { summarizeVerifierLog } from '../../loader/programs/verifier-log.ts';
import type { FailureClass, Phase } from '../config/schema.ts';
import type { ObservedLoad } from '../loaders/observation.ts';
import type { LoaderComplaint, PreparedLoader } from '../loaders/prepared-loader.ts';
import type { LoaderRun } from '../loaders/run-loader.ts';
import { classOfRefusal } from './cell.ts';
import { excerpt, keptLog, shown, soonUnderstood } from './loader-words.ts';
import type { Outcome, PrintedByLoader } from './outcome.ts';

/** An outcome before what is known of the externs is put beside it. */
export type LoaderOutcome = Omit<Outcome, 'resolutions'>;

/** A loader as far as its words and its name go. */
export type NamedLoader = Pick<PreparedLoader, 'name'> & {
  readonly classify: (message: string) => LoaderComplaint | null;
};

/**
 * What became of an object that another loader was given; null if it says that all of it was loaded. Who refused it is told by what the loader asked of
 * the kernel, where that was observed; by its own words else.
 * @param spec null for an object that our own loader cannot parse
 * @param seconds how long the loader had
 */
export function describeLoaderRun(
  run: LoaderRun,
  spec: ObjectContent | null,
  loader: NamedLoader,
  seconds: number,
): LoaderOutcome | null {
  const broken = describeBreakdown(run, spec, loader, seconds);
  if (broken !== null) return broken;
  const { answer } = run;
  if (answer?.loaded === true || (answer === null && run.exitCode === 0)) return describeIdle(run, spec, loader);
  const { last, words } = wordsOf(run);
  const refusal = refusedByKernel(run, spec);
  if (refusal !== null) return describeRefusal(refusal, last, loader.name);
  const understood = firstComplaint(words, loader);
  const complaint = understood?.complaint;
  // An adapter's message is the whole error; of lines that a program printed, the one that says why.
  const told = answer === null ? (understood?.text ?? last) : last;
  const errno = answer?.failure?.errno ?? null;
  const kind = complaint?.class ?? 'loader-refused';
  // It came further than to resolve externs, and why it is not content is its own affair.
  const isTaken = complaint === undefined && loadsOf(run, spec).length > 0;
  const though = isTaken ? '; the kernel refused none of its programs' : '';
  return {
    phase: isTaken ? 'load' : (PHASE_OF.get(kind) ?? 'resolve'),
    class: kind,
    message: `${loader.name}: ${told === undefined ? `ended with ${run.exitCode}, and said nothing` : shown(told)}${though}`,
    ...(errno === null ? {} : { errno }),
    ...(complaint?.extern === undefined ? {} : { extern: complaint.extern }),
    ...(complaint?.program === undefined ? {} : { program: complaint.program }),
  };
}

/** What a loader printed, for the evidence. */
export function printedBy({ answer, stdout, stderr }: LoaderRun): PrintedByLoader {
  const parts = answer === null ? [stderr, stdout] : [...answer.messages, stderr];
  const log = parts
    .map((part) => part.trimEnd())
    .filter((part) => part !== '')
    .join('\n');
  return { log: log === '' ? '' : `${keptLog(log)}\n`, document: answer === null ? null : stdout };
}

/** A loader that ended otherwise than by saying what came of it. */
function describeBreakdown(
  run: LoaderRun,
  spec: ObjectContent | null,
  { name }: NamedLoader,
  seconds: number,
): LoaderOutcome | null {
  const { timedOut, signal, fault, stderr } = run;
  // What it had done by then says how far it came.
  const phase = loadsOf(run, spec).length > 0 ? 'load' : 'resolve';
  const last = excerpt(stderr).trimEnd().split('\n').at(-1) ?? '';
  const said = last === '' ? '' : `; the last that it said: ${last.slice(0, 300)}`;
  if (timedOut) {
    return { phase, class: 'loader-timeout', message: `${name} did not end within ${seconds} s and was killed${said}` };
  }
  if (signal !== null) {
    return { phase, class: 'loader-crashed', message: `${name} was ended by ${signal}${said}` };
  }
  return fault === null ? null : { phase, class: 'loader-crashed', message: `${name}: ${fault}${said}` };
}

/** A loader that says that it is done, and has asked the kernel for no program at all; null if it did, or nobody knows. */
function describeIdle(
  { observation }: LoaderRun,
  spec: ObjectContent | null,
  { name }: NamedLoader,
): LoaderOutcome | null {
  if (observation?.complete !== true || observation.left > 0 || observation.loads.length > 0) return null;
  if (spec?.programs.some(({ autoload }) => autoload) !== true) return null;
  const message = `${name} says that all was loaded, and the kernel was asked for no program until it ended`;
  return { phase: 'resolve', class: 'loader-crashed', message };
}

/** Classes of what the kernel refused; any other is the loader's own refusal, before it. */
const PHASE_OF: ReadonlyMap<FailureClass, Phase> = new Map<FailureClass, Phase>([
  ['btf-rejected', 'load'],
  ['map-rejected', 'load'],
  ['load-refused', 'load'],
  ['verifier-rejected', 'load'],
  ['ksym-address-unavailable', 'load'],
]);

/** What a loader said: its last word, and everything in the order in which it is to be understood. */
function wordsOf({ answer, stdout, stderr }: LoaderRun): {
  readonly last: string | undefined;
  readonly words: readonly string[];
} {
  const isSaid = (text: string): boolean => text.trim() !== '';
  if (answer === null) {
    const [errors, others] = [stderr, stdout].map((text) => excerpt(text).split('\n').filter(isSaid));
    return { last: errors?.at(-1) ?? others?.at(-1), words: soonUnderstood([...(errors ?? []), ...(others ?? [])]) };
  }
  const message = answer.failure?.message ?? '';
  const ofPrograms = answer.programs.flatMap((program) => (program.loaded ? [] : [program.message ?? '']));
  const words = [message, ...message.split('\n'), ...ofPrograms, ...answer.messages].filter(isSaid);
  return { last: words[0], words: soonUnderstood(words) };
}

/** The first message that the loader's words tell the meaning of. */
function firstComplaint(
  words: readonly string[],
  { classify }: NamedLoader,
): { readonly text: string; readonly complaint: LoaderComplaint } | null {
  for (const text of words) {
    const complaint = classify(text);
    if (complaint !== null) return { text, complaint };
  }
  return null;
}

/** A BPF program that the kernel did not load. */
export interface KernelRefusal {
  /** The function's name. */
  readonly program: string;
  readonly errno: string | null;
  readonly verifierLog: string;
}

/** The object's program that was refused last: loaders stop at the first one, and may have tried it in several ways. */
export function refusedByKernel(run: LoaderRun, spec: ObjectContent | null): KernelRefusal | null {
  const { answer } = run;
  const loads = loadsOf(run, spec);
  const last = loads.at(-1);
  if (last !== undefined && last.load.errno !== 0) {
    const { load } = last;
    const program = wholeName(last, run);
    const logs = loads
      .filter((one) => one.load.name === load.name && one.load.errno !== 0)
      .map((one) => one.load.verifierLog);
    const told = answer?.programs.find(({ name }) => name === program)?.verifierLog ?? '';
    const observed = longest(logs);
    return { program, errno: errnoName(load.errno), verifierLog: observed === '' ? told : observed };
  }
  const told = answer?.programs.find((program) => !program.loaded && (program.verifierLog ?? '') !== '');
  if (told === undefined) return null;
  return { program: told.name, errno: told.errno, verifierLog: told.verifierLog ?? '' };
}

/** The kernel keeps this many characters of a program's name (BPF_OBJ_NAME_LEN without the end, include/uapi/linux/bpf.h). */
const NAME_LENGTH = 15;

/** The loads of an object's programs, in order; those that only probe what the kernel can do have other names. */
function loadsOf(
  { observation }: LoaderRun,
  spec: ObjectContent | null,
): { readonly program: string; readonly load: ObservedLoad }[] {
  const names = new Map((spec?.programs ?? []).map(({ name }) => [name.slice(0, NAME_LENGTH), name]));
  return (observation?.loads ?? []).flatMap((load) => {
    const program = names.get(load.name);
    return program === undefined ? [] : [{ program, load }];
  });
}

/** Of several programs whose names begin alike, the one that the loader tells something of. */
function wholeName(
  { program, load: { name } }: { program: string; load: ObservedLoad },
  { answer }: LoaderRun,
): string {
  const told = answer?.programs.find((one) => !one.loaded && one.message !== null && one.name.startsWith(name));
  return told?.name ?? program;
}

function longest(texts: readonly string[]): string {
  return texts.reduce((best, text) => (text.length > best.length ? text : best), '');
}

function describeRefusal(
  { program, errno, verifierLog }: KernelRefusal,
  last: string | undefined,
  name: string,
): LoaderOutcome {
  const summary = summarizeVerifierLog(verifierLog);
  const extern = /failed to find the address for kernel symbol '([^']+)'/.exec(verifierLog)?.[1];
  return {
    phase: 'load',
    class: classOfRefusal(verifierLog),
    message: [
      `${name}: the kernel does not load the program`,
      program,
      errno,
      shown(summary === '' ? (last ?? '') : summary),
    ]
      .filter((part) => part !== null && part !== undefined && part !== '')
      .join(': '),
    ...(errno === null ? {} : { errno }),
    ...(extern === undefined ? {} : { extern }),
    program,
    ...(verifierLog === '' ? {} : { verifierLog }),
  };
}
