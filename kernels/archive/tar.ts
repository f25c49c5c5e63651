import { FormatError } from '../../loader/errors.ts';

/** One member of a tar archive. `content` has to be read to its end before the next member is asked for. */
export interface TarEntry {
  /** As it stands in the archive. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** The type flag of the header, for messages. */
  readonly flag: string;
  /** Permission bits, set-user-id and the like included. */
  readonly mode: number;
  /** Bytes of content. */
  readonly size: number;
  /** What a link points to, else empty. */
  readonly target: string;
  readonly content: AsyncIterable<Buffer>;
}

/**
 * Reads the members of a tar archive as they come: POSIX ustar, with the long names of GNU tar and of pax headers.
 * Numbers are octal text, or big-endian binary if their first byte has bit 7 set (GNU).
 *
 * @throws FormatError `tar-truncated`, `tar-bad-checksum`, `tar-bad-number`
 */
export async function* readTar(stream: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const source = new ByteSource(stream);
  let longPath: string | null = null;
  let longTarget: string | null = null;
  for (;;) {
    const at = source.position;
    const header = await source.exactly(BLOCK, 'header');
    if (header.every((byte) => byte === 0)) return;
    checkSum(header, at);
    const flag = String.fromCharCode(header[156] ?? 0).replace('\0', '0');
    const size = number(header, 124, 12, at);
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (flag === 'L' || flag === 'K' || flag === 'x' || flag === 'g') {
      if (size > MAX_META)
        throw new FormatError('tar-bad-number', `a header of ${size} bytes`, { section: 'tar', offset: at });
      const meta = await source.exactly(size, 'long name');
      await source.exactly(padding, 'padding');
      if (flag === 'L') longPath = text(meta, 0, size);
      if (flag === 'K') longTarget = text(meta, 0, size);
      if (flag === 'x') {
        const records = paxRecords(meta);
        longPath = records.get('path') ?? longPath;
        longTarget = records.get('linkpath') ?? longTarget;
      }
      continue;
    }
    const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? text(header, 345, 155) : '';
    const name = text(header, 0, 100);
    const end = source.position + size;
    const content = source.take(size);
    yield {
      path: longPath ?? (prefix === '' ? name : `${prefix}/${name}`),
      type: TYPES[flag] ?? 'other',
      flag,
      mode: number(header, 100, 8, at) & 0o7777,
      size,
      target: longTarget ?? text(header, 157, 100),
      content,
    };
    // Whoever did not want the content leaves it to be skipped.
    for await (const rest of source.take(end - source.position)) void rest;
    await source.exactly(padding, 'padding');
    longPath = null;
    longTarget = null;
  }
}

const BLOCK = 512;
const MAX_META = 1 << 20;
const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

/** Bytes of a stream, counted, in pieces of the asked length. */
class ByteSource {
  position = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async exactly(length: number, what: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.take(length, what)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *take(length: number, what = 'content'): AsyncGenerator<Buffer> {
    let wanted = length;
    while (wanted > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) {
          throw new FormatError('tar-truncated', `ends ${wanted} bytes too early`, {
            section: `tar ${what}`,
            offset: this.position,
          });
        }
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, wanted);
      this.#rest = this.#rest.subarray(part.length);
      this.position += part.length;
      wanted -= part.length;
      if (part.length > 0) yield part;
    }
  }
}

function text(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? field.length : end);
}

function number(header: Buffer, start: number, length: number, at: number): number {
  const first = header[start] ?? 0;
  let value: number;
  if ((first & 0x80) !== 0) {
    value = Number(
      BigInt(`0x${header.toString('hex', start, start + length)}`) & ((1n << BigInt(8 * length - 1)) - 1n),
    );
  } else {
    const digits = text(header, start, length).trim();
    value = digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  }
  if (Number.isSafeInteger(value)) return value;
  throw new FormatError('tar-bad-number', 'a field of the header is not a number', {
    section: 'tar',
    offset: at + start,
  });
}

/** The sum of the header's bytes, with those of the sum itself taken as spaces (POSIX pax, "ustar Interchange Format"). */
function checkSum(header: Buffer, at: number): void {
  let sum = 0;
  for (let index = 0; index < BLOCK; index += 1) sum += index >= 148 && index < 156 ? 0x20 : (header[index] ?? 0);
  if (sum !== number(header, 148, 8, at)) {
    throw new FormatError('tar-bad-checksum', "a header's checksum is wrong", { section: 'tar', offset: at });
  }
}

/** `LENGTH KEY=VALUE\n` records; LENGTH counts the whole record in bytes. */
function paxRecords(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space === -1 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) {
      throw new FormatError('tar-bad-number', 'a pax record is malformed', { section: 'pax header', offset: at });
    }
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
