import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip, gunzipSync } from 'node:zlib';
import { consumeTool } from './archive/tool-stream.ts';

/**
 * Writes the configuration that a kernel with CONFIG_IKCONFIG carries in itself into `folder`: for kernels that come without one beside them. As
 * scripts/extract-ikconfig of the kernel does, for kernels packed with gzip, xz or zstd.
 *
 * @param image a bzImage that {@link readImageHeader} has accepted
 * @returns the path of the file; null if there is none in it, or it is packed otherwise
 */
export async function extractConfig(
  image: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const payload = await readPayload(image);
  const packing =
    payload === null ? undefined : PACKINGS.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (payload === null || packing === undefined) return null;
  const search = new ConfigSearch();
  const consume = async (stream: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of stream) if (search.add(chunk)) throw new Enough();
  };
  if (packing.tool === null) {
    const unpacked = Readable.from([payload]).pipe(createGunzip());
    // What is cut off or damaged does not boot either, and that will be said then.
    await consume(unpacked).catch(() => undefined);
    unpacked.destroy();
  } else {
    const file = join(folder, `payload${packing.suffix}`);
    await writeFile(file, payload);
    await consumeTool(packing.tool, ['-d', '-c', '-q', file], { package: packing.package, signal }, consume);
    await rm(file);
  }
  const config = search.config();
  if (config === null) return null;
  const path = join(folder, 'embedded-config');
  await writeFile(path, config);
  return path;
}

class Enough extends Error {}

interface Packing {
  readonly magic: Buffer;
  /** Null: Node does it. */
  readonly tool: string | null;
  readonly package: string;
  readonly suffix: string;
}

const PACKINGS: readonly Packing[] = [
  { magic: Buffer.from('1f8b', 'hex'), tool: null, package: '', suffix: '.gz' },
  { magic: Buffer.from('fd377a585a00', 'hex'), tool: 'xz', package: 'xz-utils', suffix: '.xz' },
  { magic: Buffer.from('28b52ffd', 'hex'), tool: 'zstd', package: 'zstd', suffix: '.zst' },
];

/** The packed kernel in a bzImage, see payload_offset and payload_length in Documentation/arch/x86/boot.rst; null before protocol 2.08. */
async function readPayload(image: string): Promise<Buffer | null> {
  const file = await open(image);
  try {
    const header = Buffer.alloc(0x250);
    await file.read(header, 0, header.length, 0);
    if (header.readUInt16LE(0x206) < 0x208) return null;
    const start = ((header[0x1f1] || 4) + 1) * 512 + header.readUInt32LE(0x248);
    const length = header.readUInt32LE(0x24c);
    const { size } = await file.stat();
    if (length === 0 || start + length > size) return null;
    const payload = Buffer.alloc(length);
    await file.read(payload, 0, length, start);
    // All but gzip, which has it already, are followed by the unpacked size in four bytes (scripts/Makefile.lib, size_append).
    return payload.readUInt16LE(0) === 0x8b1f ? payload : payload.subarray(0, -4);
  } finally {
    await file.close();
  }
}

/** Looks for what kernel/configs.c puts around the configuration, in pieces of a kernel as they come. */
class ConfigSearch {
  #kept: Buffer = Buffer.alloc(0);
  #found = false;

  /** Whether the end was seen, too. */
  add(chunk: Buffer): boolean {
    this.#kept = Buffer.concat([this.#kept, chunk]);
    if (!this.#found) {
      const start = this.#kept.indexOf(START);
      this.#found = start !== -1;
      // The mark may lie across two pieces.
      this.#kept = this.#kept.subarray(this.#found ? start + MARK : Math.max(0, this.#kept.length - START.length));
    }
    return this.#found && (this.#kept.includes(END) || this.#kept.length > LARGEST);
  }

  config(): Buffer | null {
    const end = this.#kept.indexOf(END);
    if (!this.#found || end === -1) return null;
    try {
      return gunzipSync(this.#kept.subarray(0, end));
    } catch {
      return null;
    }
  }
}

const MARK = 'IKCFG_ST'.length;
/** With the beginning of the gzip file that follows, so that the same text elsewhere is passed over. */
const START = Buffer.from('IKCFG_ST\x1f\x8b\x08', 'latin1');
const END = Buffer.from('IKCFG_ED');
/** Configurations take some 50 KiB, packed. */
const LARGEST = 4 << 20;
