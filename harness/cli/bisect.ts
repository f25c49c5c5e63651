import { resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import type { Flavour } from '../../kernels/request.ts';
import { loadMatrix } from '../config/load.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { renderFinding, renderPlan, renderStep } from '../report/bisect.ts';
import { paintFor } from '../report/paint.ts';
import { toJson } from '../results/write.ts';
import { type BisectReport, runBisect } from '../run/bisect.ts';
import type { CATALOGUES } from '../run/bisect-plan.ts';
import { requireTools } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { lockOf } from './open-store.ts';
import { createProgressView } from './progress.ts';

export interface BisectCommandOptions {
  readonly matrix: string;
  readonly variant?: string;
  readonly loader?: string;
  readonly kernel?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly source?: (typeof CATALOGUES)[number];
  readonly flavour?: Flavour;
  readonly locked?: true;
  /** False with --no-templates. */
  readonly templates: boolean;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly append?: string[];
  readonly debianMirror?: string;
  readonly json?: true;
}

/** `ksym-matrix bisect`: 0 if a change was found, 1 if there is none, 3 if no two kernels could be compared. @throws ConfigError `flavour-without-source` */
export async function bisect(program: string, options: BisectCommandOptions): Promise<number> {
  if (options.flavour !== undefined && options.source !== 'debian' && options.source !== 'debian-snapshot') {
    throw new ConfigError('flavour-without-source', 'a flavour is for what a source of Debian has', {
      where: `--flavour ${options.flavour}`,
      fix: 'Add --source debian or --source debian-snapshot. Of the matrix, choose kernels with --kernel, such as --kernel "*-rt".',
    });
  }
  const matrix = await loadMatrix(resolve(options.matrix));
  const lock = await lockOf(options.matrix, options.locked);
  requireTools();
  const view = createProgressView(process.stderr);
  const paint = paintFor(process.stdout);
  // With --json, stdout is one document; what happens is still told.
  const told = options.json === true ? process.stderr : process.stdout;
  const tell = (text: string): void => {
    const goOn = view.hold();
    told.write(text);
    goOn();
  };
  return interruptible(async (signal) => {
    let report: BisectReport;
    try {
      report = await runBisect({
        matrix,
        program,
        variant: options.variant,
        loader: options.loader,
        kernels: options.kernel ?? [],
        from: options.from,
        to: options.to,
        source: options.source,
        flavour: options.flavour,
        accelerator: options.accel,
        templates: options.templates,
        append: options.append ?? [],
        cache: cacheDirectory(),
        mirror: options.debianMirror,
        lock,
        listener: view.show,
        signal,
        onPlan: (plan) => tell(renderPlan(plan, paint)),
        onStep: (step) => tell(renderStep(step, paint)),
      });
    } catch (error) {
      if (!signal.aborted) throw error;
      return EXIT.interrupted;
    } finally {
      view.end();
    }
    process.stdout.write(options.json === true ? toJson(report) : `\n${renderFinding(report, paint)}`);
    return EXIT_OF[report.finding.kind];
  });
}

const EXIT_OF: Readonly<Record<BisectReport['finding']['kind'], number>> = {
  change: EXIT.ok,
  'no-change': EXIT.red,
  'no-answer': EXIT.broken,
};
