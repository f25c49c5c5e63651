import { resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { loadMatrix } from '../config/load.ts';
import { showControls } from '../report/formats/control-characters.ts';
import { renderTerminal } from '../report/formats/terminal.ts';
import { paintFor } from '../report/paint.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import type { RunResults } from '../results/results.ts';
import { resultsJson } from '../results/results-json.ts';
import { runMatrix } from '../run/run-matrix.ts';
import type { Isolation } from '../run/stints.ts';
import { requireTools } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { lockOf } from './open-store.ts';
import { requirePlace, writeOutput } from './output-place.ts';
import { createPause } from './pause-on-fail.ts';
import { createProgressView } from './progress.ts';
import { reportError } from './report-error.ts';
import { installSystemPackages } from './setup.ts';

export interface RunCommandOptions {
  readonly matrix: string;
  readonly kernel?: string[];
  readonly program?: string[];
  readonly loader?: string[];
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
  // A run takes a while: what must fail at its end fails before.
  if (options.json !== undefined && options.json !== '-')
    await requirePlace(options.json, 'file', '--json', 'the results');
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
        filters: { kernels: options.kernel ?? [], programs: options.program ?? [], loaders: options.loader ?? [] },
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

async function report(results: RunResults, json: string | undefined): Promise<number> {
  warnAboutCompiler(results);
  if (json === '-') {
    await writeOutput(json, resultsJson(results), 'the results');
    return EXIT.ok;
  }
  process.stdout.write(renderTerminal(results, paintFor(process.stdout), terminalWidth(process.stdout)));
  if (json === undefined) return EXIT.ok;
  try {
    await writeOutput(json, resultsJson(results), 'the results');
    return EXIT.ok;
  } catch (error) {
    return reportError(error);
  }
}

/** clang's warnings belong to the program's author, who may not be looking at the results. */
function warnAboutCompiler(results: RunResults): void {
  for (const program of results.programs) {
    if (program.compilerWarnings !== '')
      process.stderr.write(`clang on ${program.source}:\n${showControls(program.compilerWarnings)}\n`);
  }
}

function exitCodeOf({ totals, differences }: RunResults, flakyOk: boolean): number {
  if (totals.infra > 0) return EXIT.broken;
  const red = totals.fail + totals.xpass + totals.panic + totals.timeout + (flakyOk ? 0 : totals.flaky);
  // Values that loaders do not agree about may each be as their own program expects.
  const unexplained = (differences?.disagreements ?? []).some(({ explained }) => !explained);
  return red > 0 || unexplained ? EXIT.red : EXIT.ok;
}
