import type { Matrix } from '../config/load.ts';
import type { CompiledProgram } from './compile.ts';
import type { RunListener } from './events.ts';
import type { EvidenceFolder } from './evidence.ts';
import type { FactValues, GuestFacts } from './facts.ts';
import type { Outcome } from './outcome.ts';
import type { BootResult, CellResult, KernelResult, RunResults } from './results.ts';
import { type BootGroup, type Cell, cellName, type SelectedKernel } from './select.ts';
import { type AppliedExpectation, findExpectation, judge, type Verdict } from './verdict.ts';

interface CollectorOptions {
  readonly matrix: Matrix;
  readonly kernels: readonly SelectedKernel[];
  readonly compiled: readonly CompiledProgram[];
  readonly evidence: EvidenceFolder;
  readonly listener: RunListener;
  readonly groups: readonly BootGroup[];
}

/** A boot that is being recorded. */
interface BootRecord {
  readonly console: string;
  ready(bootMs: number): void;
  failed(): void;
}

/** Takes what the machines report, judges it, and puts it together in the matrix's order, whatever order it came in. */
export class ResultCollector {
  readonly #options: CollectorOptions;
  readonly #cells = new Map<string, CellResult>();
  readonly #boots = new Map<string, BootResult[]>();
  readonly #facts = new Map<string, FactValues>();
  readonly #used = new Set<string>();
  #evidenceLost = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Records that a kernel is being booted, and gives the boot a console log. */
  async startBoot(kernel: string, parameters: readonly string[]): Promise<BootRecord> {
    const boots = this.#boots.get(kernel) ?? [];
    this.#boots.set(kernel, boots);
    const index = boots.length;
    boots.push({ parameters, bootMs: null, console: '' });
    const console = await this.#options.evidence.consolePath(kernel, index + 1);
    boots[index] = { parameters, bootMs: null, console };
    const boot = parameters.join(' ');
    this.#options.listener({ kind: 'boot', kernel, boot });
    return {
      console,
      ready: (bootMs) => {
        boots[index] = { parameters, bootMs, console };
        this.#options.listener({ kind: 'ready', kernel, boot, bootMs });
      },
      failed: () => {
        boots[index] = { parameters, bootMs: null, console };
      },
    };
  }

  /** The facts of a kernel are those of its first boot without parameters of a variant. */
  addFacts(kernel: string, boot: readonly string[], facts: GuestFacts): void {
    if (!this.#facts.has(kernel) || boot.length === 0) this.#facts.set(kernel, facts.values);
  }

  /** Judges a cell and keeps it. */
  async addCell(
    cell: Cell,
    outcome: Outcome,
    facts: GuestFacts | null,
    durationMs: number,
    console: string | null,
  ): Promise<void> {
    const { matrix, listener, groups } = this.#options;
    const { kernel, program, variant } = cell;
    const situation = { version: kernel.version, variant: variant.name, facts: facts?.values ?? {} };
    const expected = findExpectation(program, matrix.exceptions, situation);
    if (expected !== undefined) this.#used.add(expected.source);
    const { verdict, why } = judge(outcome, expected);
    const lastConsole = console ?? this.#boots.get(kernel.name)?.at(-1)?.console ?? null;
    const { verifierLog: _log, values: _values, ...kept } = outcome;
    const result: CellResult = {
      kernel: kernel.name,
      loader: 'ksym-matrix',
      program: program.name,
      variant: variant.name,
      outcome: kept,
      verdict,
      why,
      expected: describe(expected),
      durationMs,
      evidence: await this.#writeEvidence(cell, outcome, lastConsole),
    };
    this.#cells.set(key(cell), result);
    const total = groups.reduce((sum, group) => sum + group.cells.length, 0);
    listener({ kind: 'cell', cell: result, done: this.#cells.size, total });
  }

  /** Puts the results together. */
  finish(run: {
    readonly startedAt: string;
    readonly timings: RunResults['timings'];
    readonly complete: boolean;
    readonly toolVersion: string;
    readonly host: RunResults['host'];
  }): RunResults {
    const { groups, evidence, kernels, compiled } = this.#options;
    const cells = groups.flatMap((group) => group.cells).flatMap((cell) => this.#cells.get(key(cell)) ?? []);
    this.#warnAboutUnusedExceptions(run.complete);
    return {
      schemaVersion: 1,
      startedAt: run.startedAt,
      tool: { name: 'ksym-matrix', version: run.toolVersion },
      host: run.host,
      totals: countVerdicts(cells),
      timings: run.timings,
      kernels: kernels.map((kernel) => this.#describeKernel(kernel)),
      programs: compiled.map(({ program, warnings, sha256 }) => ({
        name: program.name,
        title: program.title,
        about: program.about ?? null,
        source: program.source,
        objectSha256: sha256 ?? null,
        compilerWarnings: warnings,
      })),
      cells,
      directory: evidence.path,
      complete: run.complete,
    };
  }

  /** A verdict is not lost because its evidence cannot be written; that is said once. */
  async #writeEvidence(cell: Cell, outcome: Outcome, console: string | null): Promise<CellResult['evidence']> {
    const { evidence, listener } = this.#options;
    try {
      return await evidence.writeCell(
        cell.kernel.name,
        cellName(cell.program.name, cell.variant.name),
        outcome,
        console,
      );
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#evidenceLost)
        listener({ kind: 'warning', text: `evidence cannot be written (${why}): some is missing` });
      this.#evidenceLost = true;
      return { console, resolution: null, verifierLog: null, values: null };
    }
  }

  #describeKernel(selected: SelectedKernel): KernelResult {
    const { release, version, source, sha256 } = selected.kernel;
    const { name } = selected;
    const facts = this.#facts.get(name) ?? {};
    return { name, release, version, source, sha256, facts, boots: this.#boots.get(name) ?? [] };
  }

  /** An exception that no cell needed is out of date, unless cells were left out. */
  #warnAboutUnusedExceptions(complete: boolean): void {
    const { matrix, kernels, compiled, listener } = this.#options;
    const all = kernels.length === matrix.kernels.length && compiled.length === matrix.programs.length;
    if (!complete || !all) return;
    matrix.exceptions.forEach((exception, index) => {
      const source = `matrix.yaml exceptions[${index}]`;
      if (this.#used.has(source)) return;
      listener({ kind: 'warning', text: `${source} applies to no cell any more: ${exception.reason}` });
    });
  }
}

function key(cell: Cell): string {
  return JSON.stringify([cell.kernel.name, cell.program.name, cell.variant.name]);
}

function describe(expected: AppliedExpectation | undefined): CellResult['expected'] {
  if (expected === undefined) return null;
  const { outcome, reason, source } = expected;
  return { outcome, reason, source };
}

function countVerdicts(cells: readonly CellResult[]): Record<Verdict, number> {
  const totals: Record<Verdict, number> = { pass: 0, xfail: 0, fail: 0, xpass: 0, panic: 0, timeout: 0, infra: 0 };
  for (const cell of cells) totals[cell.verdict]++;
  return totals;
}
