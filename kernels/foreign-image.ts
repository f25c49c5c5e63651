import { constants, gunzipSync } from 'node:zlib';
import { ExplainedError } from '../loader/errors.ts';

/**
 * The error for a file that is no bzImage for x86: says what it is instead, as far as its first bytes tell.
 *
 * @param head the first 72 KiB, or all of it
 * @param size of the whole file, in bytes
 */
export function describeForeignImage(path: string, head: Buffer, size: number): ExplainedError {
  const found = recognise(head, size);
  if (found.architecture !== undefined && found.architecture !== 'x86_64') {
    return new ExplainedError('image-wrong-architecture', `the kernel is for ${found.architecture}`, {
      where: path,
      why: `it is ${found.what}; a bzImage for x86_64 is wanted`,
      fix: 'Build or fetch the kernel for x86_64 (amd64).',
    });
  }
  return new ExplainedError('image-not-a-kernel', 'this is no kernel that can be booted', {
    where: path,
    why: `it is ${found.what}; a bzImage for x86_64 is wanted`,
    fix: found.fix ?? 'Name a bzImage (/boot/vmlinuz-…, or arch/x86/boot/bzImage of a built tree).',
  });
}

interface Finding {
  readonly what: string;
  readonly architecture?: string | undefined;
  readonly fix?: string;
}

function recognise(head: Buffer, size: number): Finding {
  if (size === 0) return { what: 'an empty file' };
  const at = (offset: number, length: number): string => head.toString('latin1', offset, offset + length);
  // Documentation/arch/arm64/booting.rst and Documentation/arch/riscv/boot-image-header.rst: both share their layout.
  if (at(56, 4) === 'ARM\x64') return { what: 'an arm64 Image', architecture: 'arm64' };
  if (at(56, 4) === 'RSC\x05') return { what: 'a RISC-V Image', architecture: 'riscv' };
  // arch/arm/boot/compressed/head.S
  if (at(0x24, 4) === '\x18\x28\x6f\x01') return { what: 'a 32-bit ARM zImage', architecture: 'arm' };
  // arch/s390/boot/head.S
  if (at(0x10008, 6) === 'S390EP') return { what: 'an s390 image', architecture: 's390' };
  if (at(0, 4) === '\x7fELF') return elf(head);
  if (at(0, 2) === 'MZ') return efi(head);
  if (at(0, 2) === '\x1f\x8b') return gzip(head);
  if (at(0, 4) === '\x27\x05\x19\x56') return { what: 'an image for the boot loader U-Boot' };
  if (at(0, 2) === '#!') return { what: 'a script' };
  if (at(0, 8) === '!<arch>\n')
    return { what: 'an archive, such as a .deb', fix: 'Unpack it, and name the vmlinuz in it.' };
  return { what: `no format that is known here (it begins with ${JSON.stringify(at(0, 8))})` };
}

/** e_machine, from the ELF specification's registry. */
const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: 'x86 (32-bit)',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'ppc64',
  22: 's390',
  40: 'arm',
  62: 'x86_64',
  183: 'arm64',
  243: 'riscv',
  258: 'loongarch',
};

function elf(head: Buffer): Finding {
  const little = head[5] !== 2;
  const machine = head.length < 20 ? 0 : little ? head.readUInt16LE(18) : head.readUInt16BE(18);
  const architecture = ELF_MACHINES[machine];
  if (architecture !== 'x86_64') return { what: 'an ELF file', architecture: architecture ?? `machine ${machine}` };
  return {
    what: 'an ELF file, such as the vmlinux that debuggers want',
    architecture,
    fix: 'Name the bzImage that was made with it: arch/x86/boot/bzImage of the build tree.',
  };
}

/** Machine, from the PE format. */
const PE_MACHINES: Readonly<Record<number, string>> = {
  332: 'x86 (32-bit)',
  448: 'arm',
  452: 'arm',
  20530: 'riscv',
  20580: 'riscv',
  25138: 'loongarch',
  25188: 'loongarch',
  34404: 'x86_64',
  43620: 'arm64',
};

function efi(head: Buffer): Finding {
  // drivers/firmware/efi/libstub/zboot-header.S
  const what = head.toString('latin1', 4, 8) === 'zimg' ? 'a compressed EFI image (vmlinuz.efi)' : 'an EFI program';
  const start = head.length < 64 ? 0 : head.readUInt32LE(60);
  const isPe = start + 6 <= head.length && head.toString('latin1', start, start + 4) === 'PE\0\0';
  const architecture = isPe ? PE_MACHINES[head.readUInt16LE(start + 4)] : undefined;
  return {
    what: `${what} without the boot header of Linux on x86`,
    architecture,
    fix: 'Of a unified kernel image, name the kernel in it: objcopy -O binary --only-section=.linux IMAGE vmlinuz',
  };
}

function gzip(head: Buffer): Finding {
  let inside: Buffer;
  try {
    inside = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MOST_INSIDE });
  } catch {
    inside = Buffer.alloc(0);
  }
  const isGzip = inside.toString('latin1', 0, 2) === '\x1f\x8b';
  const found = inside.length === 0 || isGzip ? null : recognise(inside, inside.length);
  return {
    what: `a gzip file${found === null ? '' : `, which holds ${found.what}`}`,
    architecture: found?.architecture,
    fix: 'Unpack it with gunzip, and name what comes out if that is a bzImage.',
  };
}

/** The beginning of a kernel that was packed unpacks to far less. */
const MOST_INSIDE = 16 << 20;
