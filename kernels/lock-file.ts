import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
      fix: 'Write it with `ksym-matrix kernels update --lock`, and commit it.',
      cause,
    });
  });
  const document = parseDocument(text);
  const parsed = lockSchema.safeParse(document.errors.length > 0 ? null : document.toJS());
  if (parsed.success) return { path, kernels: parsed.data.kernels, lines: parsed.data.lines };
  const [issue] = parsed.error.issues;
  throw new ExplainedError('lock-file-invalid', 'the lock file of kernels cannot be used', {
    where: path,
    why:
      document.errors[0]?.message.split('\n')[0] ??
      (text.trim() === '' ? 'it is empty' : [issue?.path.join('.'), issue?.message].filter(Boolean).join(': ')),
    fix: 'It is not meant to be edited: remove it, and write it anew with `ksym-matrix kernels update --lock`.',
  });
}

/**
 * Where the lock file of a matrix lies: `kernels/kernels.lock.yaml` beside matrix.yaml, `kernels/NAME.lock.yaml` beside another NAME.yaml, so
 * that several matrices of one folder do not overwrite each other's.
 */
export function lockPathOf(matrixPath: string): string {
  const name = basename(matrixPath).replace(/\.ya?ml$/, '');
  return join(dirname(matrixPath), 'kernels', `${name === 'matrix' ? 'kernels' : name}.lock.yaml`);
}

/** The text of a lock file: the same kernels give the same bytes. */
export function renderLock({ kernels, lines }: Omit<KernelLock, 'path'>): string {
  const document = { schemaVersion: 1, lines: sorted(lines), kernels: sorted(kernels) };
  return HEADER + stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Writes a lock file in place of the one that is there, all of it or nothing. */
export async function writeLockFile(path: string, lock: Omit<KernelLock, 'path'>): Promise<void> {
  const temporary = `${path}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, renderLock(lock));
    await rename(temporary, path);
  } catch (cause) {
    throw new ExplainedError('lock-file-not-written', 'the lock file of kernels cannot be written', {
      where: path,
      why: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1)));
}

const HEADER = `# Exact kernels: versions, paths below the source's address, SHA-256 digests.
# Written by \`ksym-matrix kernels update --lock\`; \`ksym-matrix run --locked\` takes exactly these.
`;
