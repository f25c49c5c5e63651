import { ExplainedError } from '../loader/errors.ts';
import type { ResolvedKernel } from './kernel-source.ts';
import type { KernelLock } from './lock-file.ts';

/** The error for a request that a lock knows nothing of. */
export function notLocked(name: string, lock: KernelLock): ExplainedError {
  return new ExplainedError('not-locked', `the lock file has no kernel for ${name}`, {
    where: lock.path,
    fix: 'If it is in the matrix, `ksym-matrix kernels update` adds it; else run without --locked.',
  });
}

/** What an error that a source gave for a locked kernel means to who asked for exactly that kernel; other errors stay as they are. */
export function explainLocked(error: unknown, name: string, kernel: ResolvedKernel, lock: KernelLock): unknown {
  if (!(error instanceof ExplainedError)) return error;
  const { code, cause = error } = error;
  const why = error.why ?? error.message;
  if (code === 'package-gone') {
    return new ExplainedError(
      'locked-kernel-gone',
      `the locked kernel of ${name}, Linux ${kernel.version}, is gone from its source`,
      { where: lock.path, why, fix: `${LOCK_ANEW}${snapshotAdvice(kernel, ', or name this one as')}`, cause },
    );
  }
  if (code === 'digest-mismatch') {
    return new ExplainedError(code, `what is served for ${name}, Linux ${kernel.version}, is not what was locked`, {
      where: lock.path,
      why,
      fix: `Somebody has changed what lies there, or the lock file: find out who and why. ${LOCK_ANEW}, if that is right.`,
      cause,
    });
  }
  return error;
}

/** How Debian's archive of old packages gives a kernel that its mirrors have dropped; empty for kernels of other sources. */
export function snapshotAdvice(kernel: ResolvedKernel, lead: string): string {
  if (kernel.source !== 'debian') return '';
  const flavour = kernel.flavour === 'cloud' || kernel.flavour === null ? '' : `, flavour: ${kernel.flavour}`;
  return `${lead} \`debian-snapshot: "${kernel.version}"${flavour}\`, which has every package that Debian ever published`;
}

const LOCK_ANEW = 'Lock what there is today with `ksym-matrix kernels update`';
