import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../results/write.ts';
import { TIMEOUT } from './oracle.ts';
import type { Verdict } from './verdict.ts';

const schema = z.record(z.string(), z.strictObject({ loaded: z.boolean(), reason: z.string(), detail: z.string() }));

/** Characters of what libbpf says that are kept. */
const MOST_DETAIL = 3000;
/** Raised when bpftool is asked in another way. */
const LAYOUT = 1;

/**
 * What libbpf said of objects before: the same bpftool on the same kernel with the same object says the same, and takes most of a run's time. What may be
 * otherwise the next time (a time-out, a machine that was lost) is not kept.
 */
export class LibbpfMemory {
  readonly #path: string;
  readonly #known: Map<string, Verdict>;
  #changed = false;

  private constructor(path: string, known: Map<string, Verdict>) {
    this.#path = path;
    this.#known = known;
  }

  /**
   * @param about all that decides a verdict beside the object: kernel, bpftool, machine
   * @param fresh forgets what was said before
   */
  static async open(cache: string, about: readonly string[], fresh: boolean): Promise<LibbpfMemory> {
    const key = createHash('sha256')
      .update(JSON.stringify([LAYOUT, ...about]))
      .digest('hex')
      .slice(0, 16);
    const path = join(cache, 'corpus', 'libbpf', `${key}.json`);
    if (fresh) return new LibbpfMemory(path, new Map());
    try {
      return new LibbpfMemory(path, new Map(Object.entries(schema.parse(JSON.parse(await readFile(path, 'utf8'))))));
    } catch {
      return new LibbpfMemory(path, new Map());
    }
  }

  /** The verdict on an object, by its SHA-256; from `ask` if there is none. */
  async get(sha256: string, ask: () => Promise<Verdict>): Promise<Verdict> {
    const known = this.#known.get(sha256);
    if (known !== undefined) return known;
    const verdict = await ask();
    if (verdict.reason === TIMEOUT || verdict.reason.startsWith('machine-lost')) return verdict;
    this.#known.set(sha256, { ...verdict, detail: verdict.detail.slice(-MOST_DETAIL) });
    this.#changed = true;
    return verdict;
  }

  /** Writes it down. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    // Before anything is awaited: verdicts that come meanwhile are for the next time.
    this.#changed = false;
    const text = JSON.stringify(Object.fromEntries(this.#known));
    await mkdir(dirname(this.#path), { recursive: true });
    await writeWhole(this.#path, text);
  }
}
