import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { HttpClient } from '../http/http-client.ts';
import { removeArmour } from '../openpgp/armour.ts';
import { verifyDetached } from '../openpgp/gpgv.ts';

/**
 * The key of "Kernel PPA <kernel-ppa@canonical.com>", which signs the mainline archive's CHECKSUMS: its fingerprint is in Ubuntu's documentation of
 * the archive (Kernel/MainlineBuilds, "Verifying mainline build binaries"). The key itself is in no package of Debian's or Ubuntu's: it is read once from
 * Ubuntu's key server, and whatever comes from there is of no use unless it has this fingerprint.
 */
export const MAINLINE_KEY = '60AA7B6F30434AE68E569963E50C6A0917C622B0';

/** Where the documentation of the archive sends its readers for the key. */
export const KEY_SERVER = 'https://keyserver.ubuntu.com';

/** Where the key comes from. */
export interface KeyOptions {
  /** A file with the public keys that are trusted, all of them: for archives that others sign. Null: the key server's. */
  readonly keyring: string | null;
  /** The cache folder, in which the key is kept. */
  readonly cache: string;
  readonly keyServer: string;
  readonly fingerprint: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Checks the signature of a CHECKSUMS file.
 *
 * @param where its address, for messages
 * @throws ExplainedError `signature-refused`, `key-unavailable`, and as {@link HttpClient.get} does
 */
export async function verifyChecksums(
  document: Buffer,
  signature: Buffer,
  where: string,
  http: HttpClient,
  options: KeyOptions,
): Promise<void> {
  const { keyring, cache, fingerprint, signal } = options;
  const thing = { where, fix: REFUSED_FIX, signal };
  if (keyring !== null) return verifyDetached(document, signature, { keyrings: [keyring] }, thing);
  const kept = join(cache, 'keys', `${fingerprint}.gpg`);
  if ((await readFile(kept).catch(() => null)) !== null) {
    return verifyDetached(document, signature, { keyrings: [kept], fingerprints: [fingerprint] }, thing);
  }
  const key = await fetchKey(http, options);
  await mkdir(dirname(kept), { recursive: true });
  const temporary = `${kept}.${randomUUID()}`;
  await writeFile(temporary, key);
  try {
    await verifyDetached(document, signature, { keyrings: [temporary], fingerprints: [fingerprint] }, thing);
    // Kept only now: gpgv has computed the fingerprint of what it verified with.
    await rename(temporary, kept);
  } finally {
    await rm(temporary, { force: true });
  }
}

const REFUSED_FIX =
  'What is not signed by the key of the mainline archive is not used: try again later, or use another mirror (KSYM_MATRIX_MAINLINE_MIRROR).';

async function fetchKey(http: HttpClient, { keyServer, fingerprint }: KeyOptions): Promise<Buffer> {
  const address = `${keyServer.replace(/\/+$/, '')}/pks/lookup?op=get&options=mr&search=0x${fingerprint}`;
  const { body } = await http.get(address, { maxBytes: 1 << 20 });
  const key = removeArmour(body.toString('utf8'), 'PUBLIC KEY BLOCK');
  if (key !== null) return key;
  throw new ExplainedError('key-unavailable', 'the key server sent no key', {
    where: address,
    fix: `Name a file with the key ${fingerprint} in KSYM_MATRIX_MAINLINE_KEYRING.`,
  });
}
