/** A file for an initramfs. */
export interface CpioFile {
  /** Path without a leading slash. */
  readonly path: string;
  /** Permission bits, for example 0o755. */
  readonly mode: number;
  readonly content: Uint8Array;
}

/** What an entry is, in its mode (include/uapi/linux/stat.h). */
export const CPIO_KIND = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;

const TRAILER = 'TRAILER!!!';

/**
 * Writes a cpio archive of regular files in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The kernel unpacks several archives from one initrd one after the other, each starting on a multiple of four bytes.
 */
export function writeCpio(files: readonly CpioFile[]): Buffer {
  const parts = files.flatMap(({ path, mode, content }, index) => [
    cpioHeader({ inode: index + 1, mode: CPIO_KIND.file | mode, path, size: content.length }),
    pad(Buffer.from(content)),
  ]);
  return Buffer.concat([...parts, cpioTrailer()]);
}

/** The header of an entry. `size` bytes of content follow it, and zeroes up to a multiple of four; a link's content is its target. */
export function cpioHeader(entry: {
  /** From 1 up, and another for each entry: those with the same one would be links to each other. */
  readonly inode: number;
  /** {@link CPIO_KIND} and permission bits. */
  readonly mode: number;
  /** Path without a leading slash. */
  readonly path: string;
  /** Bytes; at most 4 GiB - 1. */
  readonly size: number;
  /** Time of modification, in seconds since 1970. Default: 0. */
  readonly modified?: number;
}): Buffer {
  const name = Buffer.from(`${entry.path}\0`);
  const { inode, mode, size, modified = 0 } = entry;
  const fields = [inode, mode, 0, 0, 1, modified, size, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return pad(Buffer.concat([header, name]));
}

/** What ends an archive. */
export function cpioTrailer(): Buffer {
  return cpioHeader({ inode: 0, mode: 0, path: TRAILER, size: 0 });
}

/** Fills up with zero bytes to a multiple of four. */
export function pad(bytes: Buffer): Buffer {
  const missing = (4 - (bytes.length % 4)) % 4;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
