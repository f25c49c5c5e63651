import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../results/write.ts';

const fileSchema = z.record(z.string(), z.number().positive());

/**
 * How much memory machines took in earlier runs on this host: by kind of machine, in bytes. Kept in CACHE/machine-memory.json.
 */
export class MeasuredMemory {
  readonly #path: string;
  readonly #bytes: Map<string, number>;

  private constructor(path: string, bytes: Map<string, number>) {
    this.#path = path;
    this.#bytes = bytes;
  }

  /** Reads what earlier runs have left; nothing, if that cannot be read. */
  static async read(cache: string): Promise<MeasuredMemory> {
    const path = join(cache, 'machine-memory.json');
    try {
      return new MeasuredMemory(
        path,
        new Map(Object.entries(fileSchema.parse(JSON.parse(await readFile(path, 'utf8'))))),
      );
    } catch {
      return new MeasuredMemory(path, new Map());
    }
  }

  /** The most that one machine of a kind took in the last run that had any; undefined if none has. */
  of(kind: string): number | undefined {
    return this.#bytes.get(kind);
  }

  /** Notes what a run has measured, 0 for nothing; that it cannot be written is of no consequence. */
  async note(kind: string, bytes: number): Promise<void> {
    if (bytes === 0) return;
    this.#bytes.set(kind, bytes);
    await writeWhole(this.#path, `${JSON.stringify(Object.fromEntries(this.#bytes))}\n`).catch(() => undefined);
  }
}
