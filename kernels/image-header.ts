import { type FileHandle, open, stat } from 'node:fs/promises';
import { ExplainedError } from '../loader/errors.ts';
import { describeForeignImage } from './foreign-image.ts';

/** What a kernel image says of itself. */
export interface ImageHeader {
  /** As in `uname -r`. */
  readonly release: string;
  /** Release, builder and build date, as in /proc/version but for the compiler. */
  readonly versionText: string;
  /** Version of the boot protocol, such as `2.15`. */
  readonly protocol: string;
}

/**
 * Reads the header of a bzImage for 64-bit x86 (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
 *
 * @throws ExplainedError `image-unreadable` if the file cannot be read; `image-wrong-architecture` if it is a kernel for another one;
 *   `image-not-a-kernel` if it is something else, or cut off
 */
export async function readImageHeader(path: string): Promise<ImageHeader> {
  const { head, size } = await readHead(path);
  if (head.length < HEADER_END || head.readUInt16LE(BOOT_FLAG) !== 0xaa55 || magicOf(head) !== 'HdrS') {
    throw describeForeignImage(path, head, size);
  }
  const protocol = head.readUInt16LE(PROTOCOL);
  if (protocol < FIRST_WITH_LOAD_FLAGS || (head.readUInt16LE(LOAD_FLAGS) & KERNEL_64) === 0) {
    throw new ExplainedError('image-wrong-architecture', 'the kernel is for 32-bit x86', {
      where: path,
      why: 'its header does not say that it has a 64-bit entry; a 64-bit x86 kernel (x86_64) is wanted',
      fix: 'Build or fetch the kernel for x86_64 (amd64).',
    });
  }
  const setupSectors = head[SETUP_SECTORS] || 4;
  // The size is in units of 16 bytes, rounded up.
  const needed = (setupSectors + 1) * SECTOR + (head.readUInt32LE(SYSTEM_SIZE) - 1) * 16;
  if (size < needed) {
    throw notAKernel(path, `the image is cut off: it has ${size} bytes, its header says ${needed} or more`);
  }
  const pointer = head.readUInt16LE(VERSION_POINTER) + SECTOR;
  const text = pointer === SECTOR || pointer >= (setupSectors + 1) * SECTOR ? '' : textAt(head, pointer);
  const release = text.split(' ', 1)[0] ?? '';
  if (!/^\d+\.\d+[\w.+~-]*$/.test(release)) throw notAKernel(path, 'its header names no version');
  return { release, versionText: text, protocol: `${protocol >> 8}.${protocol & 0xff}` };
}

/** Offsets in the file, see the table in boot.rst. */
const SETUP_SECTORS = 0x1f1;
const SYSTEM_SIZE = 0x1f4;
const BOOT_FLAG = 0x1fe;
const MAGIC = 0x202;
const PROTOCOL = 0x206;
const VERSION_POINTER = 0x20e;
const LOAD_FLAGS = 0x236;
const HEADER_END = 0x238;
const SECTOR = 512;
/** `xloadflags` came with protocol 2.12 (Linux 3.8). */
const FIRST_WITH_LOAD_FLAGS = 0x20c;
/** XLF_KERNEL_64: the legacy 64-bit entry point is there. */
const KERNEL_64 = 1;
/** All of the setup code, which may have 64 sectors, and where s390 has its mark. */
const HEAD_BYTES = 0x12000;

async function readHead(path: string): Promise<{ head: Buffer; size: number }> {
  let file: FileHandle | undefined;
  try {
    const found = await stat(path);
    // Before it is opened: that waits for whoever writes into a pipe.
    if (!found.isFile()) throw new TypeError(found.isDirectory() ? 'it is a folder' : 'it is no file');
    const { size } = found;
    file = await open(path);
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    return { head: head.subarray(0, bytesRead), size };
  } catch (cause) {
    throw new ExplainedError('image-unreadable', 'the kernel image cannot be read', {
      where: path,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: 'Name a bzImage that exists and that you may read.',
      cause,
    });
  } finally {
    await file?.close();
  }
}

function magicOf(head: Buffer): string {
  return head.toString('latin1', MAGIC, MAGIC + 4);
}

function textAt(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, end === -1 ? start : Math.min(end, start + 512));
}

function notAKernel(path: string, why: string): ExplainedError {
  return new ExplainedError('image-not-a-kernel', 'this is no kernel that can be booted', {
    where: path,
    why,
    fix: 'Name a whole bzImage (/boot/vmlinuz-…, or arch/x86/boot/bzImage of a built tree).',
  });
}
