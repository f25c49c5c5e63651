import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

/** Bytes of a console that go to its file. Kernels print about 30 KB while they boot. */
export const MAX_CONSOLE_FILE_BYTES: number = 64 * 1024 * 1024;

/** The file that a console is written to as it comes, up to a bound. */
export class ConsoleFile {
  /** Bytes beyond the bound, which are not in the file. */
  leftOut = 0;
  readonly #stream: WriteStream;
  #room: number;
  #error: Error | undefined;

  constructor(path: string, maxBytes: number) {
    this.#room = maxBytes;
    this.#stream = createWriteStream(path);
    this.#stream.on('error', (error) => {
      this.#error = error;
    });
  }

  /** Why the file is incomplete though within its bound (a full disk, say); undefined if it is not. */
  get error(): Error | undefined {
    return this.#error;
  }

  write(chunk: Uint8Array): void {
    const fitting = chunk.subarray(0, this.#room);
    this.#room -= fitting.length;
    this.leftOut += chunk.length - fitting.length;
    if (fitting.length > 0 && this.#error === undefined && !this.#stream.writableEnded) this.#stream.write(fitting);
  }

  /** Writes last words, which do not count, and closes the file. Never rejects. */
  async close(lastWords: string): Promise<void> {
    if (!this.#stream.writableEnded) this.#stream.end(lastWords);
    await finished(this.#stream).catch(() => undefined);
  }
}
