import { basename, join, relative } from 'node:path';
import type { Matrix } from '../config/load.ts';
import type { KnownDifference } from '../loaders/differences.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import { deriveDisagreements } from '../results/disagreements.ts';
import type { DatedKernel } from '../results/kernel-axes.ts';
import { deriveRanges } from '../results/ranges.ts';
import type { AttemptResult, CellResult, KernelResult, RunResults } from '../results/results.ts';
import { RESULTS_SCHEMA_VERSION } from '../results/schema.ts';
import { countVerdicts, RED_VERDICTS } from '../results/verdicts.ts';
import type { OpenedMachine } from '../vm/machine-source.ts';
import { splatExcerpt } from '../vm/splats.ts';
import { bootDigest } from './boot-digest.ts';
import { BootLedger } from './boot-ledger.ts';
import { evidenceFolder, nameWithLoader } from './cell-places.ts';
import type { CompiledProgram } from './compile.ts';
import { describeEvidence, describeProgram, toPosix } from './describe-cell.ts';
import type { RunListener } from './events.ts';
import type { EvidenceFolder } from './evidence.ts';
import type { FactValues } from './facts.ts';
import { type JudgedCell, judgeCell } from './judge-cell.ts';
import type { Outcome } from './outcome.ts';
import type { Attempt } from './run-stint.ts';
import { type BootGroup, type Cell, describeGroup, type SelectedKernel } from './select.ts';
import { SourceFiles } from './source-files.ts';
import { locateInSource } from './source-line.ts';
import { complainOfUnused } from './unused-expectations.ts';
import { describeDifference } from './used-differences.ts';
import type { Judgement } from './verdict.ts';

interface CollectorOptions {
  readonly matrix: Matrix;
  readonly kernels: readonly SelectedKernel[];
  /** Kernels of the matrix that are not run: what a program does on them is unknown. Default: none. */
  readonly passedOver?: readonly DatedKernel[];
  readonly compiled: readonly CompiledProgram[];
  readonly evidence: EvidenceFolder;
  readonly listener: RunListener;
  readonly groups: readonly BootGroup[];
  /** Of the run. Default: none but ours. */
  readonly loaders?: readonly PreparedLoader[];
  /** What is known of them. Default: nothing. */
  readonly differences?: readonly KnownDifference[];
  /** Folder that paths of programs are told relative to. */
  readonly root: string;
}

/** Lines of a splat that are part of the results; all of them are in the console log. */
const SPLAT_LINES = 20;

