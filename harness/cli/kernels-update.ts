import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { lockPathOf, readLockFile, renderLock, writeLockFile } from '../../kernels/lock-file.ts';
import type { KernelStore } from '../../kernels/store.ts';
import { type KernelChange, planUpdate } from '../../kernels/update.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { Matrix } from '../config/load.ts';
import { type Paint, paintFor } from '../report/paint.ts';
import { EXIT } from './exit-codes.ts';
import { type StoreOptions, withStore } from './open-store.ts';

/** What `kernels update --json` prints. */
export interface UpdateReport {
  readonly kernels: readonly KernelChange[];
  /** Whether anything was changed or, with --check, would be. */
  readonly changed: boolean;
  readonly lock: {
    readonly path: string;
    /** `none`: there is no lock file, and none was asked for. */
    readonly state: 'none' | 'unchanged' | 'written' | 'outdated';
  };
}

interface UpdateFlags {
  readonly check?: true;
  /** Write a lock file even if there is none yet. */
  readonly lock?: true;
}

/** `ksym-matrix kernels update` */
export async function updateKernels(options: StoreOptions & UpdateFlags & { readonly json?: true }): Promise<number> {
  return withStore(options, async ({ store, matrix }) => {
    if (matrix === undefined) {
      throw new ExplainedError('no-matrix', 'there is no matrix.yaml in this folder', {
        fix: 'name one with --matrix FILE',
      });
    }
    const report = await update(store, matrix, options);
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify(report, undefined, 2)}\n`
        : renderUpdate(report, options.check === true, paintFor(process.stdout)),
    );
    return options.check === true && report.changed ? EXIT.red : EXIT.ok;
  });
}

/**
 * Asks every remote source of a matrix what its kernels are today, and keeps that; with `check` only says what would change.
 * @throws ExplainedError of the sources, before anything is changed; `lock-file-invalid`, `lock-file-not-written`
 */
export async function update(
  store: Pick<KernelStore, 'lookUp' | 'index' | 'changeIndex'>,
  matrix: Pick<Matrix, 'path' | 'kernels'>,
  { check, lock: wantsLock }: UpdateFlags,
): Promise<UpdateReport> {
  const path = lockPathOf(resolve(matrix.path));
  const text = await readFile(path, 'utf8').catch(() => null);
  const lock = text === null ? null : await readLockFile(path);
  const found = await store.lookUp(matrix.kernels.map(({ request }) => request));
  const plan = planUpdate(matrix.kernels, found, { index: await store.index(), lock });
  const isLocked = lock !== null || wantsLock === true;
  const isOutdated = isLocked && renderLock(plan.lock) !== text;
  if (check !== true) {
    if (isOutdated) await writeLockFile(path, plan.lock);
    await store.changeIndex(plan.index);
  }
  return {
    kernels: plan.changes,
    changed: isOutdated || plan.changes.some(({ kind }) => kind !== 'unchanged' && kind !== 'local'),
    lock: { path, state: !isLocked ? 'none' : !isOutdated ? 'unchanged' : check === true ? 'outdated' : 'written' },
  };
}

/** The report for people: a line for each kernel. */
export function renderUpdate({ kernels, lock, changed }: UpdateReport, check: boolean, paint: Paint): string {
  const width = Math.max(0, ...kernels.map(({ name }) => name.length));
  const versionWidth = Math.max(0, ...kernels.map((change) => versionsOf(change).length));
  const lines = kernels.flatMap((change) => [
    `${change.name.padEnd(width)}  ${versionsOf(change).padEnd(versionWidth)}  ${describe(change, paint)}`,
    ...(change.advice === null ? [] : [paint.dim(`${' '.repeat(width)}  → ${change.advice}`)]),
  ]);
  const place = relative(process.cwd(), lock.path);
  const closing = {
    none: changed ? '' : 'Nothing has changed.',
    unchanged: `${place} is up to date.`,
    written: `${place} was written.`,
    outdated: `${place} is out of date.`,
  }[lock.state];
  const hint = check && changed ? ' `ksym-matrix kernels update` would change it.' : '';
  const end = `${closing}${hint}`.trim();
  return `${[...lines, ...(end === '' ? [] : [end])].join('\n')}\n`;
}

function versionsOf({ before, now }: KernelChange): string {
  if (before === null || now === null || before === now) return now ?? before ?? '';
  return `${before} → ${now}`;
}

function describe({ kind, before, now, origin }: KernelChange, paint: Paint): string {
  switch (kind) {
    case 'unchanged':
      return paint.dim('unchanged');
    case 'changed':
      return paint.good(before === now ? 'other files than before' : 'changed');
    case 'added':
      return paint.good(`new, from ${origin}`);
    case 'vanished':
      return paint.bad(`vanished from ${origin}`);
    case 'local':
      return paint.dim('on this machine, looked at in each run');
  }
}
