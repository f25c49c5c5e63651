import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ExplainedError } from '../../loader/errors.ts';
import { readTar } from '../archive/tar.ts';
import { consumeTool } from '../archive/tool-stream.ts';
import { diskFull, isDiskFull } from '../free-space.ts';
import { LayerTree } from './layer-tree.ts';

/** How much an image may hold, all layers together. A few kilobytes can be told to unpack into terabytes. */
export interface LayerLimits {
  /** Bytes of all layers, decompressed. */
  readonly bytes: number;
  readonly entries: number;
}

/** A kernel with all modules and its debug information stays below a tenth of this. */
export const LAYER_LIMITS: LayerLimits = { bytes: 8 * 2 ** 30, entries: 1_000_000 };

/** A layer in a file. */
export interface LayerFile {
  readonly path: string;
  /** `sha256:…`, for messages. */
  readonly digest: string;
}

/**
 * Unpacks what a kernel is made of out of an image's layers, lowest first, into the folder `target`: `boot`, `lib/modules` and `usr/lib/modules`. A layer is a tar archive, plain or
 * compressed with gzip or zstd; its first bytes say which.
 *
 * @param where the image, for messages
 * @throws ExplainedError `layer-too-large`, `layer-unreadable`, `image-entry-refused`, `disk-full`, `interrupted`, `tool-missing`
 */
export async function unpackLayers(
  layers: readonly LayerFile[],
  target: string,
  where: string,
  options: { readonly limits?: LayerLimits; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await mkdir(target, { recursive: true });
  const budget = new Budget(options.limits ?? LAYER_LIMITS, where);
  let digest = '';
  const tree = new LayerTree(target, ({ path }, why) => refused(where, digest, path, why));
  for (const layer of layers) {
    digest = layer.digest;
    tree.startLayer();
    try {
      await decompress(layer.path, options.signal, async (stream) => {
        const counted = budget.count(stream);
        for await (const entry of readTar(counted)) {
          budget.addEntry();
          await tree.add(entry);
        }
        // What follows the archive's end is padding, which has to be read for its checksum to be compared, and counted like the rest.
        for await (const rest of counted) void rest;
      });
    } catch (cause) {
      if (isDiskFull(cause)) throw diskFull(target, cause);
      if (cause instanceof ExplainedError && !cause.code.startsWith('tar-')) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ExplainedError('layer-unreadable', 'a layer of the image cannot be unpacked', {
        where: `${where}, layer ${digest}`,
        why,
        fix: 'The image was pushed like this: its digest is right. Use another one.',
        cause,
      });
    }
  }
  await tree.checkLinks();
}

/** Counts what comes out of the layers. */
class Budget {
  readonly #limits: LayerLimits;
  readonly #where: string;
  #bytes = 0;
  #entries = 0;

  constructor(limits: LayerLimits, where: string) {
    this.#limits = limits;
    this.#where = where;
  }

  addEntry(): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) throw this.#tooMuch(`${this.#limits.entries} entries`);
  }

  async *count(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      this.#bytes += chunk.length;
      if (this.#bytes > this.#limits.bytes) throw this.#tooMuch(`${Math.round(this.#limits.bytes / 1e6)} MB`);
      yield chunk;
    }
  }

  #tooMuch(limit: string): ExplainedError {
    return new ExplainedError('layer-too-large', 'the layers of the image hold too much', {
      where: this.#where,
      why: `they unpack to more than ${limit}, which no kernel needs`,
      fix: 'Use an image that holds a kernel and little else.',
    });
  }
}

async function decompress(
  path: string,
  signal: AbortSignal | undefined,
  consume: (stream: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const magic = await firstBytes(path);
  if (magic.readUInt32LE(0) === ZSTD) {
    const failure = await consumeTool(
      'zstd',
      ['--decompress', '--stdout', '--quiet', path],
      { package: 'zstd', signal },
      consume,
    );
    if (failure === null) return;
    throw failure.cause ?? new ExplainedError('tar-truncated', failure.said);
  }
  const isGzip = magic.readUInt16LE(0) === GZIP;
  let problem: unknown;
  const noting = (stream: AsyncIterable<Buffer>): Promise<void> =>
    consume(stream).catch((error: unknown) => {
      problem = error;
      throw error;
    });
  const options = signal === undefined ? {} : { signal };
  try {
    if (isGzip) await pipeline(createReadStream(path), createGunzip(), noting, options);
    else await pipeline(createReadStream(path), noting, options);
  } catch (error) {
    if (signal?.aborted === true) throw new ExplainedError('interrupted', 'unpacking was interrupted');
    // A pipeline may say no more than that it broke.
    throw isAbort(error) ? (problem ?? error) : error;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** RFC 8878, and RFC 1952. */
const ZSTD = 0xfd2fb528;
const GZIP = 0x8b1f;

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(4);
    await file.read(bytes, 0, 4, 0);
    return bytes;
  } finally {
    await file.close();
  }
}

function refused(where: string, digest: string, path: string, why: string): ExplainedError {
  return new ExplainedError('image-entry-refused', `the image's entry ${JSON.stringify(path)} is refused`, {
    where: `${where}, layer ${digest}`,
    why,
    fix: 'No tool that builds images makes such an entry: do not use this image.',
  });
}
