import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type ResolvedKernel, resolvedKernelSchema } from './kernel-source.ts';
import { withLock } from './lock.ts';

/** What a request was resolved to, and when (milliseconds since 1970). */
export interface IndexEntry {
  readonly kernel: ResolvedKernel;
  readonly resolvedAt: number;
}

/** What is remembered of requests, so that a run needs no network and finds the kernels of the run before. */
export interface KernelIndex {
  /** By `requestKey`. */
  readonly kernels: Readonly<Record<string, IndexEntry>>;
  /** The lines that `debian: all` stood for, oldest first, by flavour. */
  readonly lines: Readonly<Record<string, readonly string[]>>;
}

const entrySchema = z.object({ kernel: resolvedKernelSchema, resolvedAt: z.number() });

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  kernels: z.record(z.string(), z.unknown()),
  lines: z.record(z.string(), z.array(z.string())),
});

/** Reads the index. What cannot be read is left out: it is resolved again. */
export async function readIndex(file: string): Promise<KernelIndex> {
  try {
    const { kernels, lines } = indexSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    const entries: Record<string, IndexEntry> = {};
    for (const [key, value] of Object.entries(kernels)) {
      const entry = entrySchema.safeParse(value);
      if (entry.success) entries[key] = entry.data;
    }
    return { kernels: entries, lines };
  } catch {
    return { kernels: {}, lines: {} };
  }
}

/** Changes the index. Several runs may do so at once. */
export async function changeIndex(file: string, change: (index: KernelIndex) => KernelIndex): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await withLock(`${file}.lock`, {}, async () => {
    const temporary = `${file}.partial`;
    try {
      const { kernels, lines } = change(await readIndex(file));
      await writeFile(temporary, `${JSON.stringify({ schemaVersion: 2, kernels, lines }, null, 1)}\n`);
      await rename(temporary, file);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/** Keeps what a request was resolved to. */
export async function rememberKernel(file: string, key: string, entry: IndexEntry): Promise<void> {
  const before = (await readIndex(file)).kernels[key];
  if (before?.kernel.folder === entry.kernel.folder && before.resolvedAt === entry.resolvedAt) return;
  await changeIndex(file, (index) => ({ ...index, kernels: { ...index.kernels, [key]: entry } }));
}
