import { createHash } from 'node:crypto';
import { access, constants, readFile, writeFile } from 'node:fs/promises';

/** Notes the digest of a program that was just built, in a file beside it. Throws what writing throws. */
export async function noteDigest(program: string): Promise<void> {
  await writeFile(digestFileOf(program), await sha256Of(program));
}

/** Where the digest of a program is noted. */
export function digestFileOf(program: string): string {
  return `${program}.sha256`;
}

/** Whether a program is the one that was built: one that was cut off would start, and fail in the guest. */
export async function isWhole(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return (await sha256Of(program)) === (await readFile(digestFileOf(program), 'utf8'));
  } catch {
    return false;
  }
}

/** SHA256 of a file's content, in hex. Throws what reading throws. */
export async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
