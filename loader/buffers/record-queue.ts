/** How long a buffer is waited for. */
export interface ReadOptions {
  /** Milliseconds until nothing is given; 0 does not wait. Default: no limit. */
  readonly timeoutMs?: number;
}

/** How records are waited for. */
export interface WaitOptions {
  /**
   * Milliseconds that the agent waits at a time. It does nothing else meanwhile, so other requests may take that much longer;
   * between two waits they get their turn. Default: 20.
   */
  readonly sliceMs?: number;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

const DEFAULT_SLICE_MS = 20;

/**
 * Records of a buffer one after another: `take` gives those that are there, `wait` waits for more for at most so many milliseconds. What was taken and not
 * given to anyone, because an iteration was left, is given first by the next.
 */
export class RecordQueue<Entry> implements AsyncIterable<Entry> {
  readonly #take: () => Promise<readonly Entry[]>;
  readonly #wait: (milliseconds: number) => Promise<void>;
  readonly #sliceMs: number;
  readonly #signal: AbortSignal | undefined;
  #pending: Entry[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    take: () => Promise<readonly Entry[]>,
    wait: (milliseconds: number) => Promise<void>,
    options: WaitOptions,
  ) {
    this.#take = take;
    this.#wait = wait;
    this.#sliceMs = options.sliceMs ?? DEFAULT_SLICE_MS;
    this.#signal = options.signal;
  }

  /** Ends iterations, and waits for a `take` that is under way: the buffer's memory may go after that. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
  }

  /** At least one record, or none when the time is over or the buffer is closed. */
  async read({ timeoutMs = Number.POSITIVE_INFINITY }: ReadOptions = {}): Promise<readonly Entry[]> {
    const end = performance.now() + timeoutMs;
    while (!this.#ended()) {
      const records = await this.#next();
      const left = end - performance.now();
      if (records.length > 0 || left <= 0) return records;
      await this.#wait(Math.min(left, this.#sliceMs));
    }
    return [];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, undefined> {
    while (!this.#ended()) {
      const records = await this.read();
      let given = 0;
      try {
        for (const record of records) {
          given++;
          yield record;
        }
      } finally {
        this.#pending.push(...records.slice(given));
      }
    }
  }

  /** One `take` at a time, and none after the end. */
  #next(): Promise<readonly Entry[]> {
    const turn = this.#turn.then(async (): Promise<readonly Entry[]> => {
      const pending = this.#pending;
      this.#pending = [];
      return pending.length > 0 || this.#closed ? pending : this.#take();
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #ended(): boolean {
    return this.#closed || this.#signal?.aborted === true;
  }
}
