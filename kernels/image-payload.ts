import { open } from 'node:fs/promises';

/** How the kernel in a bzImage is compressed; null where it cannot be told. */
export type PayloadKind = 'gzip' | 'bzip2' | 'lzma' | 'xz' | 'lzo' | 'lz4' | 'zstd' | 'elf';

/** Reads how the kernel in a bzImage is compressed: `payload_offset` of Documentation/arch/x86/boot.rst, since protocol 2.08. */
export async function readPayloadKind(path: string): Promise<PayloadKind | null> {
  const file = await open(path).catch(() => null);
  if (file === null) return null;
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    if (bytesRead < HEAD_BYTES || head.readUInt16LE(PROTOCOL) < 0x208) return null;
    const start = ((head[SETUP_SECTORS] || 4) + 1) * 512 + head.readUInt32LE(PAYLOAD_OFFSET);
    const magic = Buffer.alloc(6);
    await file.read(magic, 0, magic.length, start);
    const hex = magic.toString('hex');
    return MAGICS.find(([begins]) => hex.startsWith(begins))?.[1] ?? null;
  } finally {
    await file.close();
  }
}

const SETUP_SECTORS = 0x1f1;
const PROTOCOL = 0x206;
const PAYLOAD_OFFSET = 0x248;
const HEAD_BYTES = 0x250;

/** What the formats begin with (lib/decompress.c); lz4 in its legacy framing, as scripts/Makefile.lib makes it. */
const MAGICS: readonly (readonly [string, PayloadKind])[] = [
  ['1f8b', 'gzip'],
  ['1f9e', 'gzip'],
  ['425a', 'bzip2'],
  ['5d00', 'lzma'],
  ['fd377a585a00', 'xz'],
  ['894c', 'lzo'],
  ['02214c18', 'lz4'],
  ['28b52ffd', 'zstd'],
  ['7f454c46', 'elf'],
];
