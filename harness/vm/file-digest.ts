import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const CHUNK = 4 * 2 ** 20;
const ZEROES = Buffer.alloc(CHUNK);

/**
 * SHA256 in hex over a file's content, quick for one that is mostly zeroes, such as a guest's RAM: chunks of 4 MiB without any other
 * byte are skipped, the others are hashed with their offset. So it is not what sha256sum prints.
 */
export async function sparseDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(CHUNK);
    for (let offset = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, offset);
      if (bytesRead === 0) return hash.update(`end ${offset}`).digest('hex');
      const chunk = buffer.subarray(0, bytesRead);
      if (!chunk.equals(ZEROES.subarray(0, bytesRead))) hash.update(`at ${offset}\n`).update(chunk);
      offset += bytesRead;
    }
  } finally {
    await file.close();
  }
}
