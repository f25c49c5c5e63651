import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { OUR_LOADER } from '../config/loader-entries.ts';
import { cellName } from '../results/cell-name.ts';
import { writeWhole } from '../results/write.ts';

/** What a cell is taken to need when nobody has run it yet: a median on two emulated cores, in milliseconds. */
const USUAL_CELL_MS = 30;
/** With another loader than ours, which works in the emulated guest. */
const USUAL_OTHER_MS = 500;

/** Names that are kept, the ones seen last: a cache that many projects share stays small. */
const MOST_NAMES = 20_000;

const fileSchema = z.record(z.string(), z.number().nonnegative());

/** What of a cell its time is kept by. */
export interface TimedCell {
  readonly kernel: { readonly name: string };
  readonly loader: { readonly name: string };
  readonly program: { readonly name: string };
  readonly variant: { readonly name: string };
}

/** How long cells took in earlier runs; only the order of work depends on it. Kept in CACHE/durations.json. */
export class Durations {
  readonly #path: string;
  readonly #known: Map<string, number>;

  private constructor(path: string, known: Map<string, number>) {
    this.#path = path;
    this.#known = known;
  }

  /** Reads what earlier runs have left; nothing, if that cannot be read. */
  static async read(cache: string): Promise<Durations> {
    const path = join(cache, 'durations.json');
    try {
      return new Durations(path, new Map(Object.entries(fileSchema.parse(JSON.parse(await readFile(path, 'utf8'))))));
    } catch {
      return new Durations(path, new Map());
    }
  }

  /** Milliseconds that a cell is expected to take. */
  expected(cell: TimedCell): number {
    return this.#known.get(nameOf(cell)) ?? (cell.loader.name === OUR_LOADER ? USUAL_CELL_MS : USUAL_OTHER_MS);
  }

  /** Remembers how long a cell took, in milliseconds. One that took no time at all was not run, which says nothing. */
  add(cell: TimedCell, milliseconds: number): void {
    if (milliseconds <= 0) return;
    const name = nameOf(cell);
    // Taken out first, so that the map stays in the order of last use.
    this.#known.delete(name);
    this.#known.set(name, Math.round(milliseconds));
  }

  /** Writes everything back; that it cannot be written is of no consequence. */
  async write(): Promise<void> {
    const kept = Object.fromEntries([...this.#known].slice(-MOST_NAMES));
    await writeWhole(this.#path, `${JSON.stringify(kept)}\n`).catch(() => undefined);
  }
}

function nameOf(cell: TimedCell): string {
  const { kernel, loader, program, variant } = cell;
  const name = `${kernel.name} ${cellName(program.name, variant.name)}`;
  return loader.name === OUR_LOADER ? name : `${name} ${loader.name}`;
}
