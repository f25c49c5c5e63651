import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { Program } from '../config/load.ts';
import type { Check } from '../config/schema.ts';
import type { WantedRun } from '../loaders/prepared-loader.ts';
import type { ObservedValue, Outcome } from './outcome.ts';
import { evaluateTruth } from './truth.ts';
import { type CellSituation, conditionHolds } from './verdict.ts';

/** A loaded object as a cell's runs and checks see it, whichever loader has loaded it. */
export interface LoadedPrograms {
  /** Makes a test run and gives what the program returned, an unsigned 32-bit number. Throws ExplainedError if it could not be run, AgentError. */
  readonly run: (program: string, cpu: number) => Promise<number>;
  /** The bytes of a variable after the last run, little-endian. */
  readonly read: (variable: string) => Promise<Uint8Array>;
}

/** Where the truth comes from, and what conditions are asked about. */
export interface CheckContext {
  readonly agent: AgentConnection;
  /** `/proc/kallsyms` of this boot without restrictions, to compare with. */
  readonly kallsyms: Kallsyms | null;
  readonly situation: CellSituation;
}

/** The test runs of a program in a machine with so many CPUs, in order. */
export function wantedRuns(program: Pick<Program, 'run'>, cpus: number): WantedRun[] {
  return program.run.flatMap((run) =>
    Array.from({ length: run.cpus === 'each' ? cpus : 1 }, (_, cpu) => ({ program: run.program, cpu })),
  );
}

/**
 * Makes a program's test runs and its checks after each of them.
 * @throws AgentError if the machine does not answer; ExplainedError for a fault of the harness, such as a truth that cannot be had
 */
export async function runPrograms(
  program: Program,
  loaded: LoadedPrograms,
  context: CheckContext,
): Promise<Omit<Outcome, 'resolutions'>> {
  const values: ObservedValue[] = [];
  const checks = (program.checks ?? []).filter((check) => conditionHolds(check.when ?? {}, context.situation));
  for (const run of program.run) {
    for (const wanted of wantedRuns({ run: [run] }, context.agent.hello.cpus)) {
      const failure = await runOnce(wanted, run.returns, loaded);
      if (failure !== undefined) return failure;
      for (const check of checks) values.push(await observe(check, wanted, loaded, context));
    }
  }
  const wrong = values.filter((value) => !value.holds);
  const [first] = wrong;
  if (first === undefined) {
    return { phase: 'check', class: 'ok', message: `${values.length} values are as they should be`, values };
  }
  return {
    phase: 'check',
    class: 'wrong-value',
    message:
      `${first.variable} is ${first.value} after ${first.program} ran on CPU ${first.cpu}, and should ` +
      `${first.relation === 'equals' ? 'be' : 'not be'} ${first.truth}${wrong.length > 1 ? ` (${wrong.length} values are wrong)` : ''}`,
    program: first.program,
    values,
  };
}

async function runOnce(
  { program, cpu }: WantedRun,
  returns: number | undefined,
  loaded: LoadedPrograms,
): Promise<Omit<Outcome, 'resolutions'> | undefined> {
  try {
    const returned = await loaded.run(program, cpu);
    if (returns === undefined || returned === returns) return undefined;
    const message = `${program} returned ${returned} on CPU ${cpu}, and should return ${returns}`;
    return { phase: 'run', class: 'wrong-return-value', message, program };
  } catch (error) {
    if (error instanceof AgentError || !(error instanceof ExplainedError)) throw error;
    return { phase: 'run', class: 'test-run-failed', message: error.explain(), program };
  }
}

async function observe(
  check: Check,
  { program, cpu }: WantedRun,
  loaded: LoadedPrograms,
  { agent, kallsyms }: CheckContext,
): Promise<ObservedValue> {
  const readVariable = async (name: string): Promise<bigint> => unsigned(await loaded.read(name));
  const relation = check.equals === undefined ? 'differs' : 'equals';
  const truth = check.equals ?? check.differs ?? 0;
  const value = await readVariable(check.variable);
  const wanted = await evaluateTruth(truth, { agent, kallsyms, cpu, readVariable });
  return {
    program,
    cpu,
    variable: check.variable,
    value: `0x${value.toString(16)}`,
    relation,
    truth: `0x${wanted.toString(16)}`,
    holds: (value === wanted) === (relation === 'equals'),
  };
}

/** A variable of up to eight bytes as an unsigned number; the guest is little-endian. */
function unsigned(bytes: Uint8Array): bigint {
  return [...bytes].reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
