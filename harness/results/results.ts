import type { z } from 'zod';
import type { resultsSchema } from './schema.ts';

/** Everything that a run found out, as plain JSON; schema.ts says what each part is. */
export type RunResults = Readonly<Deep<z.infer<typeof resultsSchema>>>;

/** The software and machine that a run used. */
export type HostDescription = RunResults['host'];

/** How cells shared machines, how many ran at a time, and whether machines were saved and restored; with reasons, for people. */
export type EngineDescription = RunResults['engine'];

/** What was run: repository, commit. */
export type Origin = RunResults['origin'];

/** A kernel of a run, with its facts and boots. */
export type KernelResult = RunResults['kernels'][number];

/** One boot that machines came from. */
export type BootResult = KernelResult['boots'][number];

/** A program of a run, with its C source. */
export type ProgramResult = RunResults['programs'][number];

/** A loader of a run. */
export type LoaderResult = RunResults['loaders'][number];

/** A program on a kernel by a loader: what happened, what was expected, and what is known about it. */
export type CellResult = RunResults['cells'][number];

/** What became of an extern. */
export type ExternResult = CellResult['externs'][number];

/** A variable read after a test run, beside what it was compared with. */
export type ObservedValue = CellResult['values'][number];

/** The line of the C source that decided a cell. */
export type SourceLocation = NonNullable<CellResult['location']>;

/** What the kernel complained of on its console. */
export type SplatResult = CellResult['splats'][number];

/** One time of several that a cell was run. */
export type AttemptResult = NonNullable<CellResult['attempts']>[number];

/** Paths of files, relative to the folder of the run. */
export type Evidence = CellResult['evidence'];

/** Since when, and until when, each program works. */
export type RangesResult = RunResults['ranges'];

/** Kernels of one source and flavour by name, oldest first. */
export type AxisResult = RangesResult['axes'][number];

/** The ranges of one program with one variant and one loader: axis by axis, oldest first, without a gap; then one for each kernel that is on none. */
export type ProgramRanges = RangesResult['programs'][number];

/**
 * Neighbours on an axis on which a program ended alike, whether that was expected or not. What lies between two kernels that were looked at is
 * not known. `unknown`: not run, flaky, or the harness broke.
 */
export type OutcomeRange = ProgramRanges['ranges'][number];

/** What the loaders of a run disagree about. */
export type DifferencesResult = NonNullable<RunResults['differences']>;

/** A known difference as the results tell it. */
export type KnownDifferenceResult = DifferencesResult['known'][number];

/** A program on a kernel, on which loaders disagree. */
export type Disagreement = DifferencesResult['disagreements'][number];

/** Read-only all the way down. */
type Deep<T> = T extends (infer Item)[]
  ? readonly Deep<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Deep<T[Key]> }
    : T;
