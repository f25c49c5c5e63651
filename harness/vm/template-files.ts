import { readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { sparseDigest } from './file-digest.ts';

/** Names of the files in a template's folder. Observations lie in a folder of their own beside them. */
export const TEMPLATE = {
  ram: 'ram',
  state: 'state',
  console: 'console.log',
  observations: 'observations',
  /** What belongs to the template, with digests. */
  record: 'template.json',
  /** Which files were last found to be right, by what stat(2) says of them. */
  receipt: 'verified.json',
} as const;

const recordSchema = z.object({
  /** Milliseconds from QEMU's start to the agent's hello. */
  bootMs: z.number(),
  /** When it was saved, as in 2026-01-31T12:00:00.000Z. */
  created: z.string(),
  /** What it was made from, for people. */
  kernel: z.string(),
  commandLine: z.string(),
  /** Digest of each file, by its path in the folder; see {@link sparseDigest}. */
  digests: z.record(z.string(), z.string()),
});

export type TemplateRecord = z.infer<typeof recordSchema>;

/** A saved machine that may be used. */
export interface Template {
  readonly key: string;
  readonly directory: string;
  readonly record: TemplateRecord;
}

/** Writes the record of the files in a template's folder: last of all, so that a folder with a record is whole. */
export async function writeRecord(
  directory: string,
  files: readonly string[],
  about: Omit<TemplateRecord, 'digests' | 'created'>,
): Promise<void> {
  const digests: Record<string, string> = {};
  for (const file of files) digests[file] = await sparseDigest(join(directory, file));
  const record: TemplateRecord = { ...about, created: new Date().toISOString(), digests };
  await writeFile(join(directory, TEMPLATE.record), JSON.stringify(record, undefined, 2));
  await writeReceipt(directory, record);
}

/**
 * Reads a template's record and compares every file with its digest. Reading half a gigabyte takes a third of a second, so files that are as the last
 * comparison left them (inode, size, times, and the host has not been started anew since) are not read again.
 * @returns the record, or what is wrong with the template
 */
export async function verifyTemplate(directory: string): Promise<TemplateRecord | { readonly damage: string }> {
  const record = await glanceAtTemplate(directory);
  if (record === null) return { damage: `${TEMPLATE.record} is missing or cannot be read` };
  try {
    if ((await readReceipt(directory)) === (await stampOf(directory, record))) return record;
    for (const [file, digest] of Object.entries(record.digests)) {
      if ((await sparseDigest(join(directory, file))) !== digest) return { damage: `${file} is not what was saved` };
    }
    await writeReceipt(directory, record);
    return record;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      const path = 'path' in error ? String(error.path) : directory;
      return { damage: `${relative(directory, path) || 'a file'} is missing` };
    }
    return { damage: error instanceof Error ? error.message : String(error) };
  }
}

/** What a template's record says, whatever has become of its files; null if it is missing or cannot be read. */
export async function glanceAtTemplate(directory: string): Promise<TemplateRecord | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(join(directory, TEMPLATE.record), 'utf8')));
  } catch {
    return null;
  }
}

async function readReceipt(directory: string): Promise<string | undefined> {
  return readFile(join(directory, TEMPLATE.receipt), 'utf8').catch(() => undefined);
}

/** Not being able to keep the receipt (a full disk) only means that the next use compares again. */
async function writeReceipt(directory: string, record: TemplateRecord): Promise<void> {
  await writeFile(join(directory, TEMPLATE.receipt), await stampOf(directory, record)).catch(() => undefined);
}

/** Changes when any file of the template is written to, replaced or touched, and when the host starts anew. */
async function stampOf(directory: string, record: TemplateRecord): Promise<string> {
  const files = await Promise.all(
    Object.keys(record.digests).map(async (file) => {
      const { ino, size, mtimeNs, ctimeNs } = await stat(join(directory, file), { bigint: true });
      return [file, ino, size, mtimeNs, ctimeNs].join(' ');
    }),
  );
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${boot}${files.join('\n')}\n`;
}

/** An observation that lies beside a saved machine. Throws Node's error if it cannot be read. */
export function readObservation(template: Template, observation: string): Promise<Uint8Array> {
  return readFile(join(template.directory, TEMPLATE.observations, observation));
}
