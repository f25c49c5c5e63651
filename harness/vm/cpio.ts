/** A file for an initramfs. */
export interface CpioFile {
  /** Path without a leading slash. */
  readonly path: string;
  /** Permission bits, for example 0o755. */
  readonly mode: number;
  readonly content: Uint8Array;
}

const REGULAR_FILE = 0o100000;
const TRAILER = 'TRAILER!!!';

/**
 * Writes a cpio archive of regular files in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The kernel unpacks several archives from one initrd one after the other, each starting on a multiple of four bytes.
 */
export function writeCpio(files: readonly CpioFile[]): Buffer {
  const parts = files.flatMap((file, index) => entry(index + 1, REGULAR_FILE | file.mode, file.path, file.content));
  return Buffer.concat([...parts, ...entry(0, 0, TRAILER, new Uint8Array())]);
}

function entry(inode: number, mode: number, path: string, content: Uint8Array): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [pad(Buffer.concat([header, name])), pad(Buffer.from(content))];
}

/** Fills up with zero bytes to a multiple of four. */
export function pad(bytes: Buffer): Buffer {
  const missing = (4 - (bytes.length % 4)) % 4;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
