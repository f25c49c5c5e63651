import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { type KernelLock, lockPathOf, readLockFile } from '../../kernels/lock-file.ts';
import { KernelStore } from '../../kernels/store.ts';
import { loadMatrix, type Matrix } from '../config/load.ts';
import { interruptible } from './interrupt.ts';
import { createProgressView } from './progress.ts';

/** Options that all commands on kernels have. */
export interface StoreOptions {
  /** Default: matrix.yaml, if there is one. */
  readonly matrix?: string;
  readonly debianMirror?: string;
  readonly locked?: true;
}

/** What a command on kernels works with. */
export interface StoreContext {
  readonly store: KernelStore;
  readonly cache: string;
  /** Undefined if none was named and there is no matrix.yaml. */
  readonly matrix: Matrix | undefined;
  readonly signal: AbortSignal;
}

/** Opens the store of kernels for a command; progress and warnings go to stderr. */
export async function withStore<T>(options: StoreOptions, work: (context: StoreContext) => Promise<T>): Promise<T> {
  const path = options.matrix ?? (existsSync(DEFAULT_MATRIX) ? DEFAULT_MATRIX : undefined);
  const matrix = path === undefined ? undefined : await loadMatrix(resolve(path));
  const lock = await lockOf(path ?? DEFAULT_MATRIX, options.locked);
  const cache = cacheDirectory();
  const view = createProgressView(process.stderr);
  try {
    return await interruptible((signal) => {
      const store = new KernelStore({
        cache,
        mirror: { option: options.debianMirror, matrix: matrix?.mirror },
        lock,
        onProgress: (progress) => view.show({ kind: 'kernel-progress', progress }),
        onMessage: (text) => view.show({ kind: 'warning', text }),
        signal,
      });
      return work({ store, cache, matrix, signal });
    });
  } finally {
    view.end();
  }
}

/**
 * The lock file of a matrix, if it is to be used.
 * @throws ExplainedError `lock-file-missing`, `lock-file-invalid`
 */
export async function lockOf(matrixPath: string, locked: true | undefined): Promise<KernelLock | undefined> {
  return locked === true ? readLockFile(lockPathOf(resolve(matrixPath))) : undefined;
}

const DEFAULT_MATRIX = 'matrix.yaml';
