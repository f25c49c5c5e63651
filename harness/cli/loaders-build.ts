import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { loadMatrix, type Matrix } from '../config/load.ts';
import type { MatrixLoader } from '../config/loader-entries.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { prepareLoaders } from '../loaders/prepare-loaders.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import { seconds } from '../report/summary.ts';
import { selectLoaders } from '../run/select.ts';
import { requireTools } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { createProgressView } from './progress.ts';
import { packageVersion } from './version.ts';

/** Options of the commands on loaders. */
export interface LoaderOptions {
  readonly matrix?: string;
  readonly debianMirror?: string;
  readonly json?: true;
}

/** What `loaders build --json` prints of each. */
interface BuiltLoader extends Pick<PreparedLoader, 'name' | 'version' | 'about' | 'unavailable'> {
  readonly milliseconds: number;
}

/** `ksym-matrix loaders build`: 0 if all are ready, 3 if one cannot be had. */
export async function buildLoaders(names: readonly string[], options: LoaderOptions): Promise<number> {
  const matrix = await matrixOfLoaders(options);
  const loaders = selectLoaders(matrix, { kernels: [], programs: [], loaders: names });
  requireTools();
  const built: BuiltLoader[] = [];
  // One after the other: the time of each is told.
  for (const loader of loaders) {
    const started = performance.now();
    const prepared = await prepareOne(loader, matrix, options);
    if (prepared === null) return EXIT.interrupted;
    const { name, version, about, unavailable } = prepared;
    const milliseconds = Math.round(performance.now() - started);
    const alike = unavailable === null ? undefined : built.find((one) => one.unavailable === unavailable);
    built.push({ name, version, about, unavailable, milliseconds });
    if (options.json === true) continue;
    const reason = alike === undefined ? unavailable : `for the reason of ${alike.name}`;
    const text = reason ?? [version, about].filter((part) => part !== '').join('  ');
    process.stdout.write(`${unavailable === null ? '✓' : '✗'} ${name}  ${text}  ${seconds(milliseconds)}\n`);
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(built, undefined, 2)}\n`);
  return built.every(({ unavailable }) => unavailable === null) ? EXIT.ok : EXIT.broken;
}

/** Null if it was interrupted. */
async function prepareOne(
  loader: MatrixLoader,
  matrix: Matrix,
  options: LoaderOptions,
): Promise<PreparedLoader | null> {
  const view = createProgressView(process.stderr);
  return interruptible(async (signal) => {
    try {
      const { loaders } = await prepareLoaders([loader], {
        cache: cacheDirectory(),
        ownVersion: packageVersion(),
        mirror: options.debianMirror ?? matrix.mirror,
        onMessage: (text) => view.show({ kind: 'loader-progress', text }),
        signal,
      });
      const [prepared] = loaders;
      if (prepared === undefined) throw new TypeError('a loader got lost');
      return prepared;
    } catch (error) {
      if (!signal.aborted) throw error;
      return null;
    } finally {
      view.end();
    }
  });
}

/** Where loaders are most likely named, if no matrix is. */
const DEFAULT_MATRICES = ['matrix.loaders.yaml', 'matrix.yaml'];

/**
 * The matrix whose loaders are meant.
 * @throws ConfigError `no-matrix`, and what is wrong with it
 */
export async function matrixOfLoaders({ matrix }: LoaderOptions): Promise<Matrix> {
  const path = matrix ?? DEFAULT_MATRICES.find((name) => existsSync(name));
  if (path !== undefined) return loadMatrix(resolve(path));
  throw new ConfigError('no-matrix', `there is no ${DEFAULT_MATRICES.join(' and no ')} in this folder`, {
    fix: 'name one with --matrix FILE',
  });
}
