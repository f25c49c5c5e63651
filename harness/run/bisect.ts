import { KernelStore } from '../../kernels/store.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { ConfigError } from '../config/yaml-file.ts';
import type { CellResult, KernelResult } from '../results/results.ts';
import { type BisectPlan, type BisectQuestion, planBisect } from './bisect-plan.ts';
import { type BisectFinding, bisect, type Probe } from './bisect-search.ts';
import type { DatedRequest } from './dated-request.ts';
import { type RunOptions, runMatrix } from './run-matrix.ts';

/** A question, and how its cells are run. */
export interface BisectOptions
  extends BisectQuestion,
    Pick<RunOptions, 'accelerator' | 'templates' | 'append' | 'cache' | 'mirror' | 'lock' | 'listener' | 'signal'> {
  readonly onPlan: (plan: BisectPlan) => void;
  readonly onStep: (step: BisectStep) => void;
}

/** What was seen on a kernel. */
export interface KernelEvidence {
  readonly kernel: KernelResult;
  readonly cell: CellResult;
  /** Folder of the run that it is from. */
  readonly directory: string;
}

/** One kernel that was looked at. */
export interface BisectStep {
  readonly kernel: string;
  /** Counts from one, the ends included. */
  readonly number: number;
  /** {@link outcomeName}; null if the kernel was skipped. */
  readonly outcome: string | null;
  /** Why it was skipped; null if it was not. */
  readonly skipped: string | null;
  readonly milliseconds: number;
}

/** Everything that a bisection found out; `--json` writes this. Additions keep `schemaVersion`, other changes raise it. */
export interface BisectReport {
  readonly schemaVersion: 1;
  readonly program: string;
  readonly variant: string;
  readonly loader: string;
  /** What the kernels have in common, for people. */
  readonly axis: string;
  /** Names, oldest first. */
  readonly kernels: readonly string[];
  readonly leftOut: readonly string[];
  readonly steps: readonly BisectStep[];
  readonly finding: BisectFinding<string, KernelEvidence>;
}

/**
 * Finds the kernel on which a program's outcome changes. Only the kernels that are looked at are fetched and booted.
 *
 * @throws ConfigError, ExplainedError for what stops the whole search: `bisect-too-many-skipped`, `bisect-not-compiled`, `disk-full` and
 *   others; the signal's reason if it aborts
 */
export async function runBisect(options: BisectOptions): Promise<BisectReport> {
  const { listener, signal, cache, matrix } = options;
  const store = new KernelStore({
    cache,
    mirror: { option: options.mirror, matrix: matrix.mirror },
    lock: options.lock,
    onProgress: (progress) => listener({ kind: 'kernel-progress', progress }),
    onMessage: (text) => listener({ kind: 'warning', text }),
    signal,
  });
  const plan = await planBisect(options, store);
  options.onPlan(plan);
  const steps: BisectStep[] = [];
  const found = await bisect(plan.kernels, async (kernel) => {
    const started = performance.now();
    const number = steps.length + 1;
    const detail = `${plan.program.name} on ${kernel.name}`;
    listener({ kind: 'phase', phase: 'cells', detail });
    const probe = await look(kernel, plan, store, options);
    const step = {
      kernel: kernel.name,
      number,
      outcome: probe.kind === 'answer' ? probe.answer : null,
      skipped: probe.kind === 'skip' ? probe.why : null,
      milliseconds: performance.now() - started,
    };
    steps.push(step);
    options.onStep(step);
    return probe;
  });
  return {
    schemaVersion: 1,
    program: plan.program.name,
    variant: plan.variant.name,
    loader: plan.loader.name,
    axis: plan.axis,
    kernels: plan.kernels.map(({ name }) => name),
    leftOut: plan.leftOut,
    steps,
    finding: byName(found),
  };
}

/** What two kernels are compared by: `works`, or the class and phase of the failure. */
export function outcomeName({ class: kind, phase }: CellResult['outcome']): string {
  return kind === 'ok' ? 'works' : `${kind} in phase ${phase}`;
}

/** Errors that no other kernel would do without. */
const HOPELESS: ReadonlySet<string> = new Set(['disk-full', 'packages-missing', 'not-locked']);

/** Runs the program on one kernel, in a run of its own. */
async function look(
  { request, name }: DatedRequest,
  { program, variant, loader }: BisectPlan,
  store: KernelStore,
  options: BisectOptions,
): Promise<Probe<KernelEvidence>> {
  const { matrix, signal, listener } = options;
  const only = { ...program, variants: [variant.name] };
  try {
    // Said apart from a run: a kernel that cannot be had is not the program's fault.
    const kernel = await store.get(request, { modules: program.modules ?? [] });
    const results = await runMatrix({
      ...options,
      matrix: {
        ...matrix,
        kernels: [{ request, name }],
        loaders: [loader],
        programs: matrix.programs.map((one) => (one.name === program.name ? only : one)),
      },
      filters: { kernels: [], programs: [program.name] },
      jobs: 1,
      isolation: undefined,
      retries: 0,
      runs: 'bisections',
      setupMs: 0,
      listener: (event) => {
        if (event.kind === 'kernel-progress' || event.kind === 'boot' || event.kind === 'warning') listener(event);
      },
    });
    signal.throwIfAborted();
    const [cell, found] = [results.cells[0], results.kernels[0]];
    if (cell === undefined || found === undefined) return { kind: 'skip', why: `nothing was run on ${kernel.release}` };
    return judgeCell(cell, { kernel: found, cell, directory: results.directory });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ExplainedError) || error instanceof ConfigError || HOPELESS.has(error.code)) throw error;
    if (error.code === 'bisect-not-compiled') throw error;
    return { kind: 'skip', why: error.explain() };
  }
}

/** Classes of the phase `boot` that say something of the kernel as it is, which did boot. */
const ANSWERS_OF_BOOT: ReadonlySet<string> = new Set(['variant-unavailable', 'module-missing', 'module-load-failed']);

function judgeCell(cell: CellResult, evidence: KernelEvidence): Probe<KernelEvidence> {
  const { class: kind, phase, message } = cell.outcome;
  if (kind === 'infra') return { kind: 'skip', why: message };
  if (phase === 'compile') {
    throw new ExplainedError('bisect-not-compiled', `${cell.program} cannot be compiled, on whatever kernel`, {
      why: message,
    });
  }
  if (phase === 'boot' && !ANSWERS_OF_BOOT.has(kind)) return { kind: 'skip', why: `does not boot: ${message}` };
  return { kind: 'answer', answer: outcomeName(cell.outcome), evidence };
}

function byName(found: BisectFinding<DatedRequest, KernelEvidence>): BisectFinding<string, KernelEvidence> {
  const rename = <T extends { readonly item: DatedRequest }>(one: T): Omit<T, 'item'> & { readonly item: string } => ({
    ...one,
    item: one.item.name,
  });
  const skipped = found.skipped.map(rename);
  switch (found.kind) {
    case 'no-answer':
      return { ...found, only: found.only === null ? null : rename(found.only), skipped };
    case 'no-change':
      return { ...found, oldest: rename(found.oldest), newest: rename(found.newest), skipped };
    case 'change':
      return {
        ...found,
        before: rename(found.before),
        after: rename(found.after),
        newest: rename(found.newest),
        between: found.between.map(({ name }) => name),
        others: found.others.map(rename),
        skipped,
      };
  }
}
