import { ExplainedError } from '../../loader/errors.ts';
import type { ObjectContent } from '../../loader/object/spec.ts';
import type { Program, Variant } from '../config/load.ts';
import type { GuestLoaders } from '../loaders/guest-loaders.ts';
import { observedExterns } from '../loaders/observer/observed-externs.ts';
import type { LoaderProgram, PreparedLoader } from '../loaders/prepared-loader.ts';
import { type LoaderRun, runLoader } from '../loaders/run-loader.ts';
import { withToldExterns } from '../loaders/told-externs.ts';
import type { ExternResult } from '../results/results.ts';
import { capabilitiesAfter } from './credentials.ts';
import { describeLoaderRun, type LoaderOutcome, printedBy, refusedByKernel } from './loader-outcome.ts';
import type { Outcome } from './outcome.ts';
import { type CheckContext, type LoadedPrograms, runPrograms, wantedRuns } from './run-programs.ts';

/** A loader that is a program for guests. */
export interface GuestLoader extends Pick<PreparedLoader, 'name'> {
  readonly program: LoaderProgram;
}

/** An object on the host. */
export interface LoaderObject {
  readonly bytes: Uint8Array;
  /** What is in it; null if our own loader cannot parse it: nothing is told of its externs then, and no value is checked. */
  readonly spec: ObjectContent | null;
}

/** What another loader than ours is run with. */
export interface LoaderCellContext extends CheckContext {
  /** What the machine has of loaders by now. */
  readonly guest: GuestLoaders;
  /** As whom the loader is run. */
  readonly credentials: Pick<Variant, 'user' | 'capabilities'>;
  /** Milliseconds that it has. */
  readonly timeoutMs: number;
}

/**
 * Lets another loader than ours load a program's object and run it, and compares what it read with the truth.
 * @throws AgentError if the machine does not answer; SettingError for a capability that the kernel does not know; ExplainedError for a fault of the harness
 */
export async function runLoaderCell(
  program: Program,
  object: LoaderObject,
  loader: GuestLoader,
  context: LoaderCellContext,
): Promise<Outcome> {
  const { guest, credentials, timeoutMs, agent } = context;
  const { user, capabilities } = credentials;
  const other = user !== undefined || capabilities !== undefined;
  const run = await runLoader(guest, loader.program, {
    object: object.bytes,
    runs: wantedRuns(program, agent.hello.cpus),
    credentials: { user, capabilities: other ? await capabilitiesAfter(agent, capabilities) : undefined },
    timeoutMs,
  });
  const { spec } = object;
  const { classify } = loader.program;
  const refused = describeLoaderRun(run, spec, { name: loader.name, classify }, timeoutMs / 1000);
  const outcome = refused ?? (await describeRuns(program, run, spec, loader, context));
  return {
    ...outcome,
    resolutions: [],
    externs: spec === null ? [] : await externsOf(run, spec, context),
    printed: printedBy(run),
  };
}

/** The outcome of an object that was loaded. */
async function describeRuns(
  program: Program,
  run: LoaderRun,
  spec: ObjectContent | null,
  { name }: GuestLoader,
  context: CheckContext,
): Promise<LoaderOutcome> {
  const { answer } = run;
  if (answer === null) {
    const refusal = refusedByKernel(run, spec);
    const though = refusal === null ? '' : `, though the kernel refused ${refusal.program}`;
    return {
      phase: 'load',
      class: 'ok',
      message: `${name} ended with 0${though}; it tells no values, so none was compared`,
    };
  }
  if (spec === null) {
    return { phase: 'load', class: 'ok', message: `${name} loaded it; ksym-matrix cannot read where its values are` };
  }
  try {
    return await runPrograms(program, reportedRuns(answer, spec, name), context);
  } catch (error) {
    if (!(error instanceof ExplainedError) || error.code !== VALUE_UNKNOWN) throw error;
    // An answer that lacks what it has to hold is the loader's, like one that cannot be read.
    return { phase: 'check', class: 'loader-crashed', message: error.explain() };
  }
}

const VALUE_UNKNOWN = 'loader-value-unknown';

/** Test runs that the loader has made already, as it reported them. */
function reportedRuns(
  { runs }: NonNullable<LoaderRun['answer']>,
  { variables }: ObjectContent,
  loader: string,
): LoadedPrograms {
  let next = 0;
  return {
    run: async (program, cpu) => {
      const run = runs[next++];
      if (run === undefined || run.program !== program || run.cpu !== cpu) {
        throw new ExplainedError('test-run-failed', `${loader} reports no run of ${program} on CPU ${cpu}`);
      }
      if (run.returned !== null) return run.returned;
      throw new ExplainedError('test-run-failed', `${loader} could not run ${program} on CPU ${cpu}`, {
        why: run.errno ?? 'it does not say why',
      });
    },
    read: async (name) => {
      const variable = variables.find((one) => one.name === name);
      if (variable === undefined) {
        throw new ExplainedError('value-unknown', `the object has no variable ${name} in a data section`);
      }
      const { map, offset, size } = variable;
      const data = runs[next - 1]?.data[map];
      const bytes = Buffer.from(data ?? '', 'hex').subarray(offset, offset + size);
      if (bytes.length === size) return bytes;
      throw new ExplainedError(VALUE_UNKNOWN, `${loader} does not report the variable ${name}`, {
        why: `it tells ${data === undefined ? 'nothing' : `${data.length / 2} bytes`} of ${map}`,
      });
    },
  };
}

async function externsOf(
  { answer, observation }: LoaderRun,
  spec: ObjectContent,
  { guest }: LoaderCellContext,
): Promise<ExternResult[]> {
  if (spec.externs.length === 0) return [];
  if (observation === null) return withToldExterns(spec, [], answer?.externs);
  const names = observation.btfIds.size === 0 ? new Map<number, string>() : await guest.btfNames();
  const observed = observedExterns(spec, observation, (id) => names.get(id) ?? null);
  return withToldExterns(spec, observed, answer?.externs);
}
