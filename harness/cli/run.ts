import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { loadMatrix } from '../config/load.ts';
import { renderDetails } from '../report/details.ts';
import { renderGrid } from '../report/grid.ts';
import { paintFor } from '../report/paint.ts';
import { renderRanges } from '../report/ranges.ts';
import { renderSummary } from '../report/summary.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import type { RunResults } from '../results/results.ts';
import { toJson, writeWhole } from '../results/write.ts';
import { runMatrix } from '../run/run-matrix.ts';
import type { Isolation } from '../run/stints.ts';
import { requireTools } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { lockOf } from './open-store.ts';
import { createPause } from './pause-on-fail.ts';
import { createProgressView } from './progress.ts';
import { reportError } from './report-error.ts';
import { installSystemPackages } from './setup.ts';

export interface RunCommandOptions {
  readonly matrix: string;
  readonly kernel?: string[];
  readonly program?: string[];
  readonly jobs?: number;
  readonly isolate?: Isolation;
  /** False with --no-templates. */
  readonly templates: boolean;
  readonly retries: number;
  readonly flakyOk?: true;
  readonly pauseOnFail?: true;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly append?: string[];
  readonly debianMirror?: string;
  readonly json?: string;
  readonly setup?: true;
  readonly locked?: true;
}

/** `ksym-matrix run` */
export async function run(options: RunCommandOptions): Promise<number> {
  const matrix = await loadMatrix(resolve(options.matrix));
  const lock = await lockOf(options.matrix, options.locked);
  const cache = cacheDirectory();
  await requirePlaceFor(options.json);
  const builds = matrix.kernels.some(({ request }) => 'build' in request);
  if (options.setup === true) await installSystemPackages({ tests: false, builds });
  else requireTools();
  const view = createProgressView(process.stderr);
  return interruptible(async (interruption) => {
    const stopped = new AbortController();
    const signal = AbortSignal.any([interruption, stopped.signal]);
    let results: RunResults;
    try {
      results = await runMatrix({
        matrix,
        filters: { kernels: options.kernel ?? [], programs: options.program ?? [] },
        accelerator: options.accel,
        jobs: options.jobs,
        isolation: options.isolate,
        templates: options.templates,
        retries: options.retries,
        ...(options.pauseOnFail === true ? { onRed: createPause(view, signal, () => stopped.abort()) } : {}),
        append: options.append ?? [],
        cache,
        mirror: options.debianMirror,
        lock,
        setupMs: performance.now(),
        listener: view.show,
        signal,
      });
    } catch (error) {
      view.end();
      if (!signal.aborted) throw error;
      return EXIT.interrupted;
    }
    view.end();
    const written = await report(results, options.json);
    if (signal.aborted) return EXIT.interrupted;
    return written === EXIT.ok ? exitCodeOf(results, options.flakyOk === true) : written;
  });
}

/** A run takes a while: what must fail at its end fails before. */
async function requirePlaceFor(json: string | undefined): Promise<void> {
  if (json === undefined || json === '-') return;
  const folder = dirname(resolve(json));
  try {
    await access(`${folder}/.`, constants.W_OK);
  } catch (cause) {
    throw new ExplainedError('json-has-no-place', 'the results cannot be written there', {
      where: `--json ${json}`,
      why: `${folder}: ${cause instanceof Error && 'code' in cause ? cause.code : String(cause)}`,
      fix: 'name a file in a folder that is there and can be written',
      cause,
    });
  }
}

async function report(results: RunResults, json: string | undefined): Promise<number> {
  warnAboutCompiler(results);
  if (json === '-') {
    process.stdout.write(toJson(results));
    return EXIT.ok;
  }
  const paint = paintFor(process.stdout);
  const width = terminalWidth(process.stdout);
  const parts = [
    renderGrid(results, paint, width),
    renderRanges(results.ranges, paint, width),
    renderDetails(results, paint),
    renderSummary(results, paint),
  ];
  process.stdout.write(parts.filter((part) => part !== '').join('\n'));
  if (json === undefined) return EXIT.ok;
  try {
    await writeWhole(resolve(json), toJson(results));
    return EXIT.ok;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return reportError(
      new ExplainedError('json-not-written', 'the results cannot be written', { where: json, why, cause }),
    );
  }
}

/** clang's warnings belong to the program's author, who may not be looking at the results. */
function warnAboutCompiler(results: RunResults): void {
  for (const program of results.programs) {
    if (program.compilerWarnings !== '')
      process.stderr.write(`clang on ${program.source}:\n${program.compilerWarnings}\n`);
  }
}

function exitCodeOf({ totals }: RunResults, flakyOk: boolean): number {
  if (totals.infra > 0) return EXIT.broken;
  const red = totals.fail + totals.xpass + totals.panic + totals.timeout + (flakyOk ? 0 : totals.flaky);
  return red > 0 ? EXIT.red : EXIT.ok;
}
