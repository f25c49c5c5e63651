import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { runTool } from '../run-tool.ts';
import { judgeSignatures } from './gpgv-status.ts';

/** Whose signatures are accepted. */
export interface Trust {
  /** Files with public keys in OpenPGP's binary form. */
  readonly keyrings: readonly string[];
  /** Accept these keys only: fingerprints of primary keys in capital hexadecimal. Default: every key of the keyrings. */
  readonly fingerprints?: readonly string[];
  /** Accept a signature by a key that has expired since, if it was made before. */
  readonly expiredKeys?: boolean;
}

/** What a signature is about, for messages. */
export interface SignedThing {
  /** Its address or path. */
  readonly where: string;
  /** What the user can do if the signature is refused. */
  readonly fix: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Checks a clear-signed document, as Debian's InRelease is one, with gpgv.
 *
 * @returns what was signed, and nothing that stands around it
 * @throws ExplainedError `signature-refused`, `tool-missing`, `interrupted`
 */
export async function verifyClearSigned(document: Buffer, trust: Trust, thing: SignedThing): Promise<Buffer> {
  if (!document.subarray(0, BEGIN.length).equals(BEGIN)) throw refused(thing, 'it is not signed');
  return inFolder(async (folder) => {
    await writeFile(join(folder, 'document'), document);
    const output = join(folder, 'signed');
    await judge(folder, ['--output', output, join(folder, 'document')], trust, thing);
    return readFile(output);
  });
}

/**
 * Checks a signature that lies in a file of its own, with gpgv.
 *
 * @throws ExplainedError `signature-refused`, `tool-missing`, `interrupted`
 */
export async function verifyDetached(
  document: Buffer,
  signature: Buffer,
  trust: Trust,
  thing: SignedThing,
): Promise<void> {
  // gpgv would look at what that has signed itself, and versions differ in what they say to it.
  if (signature.subarray(0, BEGIN.length).equals(BEGIN)) throw refused(thing, 'it is not a detached signature');
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'document'), document);
    await writeFile(join(folder, 'signature'), signature);
    await judge(folder, [join(folder, 'signature'), join(folder, 'document')], trust, thing);
  });
}

const BEGIN = Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\n');

async function judge(folder: string, args: readonly string[], trust: Trust, thing: SignedThing): Promise<void> {
  const keyrings = trust.keyrings.flatMap((file) => ['--keyring', file]);
  const { stdout, stderr } = await runTool('gpgv', ['--homedir', folder, ...keyrings, '--status-fd', '1', ...args], {
    package: 'gpgv',
    signal: thing.signal,
  });
  const complaint = judgeSignatures(stdout.toString('utf8'), trust);
  if (complaint !== null) throw refused(thing, complaint || stderr.trim().split('\n').at(-1) || 'it is not signed');
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ksym-matrix-gpgv-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function refused({ where, fix }: SignedThing, why: string): ExplainedError {
  return new ExplainedError('signature-refused', 'the signature is refused', { where, why, fix });
}
