import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { packageSchema } from './debian/package-list.ts';
import type { ResolvedKernel } from './debian/resolve.ts';
import { withLock } from './lock.ts';

/** What a request was resolved to, and when (milliseconds since 1970). */
export interface IndexEntry {
  readonly kernel: ResolvedKernel;
  readonly resolvedAt: number;
}

const entrySchema = z.object({
  kernel: z.object({
    line: z.string(),
    flavour: z.enum(['cloud', 'generic', 'rt']),
    release: z.string(),
    version: z.string(),
    suite: z.string(),
    packages: z.array(packageSchema),
    modules: packageSchema.nullable(),
    split: z.boolean(),
  }),
  resolvedAt: z.number(),
});

const indexSchema = z.object({ schemaVersion: z.literal(1), kernels: z.record(z.string(), z.unknown()) });

/** Requests that were resolved before, by name. What cannot be read is left out: it is resolved again. */
export async function readIndex(file: string): Promise<Readonly<Record<string, IndexEntry>>> {
  try {
    const { kernels } = indexSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    const entries: Record<string, IndexEntry> = {};
    for (const [name, value] of Object.entries(kernels)) {
      const entry = entrySchema.safeParse(value);
      if (entry.success) entries[name] = entry.data;
    }
    return entries;
  } catch {
    return {};
  }
}

/** Keeps what a request was resolved to. Several runs may do so at once. */
export async function rememberKernel(file: string, name: string, entry: IndexEntry): Promise<void> {
  const before = (await readIndex(file))[name];
  if (before?.kernel.version === entry.kernel.version && before.resolvedAt === entry.resolvedAt) return;
  await mkdir(dirname(file), { recursive: true });
  await withLock(`${file}.lock`, {}, async () => {
    const kernels = { ...(await readIndex(file)), [name]: entry };
    const temporary = `${file}.partial`;
    try {
      await writeFile(temporary, `${JSON.stringify({ schemaVersion: 1, kernels }, null, 1)}\n`);
      await rename(temporary, file);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}
