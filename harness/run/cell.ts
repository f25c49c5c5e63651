import { AgentError } from '../../loader/agent/agent-error.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { type LoadedObject, loadObject } from '../../loader/load/load.ts';
import { LoadError } from '../../loader/load-error.ts';
import type { ObjectContent } from '../../loader/object/spec.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import type { Program } from '../config/load.ts';
import { CLASS_OF_REASON, type Outcome } from './outcome.ts';
import { type CheckContext, runPrograms } from './run-programs.ts';

/** What running one program on one machine needs. */
export interface CellContext extends CheckContext {
  /** The kernel as the loader is to see it, under this cell's settings. */
  readonly kernel: KernelFacts;
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
    const ran = await runPrograms(
      program,
      {
        run: async (name, cpu) => (await loaded.program(name).testRun({ cpu })).retval,
        read: (name) => loaded.variable(name).read(),
      },
      context,
    );
    return { ...ran, resolutions: loaded.resolutions };
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
      return classOfRefusal(error.verifierLog ?? '');
    case 'resolve':
      return 'object-refused';
  }
}

/** What a BPF_PROG_LOAD that the kernel refused is, by the verifier's log. */
export function classOfRefusal(verifierLog: string): 'load-refused' | 'ksym-address-unavailable' | 'verifier-rejected' {
  // Without a log the verifier was not even asked: an unknown program type, say.
  if (verifierLog === '') return 'load-refused';
  // kernel/bpf/verifier.c: the variable is in BTF, but kallsyms_lookup_name() does not know it (CONFIG_KALLSYMS_ALL=n).
  return verifierLog.includes('failed to find the address for kernel symbol')
    ? 'ksym-address-unavailable'
    : 'verifier-rejected';
}
