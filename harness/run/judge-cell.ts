import type { ObjectContent } from '../../loader/object/spec.ts';
import { resolveExterns } from '../../loader/resolve/externs.ts';
import type { ExternResolution } from '../../loader/resolve/outcome.ts';
import type { Matrix } from '../config/load.ts';
import { OUR_LOADER } from '../config/loader-entries.ts';
import type { KnownDifference } from '../loaders/differences.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import type { CompiledProgram } from './compile.ts';
import { findLoaderExpectation, judgeLoader, type LoaderExpectation } from './judge-loader.ts';
import { findDifference, type LoaderSituation } from './known-differences.ts';
import type { Outcome } from './outcome.ts';
import type { Attempt } from './run-stint.ts';
import type { Cell } from './select.ts';
import { findExpectation, type Judgement, judge } from './verdict.ts';

/** What cells are judged by. */
export interface JudgeOptions {
  readonly matrix: Pick<Matrix, 'exceptions'>;
  readonly compiled: ReadonlyMap<string, Pick<CompiledProgram, 'spec'>>;
  /** The loaders of the run; one that is not among them is judged as of an unknown version. */
  readonly loaders: readonly Pick<PreparedLoader, 'name' | 'family' | 'version' | 'like'>[];
  readonly differences: readonly KnownDifference[];
}

/** A judgement, with what it went by. */
export interface JudgedCell extends Judgement {
  /** Undefined if nothing covers the cell. */
  readonly expected: LoaderExpectation | undefined;
  /** The known difference that the cell falls under; of ours, the one that says why it stands alone. */
  readonly difference: KnownDifference | undefined;
}

/** Judges an attempt at a cell, whichever loader made it. */
export function judgeCell(cell: Cell, attempt: Attempt, options: JudgeOptions): JudgedCell {
  const { loader, program } = cell;
  const { matrix, differences } = options;
  const { outcome } = attempt;
  if (loader.request.kind === 'ksym-matrix') {
    const expected = findExpectation(program, matrix.exceptions, situationOf(cell, attempt));
    const own = differences.filter((one) => one.loader === OUR_LOADER);
    const alone = own.length === 0 ? undefined : findDifference(own, loaderSituation(cell, attempt, options));
    const difference = alone !== undefined && describes(alone, outcome) ? alone : undefined;
    return { ...judge(outcome, expected), expected, difference };
  }
  const situation = loaderSituation(cell, attempt, options);
  // What fails before a loader is started, such as a module that the kernel lacks, is as with any loader.
  const isStarted = outcome.phase !== 'compile' && outcome.phase !== 'boot';
  const expected = findLoaderExpectation(program, matrix.exceptions, isStarted ? differences : [], situation);
  return { ...judgeLoader(outcome, expected, situation.externs), expected, difference: expected?.difference };
}

function situationOf(
  { kernel, variant }: Cell,
  { state }: Attempt,
): Pick<LoaderSituation, 'version' | 'variant' | 'facts'> {
  return { version: kernel.version, variant: variant.name, facts: state?.values ?? {} };
}

function loaderSituation(cell: Cell, attempt: Attempt, { compiled, loaders }: JudgeOptions): LoaderSituation {
  const { loader, program } = cell;
  const prepared = loaders.find(({ name }) => name === loader.name);
  const spec = compiled.get(program.name)?.spec ?? null;
  return {
    ...situationOf(cell, attempt),
    family: prepared?.family ?? loader.name,
    loaderVersion: prepared?.version ?? '',
    like: prepared?.like,
    program: program.name,
    spec,
    externs: rulesFor(spec, attempt),
    kallsyms: attempt.state?.kernel.kallsyms ?? null,
  };
}

/** What is known of the cell itself goes before what is known of its kernel. */
function rulesFor(spec: ObjectContent | null, { outcome, state }: Attempt): readonly ExternResolution[] {
  if (outcome.rules !== undefined) return outcome.rules;
  if (outcome.resolutions.length > 0 || spec === null || state === null) return outcome.resolutions;
  return resolveExterns(spec, state.kernel);
}

function describes({ outcome: told }: KnownDifference, outcome: Outcome): boolean {
  return told === 'works' ? outcome.class === 'ok' : told.class === outcome.class;
}
