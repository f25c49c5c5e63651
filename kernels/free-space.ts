import { statfs } from 'node:fs/promises';
import { ExplainedError } from '../loader/errors.ts';

/**
 * Refuses to begin what cannot end well: fewer than `bytes` are free where `directory` lies.
 *
 * @throws ExplainedError `disk-full`
 */
export async function requireSpace(directory: string, bytes: number, purpose: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw diskFull(directory, undefined, `${megabytes(bytes)} are needed for ${purpose}, ${megabytes(free)} are free`);
}

/** The error for a disk that is full, with the folder that was written to. */
export function diskFull(where: string, cause?: unknown, why?: string): ExplainedError {
  return new ExplainedError('disk-full', 'no space is left on the disk', {
    where,
    ...(why === undefined ? {} : { why }),
    fix: 'Free some space (a kernel takes 20 to 150 MB, a saved machine 120), or set KSYM_MATRIX_CACHE to a folder on another disk.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Whether an error says that no space, or none within the quota, is left. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