/** Takes what the machines report, judges it, and puts it together in the matrix's order, whatever order it came in. */
export class ResultCollector {
  readonly #options: CollectorOptions;
  readonly #cells = new Map<string, CellResult>();
  readonly #boots = new BootLedger();
  readonly #machines = new Map<string, number>();
  readonly #facts = new Map<string, FactValues>();
  readonly #used = new Set<string>();
  readonly #usedDifferences = new Set<string>();
  readonly #bootLogs = new Map<string, Promise<string>>();
  readonly #compiled: ReadonlyMap<string, CompiledProgram>;
  readonly #sources: SourceFiles;
  #evidenceLost = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#compiled = new Map(options.compiled.map((one) => [one.program.name, one]));
    this.#sources = new SourceFiles(options.root);
  }

  /** A path for the console log of a kernel's next machine. */
  consolePath(kernel: string): Promise<string> {
    const machine = (this.#machines.get(kernel) ?? 0) + 1;
    this.#machines.set(kernel, machine);
    return this.#options.evidence.consolePath(kernel, machine);
  }

  /** Records a machine that came up, and the facts of its kernel, which are those of its plain machine if there is one. */
  async addMachine(group: BootGroup, { machine, observations, boot }: OpenedMachine, facts: FactValues): Promise<void> {
    const { name } = group.kernel;
    const { key } = observations;
    const restored = machine.beginning === 'restored';
    this.#boots.need(name, key);
    const console = restored ? await this.#keepBootLog(name, key, boot.log) : machine.console.path;
    this.#boots.add(name, group, { key, origin: boot, console }, restored ? machine.readyMs : null);
    if (!this.#facts.has(name) || describeGroup(group) === '') this.#facts.set(name, facts);
    const { beginning, readyMs } = machine;
    this.#options.listener({ kind: 'ready', kernel: name, boot: describeGroup(group), beginning, readyMs });
  }

  /** Records a boot that failed. */
  addBootFailure(group: BootGroup, console: string): void {
    this.#boots.addFailure(group.kernel.name, group, console);
  }

  /** What an attempt is worth. */
  judge(cell: Cell, attempt: Attempt): JudgedCell {
    const { matrix, loaders = [], differences = [] } = this.#options;
    return judgeCell(cell, attempt, { matrix, compiled: this.#compiled, loaders, differences });
  }

  /** Whether an attempt is not as expected. */
  isRed(cell: Cell, attempt: Attempt): boolean {
    return RED_VERDICTS.has(this.judge(cell, attempt).verdict);
  }

  /** Judges a cell and keeps it. Attempts that differ make the cell flaky, and then the first red one is what is told of it, else the last. */
  async addCell(cell: Cell, attempts: readonly Attempt[]): Promise<void> {
    const last = attempts.at(-1);
    if (last === undefined) return;
    const { listener, groups } = this.#options;
    const { kernel, loader, program, variant } = cell;
    const { expected, difference, ...judged } = this.judge(cell, last);
    if (expected !== undefined) this.#used.add(expected.source);
    if (difference !== undefined) this.#usedDifferences.add(difference.id);
    const history = attempts.length === 1 ? undefined : await this.#describeAttempts(cell, attempts);
    const { verdict, why } = history === undefined ? judged : overall(judged, history);
    const red = attempts.findIndex((one) => this.isRed(cell, one));
    const told = verdict === 'flaky' ? red : attempts.length - 1;
    const attempt = attempts[told] ?? last;
    const kept = withoutEvidence(attempt.outcome);
    const source = this.#compiled.get(program.name);
    const boot = (this.#options.loaders ?? []).length > 1 ? bootDigest(attempt.state) : undefined;
    const result: CellResult = {
      kernel: kernel.name,
      loader: loader.name,
      program: program.name,
      variant: variant.name,
      outcome: kept,
      verdict,
      why,
      expected: describe(expected),
      ...(difference === undefined ? {} : { difference: difference.id }),
      ...(boot === undefined ? {} : { boot }),
      durationMs: attempt.durationMs,
      ...describeEvidence(attempt),
      location: source === undefined ? null : await locateInSource(source, attempt.outcome, this.#sources),
      evidence: history?.[told]?.evidence ?? (await this.#writeEvidence(cell, attempt)),
      splats: attempt.splats.map((splat) => {
        const { rule, kind, text, allowed } = splat;
        return { rule, kind, text, allowed, lines: splatExcerpt(splat, SPLAT_LINES) };
      }),
      leftovers: attempt.leftovers,
      ...(history === undefined ? {} : { attempts: history }),
    };
    this.#cells.set(key(cell), result);
    const name = nameWithLoader(cell);
    if (attempt.leftovers.length > 0) {
      listener({ kind: 'leftovers', kernel: kernel.name, cell: name, what: attempt.leftovers });
    }
    const total = groups.reduce((sum, group) => sum + group.cells.length, 0);
    listener({ kind: 'cell', cell: result, done: this.#cells.size, total });
  }

  /** Puts the results together. */
  async finish(run: {
    readonly startedAt: string;
    readonly timings: RunResults['timings'];
    readonly complete: boolean;
    readonly toolVersion: string;
    readonly loaders: RunResults['loaders'];
    readonly origin: RunResults['origin'];
    readonly host: RunResults['host'];
    readonly engine: RunResults['engine'];
  }): Promise<RunResults> {
    const { groups, evidence, kernels, compiled, matrix, root, differences: known = [] } = this.#options;
    const cells = groups.flatMap((group) => group.cells).flatMap((cell) => this.#cells.get(key(cell)) ?? []);
    const kernelResults = kernels.map((kernel) => this.#describeKernel(kernel));
    for (const text of complainOfUnused(this.#options, run.complete, this.#used, this.#usedDifferences, this.#facts)) {
      this.#options.listener({ kind: 'warning', text });
    }
    const differences = deriveDisagreements({ cells, loaders: run.loaders }, known.map(describeDifference));
    return {
      schemaVersion: RESULTS_SCHEMA_VERSION,
      id: basename(evidence.path),
      startedAt: run.startedAt,
      tool: { name: 'ksym-matrix', version: run.toolVersion },
      origin: run.origin,
      matrix: { path: toPosix(relative(root, matrix.path)), title: matrix.title ?? null },
      shards: 1,
      host: run.host,
      engine: run.engine,
      totals: countVerdicts(cells),
      timings: run.timings,
      loaders: [...run.loaders],
      kernels: kernelResults,
      programs: await Promise.all(compiled.map((one) => describeProgram(one, root))),
      cells,
      ranges: deriveRanges([...kernelResults, ...(this.#options.passedOver ?? [])], cells),
      ...(differences === undefined ? {} : { differences }),
      directory: evidence.path,
      complete: run.complete,
    };
  }

  /** Each attempt has a folder of its own for what it left. */
  async #describeAttempts(cell: Cell, attempts: readonly Attempt[]): Promise<AttemptResult[]> {
    const described: AttemptResult[] = [];
    for (const [index, attempt] of attempts.entries()) {
      const { verdict, why } = this.judge(cell, attempt);
      const { outcome, durationMs, console } = attempt;
      const evidence = await this.#writeEvidence(cell, attempt, `attempt-${index + 1}`);
      const log = console === null ? null : this.#options.evidence.relative(console);
      described.push({ verdict, class: outcome.class, why, durationMs, console: log, evidence });
    }
    return described;
  }

  /** Machines of one boot share its log. */
  #keepBootLog(kernel: string, key: string, log: string): Promise<string> {
    const id = `${kernel} ${key}`;
    const kept =
      this.#bootLogs.get(id) ??
      this.#options.evidence.keepBootLog(kernel, this.#boots.next(kernel), log).catch((error: unknown) => {
        this.#warnOfLoss(error);
        return log;
      });
    this.#bootLogs.set(id, kept);
    return kept;
  }

  /** A verdict is not lost because its evidence cannot be written. */
  async #writeEvidence(cell: Cell, attempt: Attempt, folder?: string): Promise<CellResult['evidence']> {
    const name = join(evidenceFolder(cell), folder ?? '');
    const { outcome, console, consoleLines } = attempt;
    const lastConsole = console ?? this.#boots.of(cell.kernel.name).at(-1)?.console ?? null;
    try {
      return await this.#options.evidence.writeCell(cell.kernel.name, name, outcome, lastConsole, consoleLines);
    } catch (error) {
      this.#warnOfLoss(error);
      return {
        console: lastConsole === null ? null : this.#options.evidence.relative(lastConsole),
        cellConsole: null,
        resolution: null,
        verifierLog: null,
        values: null,
      };
    }
  }

  /** Said once. */
  #warnOfLoss(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    if (!this.#evidenceLost)
      this.#options.listener({ kind: 'warning', text: `evidence cannot be written (${why}): some is missing` });
    this.#evidenceLost = true;
  }

  #describeKernel(selected: SelectedKernel): KernelResult {
    const { release, version, source, kind, flavour, sha256 } = selected.kernel;
    const { name } = selected;
    const facts = this.#facts.get(name) ?? {};
    return {
      name,
      release,
      version,
      source,
      kind,
      flavour,
      sha256,
      facts,
      boots: this.#boots.of(name).map((boot) => ({ ...boot, console: this.#options.evidence.relative(boot.console) })),
    };
  }
}

/** The rest of an outcome has places of its own in the results. */
function withoutEvidence(outcome: Outcome): CellResult['outcome'] {
  const { phase, class: kind, fault, message, errno, extern, program } = outcome;
  return {
    ...{ phase, class: kind, message },
    ...(fault === undefined ? {} : { fault }),
    ...(errno === undefined ? {} : { errno }),
    ...(extern === undefined ? {} : { extern }),
    ...(program === undefined ? {} : { program }),
  };
}

function key(cell: Cell): string {
  return JSON.stringify([cell.kernel.name, cell.loader.name, cell.program.name, cell.variant.name]);
}

/** The verdict over several attempts: they agree, or the cell is flaky. */
function overall(last: Judgement, attempts: readonly AttemptResult[]): Judgement {
  const answers = new Set(attempts.map((attempt) => `${attempt.verdict} (${attempt.class})`));
  if (answers.size === 1)
    return { verdict: last.verdict, why: `${last.why} (${attempts.length} times out of ${attempts.length})` };
  return {
    verdict: 'flaky',
    why: `run ${attempts.length} times: ${[...answers].join(', then ')}; the last: ${last.why}`,
  };
}

function describe(expected: JudgedCell['expected']): CellResult['expected'] {
  if (expected === undefined) return null;
  const { outcome, reason, source } = expected;
  return { outcome, reason, source };
}
