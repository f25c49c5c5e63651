import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { ExplainedError } from '../loader/errors.ts';
import { type ResolvedKernel, resolvedKernelSchema } from './kernel-source.ts';

/** Exact kernels for requests, so that a run today and one in a year take the same ones. */
export interface KernelLock {
  /** Where it was read from. */
  readonly path: string;
  /** By `requestKey`. */
  readonly kernels: Readonly<Record<string, ResolvedKernel>>;
  /** The lines that `debian: all` stood for, oldest first, by flavour. */
  readonly lines: Readonly<Record<string, readonly string[]>>;
}

const lockSchema = z.strictObject({
  schemaVersion: z.literal(1),
  lines: z.record(z.string(), z.array(z.string())),
  kernels: z.record(z.string(), resolvedKernelSchema),
});

/**
 * Reads a lock file.
 * @throws ExplainedError `lock-file-missing`, `lock-file-invalid`
 */
export async function readLockFile(path: string): Promise<KernelLock> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ExplainedError('lock-file-missing', 'there is no lock file of kernels', {
      where: path,
      fix: 'Write it with `ksym-matrix kernels update`, and commit it.',
      cause,
    });
  });
  const document = parseDocument(text);
  const parsed = lockSchema.safeParse(document.errors.length > 0 ? null : document.toJS());
  if (parsed.success) return { path, kernels: parsed.data.kernels, lines: parsed.data.lines };
  const [issue] = parsed.error.issues;
  throw new ExplainedError('lock-file-invalid', 'the lock file of kernels cannot be used', {
    where: path,
    why: document.errors[0]?.message.split('\n')[0] ?? `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    fix: 'It is not meant to be edited: write it anew with `ksym-matrix kernels update`.',
  });
}

/** Writes a lock file in place of the one that is there, all of it or nothing. The same kernels give the same bytes. */
export async function writeLockFile(path: string, lock: Omit<KernelLock, 'path'>): Promise<void> {
  const kernels = Object.fromEntries(Object.entries(lock.kernels).sort(([left], [right]) => (left < right ? -1 : 1)));
  const temporary = `${path}.partial`;
  try {
    await writeFile(
      temporary,
      HEADER +
        stringify({ schemaVersion: 1, lines: lock.lines, kernels }, { lineWidth: 0, aliasDuplicateObjects: false }),
    );
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

const HEADER = `# The exact kernels behind matrix.yaml: versions, paths below the source's address, SHA-256 digests.
# Written by \`ksym-matrix kernels update\`; \`ksym-matrix run --locked\` takes exactly these.
`;
