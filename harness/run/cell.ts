import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { type LoadedObject, loadObject } from '../../loader/load/load.ts';
import { LoadError } from '../../loader/load-error.ts';
import type { ObjectContent } from '../../loader/object/spec.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { ExternResolution, KernelFacts } from '../../loader/resolve/outcome.ts';
import type { Program } from '../config/load.ts';
import type { Check, ProgramRun } from '../config/schema.ts';
import { CLASS_OF_REASON, type ObservedValue, type Outcome } from './outcome.ts';
import { evaluateTruth } from './truth.ts';
import { type CellSituation, conditionHolds } from './verdict.ts';

/** What running one program on one machine needs. */
export interface CellContext {
  readonly agent: AgentConnection;
  /** The kernel as the loader is to see it, under this cell's settings. */
  readonly kernel: KernelFacts;
  /** `/proc/kallsyms` of this boot without restrictions, to compare with. */
  readonly kallsyms: Kallsyms | null;
  readonly situation: CellSituation;
}

/**
 * Loads a program's object, runs it and compares what it read with the truth.
 * @throws AgentError if the machine does not answer; everything else is an outcome
 */
export async function runCell(program: Program, spec: ObjectContent, context: CellContext): Promise<Outcome> {
  let loaded: LoadedObject;
  try {
    loaded = await loadObject(spec, { agent: context.agent, facts: context.kernel });
  } catch (error) {
    if (error instanceof AgentError) throw error;
    return describeLoadFailure(error);
  }
  try {
    return await runPrograms(program, loaded, context);
  } finally {
    await loaded.close();
  }
}

function describeLoadFailure(error: unknown): Outcome {
  if (error instanceof LoadError) {
    const { resolutions } = error;
    if (error.phase === 'resolve') {
      const broken = resolutions.find((resolution) => resolution.outcome.result === 'error');
      if (broken?.outcome.result === 'error') {
        return {
          phase: 'resolve',
          class: CLASS_OF_REASON[broken.outcome.reason],
          message: nameOnce(broken.name, `${broken.outcome.explanation} ${broken.outcome.fix}`),
          extern: broken.name,
          resolutions,
        };
      }
    }
    const log = error.verifierLog;
    return {
      phase: error.phase === 'resolve' ? 'resolve' : 'load',
      class: classOfLoadFailure(error),
      message: [error.message, error.program, error.errnoName, error.summary]
        .filter((part) => part !== null && part !== '')
        .join(': '),
      ...(error.errnoName === undefined || error.errnoName === null ? {} : { errno: error.errnoName }),
      ...(error.program === null ? {} : { program: error.program }),
      resolutions,
      ...(log === undefined || log === null || log === '' ? {} : { verifierLog: log }),
    };
  }
  if (error instanceof ExplainedError) {
    return { phase: 'resolve', class: 'object-refused', message: error.explain(), resolutions: [] };
  }
  throw error;
}

/** Most explanations name their extern; the others need it in front. */
function nameOnce(name: string, explanation: string): string {
  return explanation.includes(name) ? explanation : `${name}: ${explanation}`;
}

function classOfLoadFailure(error: LoadError): Outcome['class'] {
  switch (error.phase) {
    case 'btf':
      return 'btf-rejected';
    case 'map':
      return 'map-rejected';
    case 'load':
      // Without a log the verifier was not even asked: an unknown program type, say.
      if ((error.verifierLog ?? '') === '') return 'load-refused';
      // kernel/bpf/verifier.c: the variable is in BTF, but kallsyms_lookup_name() does not know it (CONFIG_KALLSYMS_ALL=n).
      return (error.verifierLog ?? '').includes('failed to find the address for kernel symbol')
        ? 'ksym-address-unavailable'
        : 'verifier-rejected';
    case 'resolve':
      return 'object-refused';
  }
}

async function runPrograms(program: Program, loaded: LoadedObject, context: CellContext): Promise<Outcome> {
  const { resolutions } = loaded;
  const values: ObservedValue[] = [];
  for (const run of program.run) {
    for (const cpu of cpusOf(run, context.agent.hello.cpus)) {
      const failure = await runOnce(run, cpu, loaded, resolutions);
      if (failure !== undefined) return failure;
      const checks = (program.checks ?? []).filter((check) => conditionHolds(check.when ?? {}, context.situation));
      for (const check of checks) values.push(await observe(check, run, cpu, loaded, context));
    }
  }
  const wrong = values.find((value) => !value.holds);
  if (wrong === undefined) {
    return {
      phase: 'check',
      class: 'ok',
      message: `${values.length} values are as they should be`,
      resolutions,
      values,
    };
  }
  const count = values.filter((value) => !value.holds).length;
  return {
    phase: 'check',
    class: 'wrong-value',
    message:
      `${wrong.variable} is ${wrong.value} after ${wrong.program} ran on CPU ${wrong.cpu}, and should ` +
      `${wrong.relation === 'equals' ? 'be' : 'not be'} ${wrong.truth}${count > 1 ? ` (${count} values are wrong)` : ''}`,
    program: wrong.program,
    resolutions,
    values,
  };
}

function cpusOf(run: ProgramRun, count: number): number[] {
  return run.cpus === 'each' ? Array.from({ length: count }, (_, cpu) => cpu) : [0];
}

async function runOnce(
  run: ProgramRun,
  cpu: number,
  loaded: LoadedObject,
  resolutions: readonly ExternResolution[],
): Promise<Outcome | undefined> {
  const { program } = run;
  try {
    const { retval } = await loaded.program(program).testRun({ cpu });
    if (run.returns === undefined || retval === run.returns) return undefined;
    const message = `${program} returned ${retval} on CPU ${cpu}, and should return ${run.returns}`;
    return { phase: 'run', class: 'wrong-return-value', message, program, resolutions };
  } catch (error) {
    if (error instanceof AgentError || !(error instanceof ExplainedError)) throw error;
    return { phase: 'run', class: 'test-run-failed', message: error.explain(), program, resolutions };
  }
}

async function observe(
  check: Check,
  run: ProgramRun,
  cpu: number,
  loaded: LoadedObject,
  context: CellContext,
): Promise<ObservedValue> {
  const readVariable = async (name: string): Promise<bigint> => unsigned(await loaded.variable(name).read());
  const relation = check.equals === undefined ? 'differs' : 'equals';
  const truth = check.equals ?? check.differs ?? 0;
  const value = await readVariable(check.variable);
  const { agent, kallsyms } = context;
  const wanted = await evaluateTruth(truth, { agent, kallsyms, cpu, readVariable });
  return {
    program: run.program,
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
