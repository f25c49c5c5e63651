import { createHash, type Hash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Dispatcher } from 'undici';
import { diskFull, isDiskFull, requireSpace } from '../free-space.ts';
import { type Answer, exchange } from './exchange.ts';
import { contentMismatch, type Headers, PassingTrouble, tooLarge } from './http-errors.ts';
import { type RetryContext, type RetryPolicy, withRetries } from './retry.ts';
import { speedMeter } from './speed.ts';

/** What is known of a file before it is downloaded. */
export interface DownloadOptions {
  /** SHA-256 in lower-case hexadecimal. */
  readonly sha256?: string;
  /** In bytes. */
  readonly size?: number;
  /** The largest file that is taken. Default: 4 GiB. */
  readonly maxBytes?: number;
  readonly headers?: Headers;
  /** How many bytes are there, and how fast they come; called a few times a second. */
  readonly onBytes?: (bytes: number, bytesPerSecond: number) => void;
}

/** What was downloaded. */
export interface Downloaded {
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly size: number;
}

/** How the server is asked. */
export interface Connection {
  readonly headers: Headers;
  readonly dispatcher: Dispatcher;
  readonly policy: RetryPolicy;
  readonly context: RetryContext;
}

/** Downloads into a temporary file and renames it; the public description is at HttpClient.download. */
export async function downloadFile(
  url: URL,
  file: string,
  options: DownloadOptions,
  connection: Connection,
): Promise<Downloaded> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}.part`;
  const handle = await open(temporary, 'wx');
  try {
    const download = new Download(url, handle, options, connection);
    const found = await download.run(dirname(file)).finally(() => handle.close());
    await rename(temporary, file);
    return found;
  } catch (error) {
    await rm(temporary, { force: true });
    throw isDiskFull(error) ? diskFull(dirname(file), error) : error;
  }
}

/** One file on its way, through as many requests as it takes. */
class Download {
  readonly #url: URL;
  readonly #handle: FileHandle;
  readonly #options: DownloadOptions;
  readonly #connection: Connection;
  #hash: Hash = createHash('sha256');
  /** Bytes that are written and hashed. */
  #offset = 0;
  /** What the server calls the version of the file that was begun; null if it gives it no name that a range can be asked for by. */
  #validator: string | null = null;
  /** Whether the file was put together from several answers. */
  #resumed = false;

  constructor(url: URL, handle: FileHandle, options: DownloadOptions, connection: Connection) {
    this.#url = url;
    this.#handle = handle;
    this.#options = options;
    this.#connection = connection;
  }

  async run(directory: string): Promise<Downloaded> {
    const { policy, context } = this.#connection;
    return withRetries(() => this.#attempt(directory), policy, { ...context, progress: () => this.#offset });
  }

  async #attempt(directory: string): Promise<Downloaded> {
    const { dispatcher, headers, context } = this.#connection;
    if (!this.#canResume()) await this.#startOver();
    const answer = await exchange({
      url: this.#url,
      headers: { ...headers, ...this.#range() },
      dispatcher,
      signal: context.signal,
      accepts: (status) => status === 200 || (this.#offset > 0 && (status === 206 || status === 416)),
    });
    try {
      await this.#takeUp(answer);
      await this.#checkLength(answer, directory);
      await this.#receive(answer);
    } catch (error) {
      answer.body.on('error', () => {}).destroy();
      throw error;
    }
    return this.#checked();
  }

  /** Going on is safe if the server says that it is still the same file, or if the digest will tell. */
  #canResume(): boolean {
    return this.#offset > 0 && (this.#validator !== null || this.#options.sha256 !== undefined);
  }

  /** RFC 9110 §14.2 (Range), §13.1.5 (If-Range: the whole file comes if it is another by now). */
  #range(): Headers {
    if (this.#offset === 0) return {};
    const range = { range: `bytes=${this.#offset}-` };
    return this.#validator === null ? range : { ...range, 'if-range': this.#validator };
  }

  async #takeUp(answer: Answer): Promise<void> {
    if (answer.status === 200) {
      await this.#startOver();
      this.#validator = validatorOf(answer.headers);
      return;
    }
    const [, from] = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '') ?? [];
    const validator = validatorOf(answer.headers);
    const isSame = this.#validator === null || validator === null || validator === this.#validator;
    if (answer.status === 206 && Number(from) === this.#offset && isSame) {
      this.#resumed = true;
      return;
    }
    await this.#startOver();
    throw new PassingTrouble('the server sent another part of the file than was asked for');
  }

  async #checkLength(answer: Answer, directory: string): Promise<void> {
    const { size, maxBytes = 2 ** 32 } = this.#options;
    const announced = answer.headers['content-length'];
    const total = announced === undefined ? size : this.#offset + Number(announced);
    if (total === undefined) return;
    if (size !== undefined && total !== size) {
      throw contentMismatch(answer.url, 'its size', `${size} bytes`, `${total}`);
    }
    if (total > maxBytes) throw tooLarge(answer.url, maxBytes);
    await requireSpace(directory, total - this.#offset, publicName(answer.url));
  }

  async #receive(answer: Answer): Promise<void> {
    const { size, maxBytes = 2 ** 32, onBytes } = this.#options;
    const meter = speedMeter(onBytes ?? (() => {}), this.#offset);
    const limit = size ?? maxBytes;
    for await (const data of answer.body) {
      const chunk: Buffer = data;
      if (this.#offset + chunk.length > limit) {
        if (size !== undefined) throw contentMismatch(answer.url, 'its size', `${size} bytes`, 'more');
        throw tooLarge(answer.url, maxBytes);
      }
      await this.#write(chunk);
      this.#hash.update(chunk);
      this.#offset += chunk.length;
      meter.add(this.#offset);
    }
    meter.end(this.#offset);
    if (size !== undefined && this.#offset < size) throw new PassingTrouble('the file ended too early');
  }

  async #write(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      done += (await this.#handle.write(chunk, done, chunk.length - done, this.#offset + done)).bytesWritten;
    }
  }

  async #checked(): Promise<Downloaded> {
    const sha256 = this.#hash.digest('hex');
    const expected = this.#options.sha256;
    const size = this.#offset;
    if (expected === undefined || sha256 === expected) return { sha256, size };
    const resumed = this.#resumed;
    await this.#startOver();
    // The parts may be of two versions of the file: the server has not said so, the digest does.
    if (resumed) throw new PassingTrouble('the parts of the file do not belong together');
    throw contentMismatch(this.#url, 'its SHA-256', expected, sha256);
  }

  async #startOver(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.#offset = 0;
    this.#validator = null;
    this.#resumed = false;
  }
}

/** What names this version of the file, for If-Range: a strong entity tag (RFC 9110 §8.8.3), else the date of the last change. */
function validatorOf(headers: Headers): string | null {
  const tag = headers.etag;
  return tag?.startsWith('"') === true ? tag : (headers['last-modified'] ?? null);
}

function publicName(url: URL): string {
  return url.pathname.split('/').at(-1) || url.host;
}
