import type { Trust } from './gpgv.ts';

/** One signature, as gpgv tells of it. */
interface Signature {
  /** Key that made it, by its long id. */
  key: string;
  verdict: string;
  /** Fingerprint of the primary key; null if the signature is not valid. */
  fingerprint: string | null;
  /** In seconds since 1970. */
  madeAt: number;
  /** When parts of the key expired, in seconds since 1970. */
  expiredAt: number[];
}

/**
 * Reads gpgv's machine-readable status (doc/DETAILS of GnuPG, "General status codes"). Its exit code says too little: it is 0 for
 * an expired key, and 2 for a document with one good signature and one by a key that is not known, as Debian's often are.
 *
 * @returns null if a signature is accepted and none is bad, else why not; empty if gpgv said nothing about a signature
 */
export function judgeSignatures(status: string, trust: Trust): string | null {
  const lines = status.split('\n').flatMap((line) => (line.startsWith(PREFIX) ? [line.slice(PREFIX.length)] : []));
  // What stands beside a signed message would be taken for a part of it.
  const texts = lines.filter((line) => line.startsWith('PLAINTEXT ')).length;
  if (texts > 1 || lines.some((line) => line.startsWith('ERROR proc_pkt.plaintext')))
    return 'it holds more than one message';
  const signatures = parseSignatures(lines);
  const bad = signatures.find(({ verdict }) => verdict === 'BADSIG');
  if (bad !== undefined) return `it was altered after key ${bad.key} had signed it`;
  const complaints = signatures.map((signature) => complaintAbout(signature, trust));
  return complaints.length === 0 ? '' : complaints.includes(null) ? null : complaints.join(', ');
}

const PREFIX = '[GNUPG:] ';
const VERDICTS: ReadonlySet<string> = new Set(['GOODSIG', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG', 'BADSIG', 'ERRSIG']);

function parseSignatures(lines: readonly string[]): Signature[] {
  const signatures: Signature[] = [];
  for (const line of lines) {
    const [word = '', ...values] = line.split(' ');
    if (word === 'NEWSIG') signatures.push({ key: '', verdict: '', fingerprint: null, madeAt: 0, expiredAt: [] });
    const current = signatures.at(-1);
    if (current === undefined) continue;
    if (VERDICTS.has(word)) {
      current.verdict = word;
      current.key = values[0] ?? '';
    } else if (word === 'KEYEXPIRED') {
      current.expiredAt.push(Number(values[0]));
    } else if (word === 'VALIDSIG') {
      current.madeAt = Number(values[2]);
      current.fingerprint = values[9] ?? null;
    }
  }
  return signatures;
}

function complaintAbout({ key, verdict, fingerprint, madeAt, expiredAt }: Signature, trust: Trust): string | null {
  if (verdict === 'ERRSIG') return `key ${key} is not known`;
  if (verdict === 'REVKEYSIG') return `key ${key} was revoked`;
  if (verdict === 'EXPSIG') return `the signature by key ${key} has expired`;
  if (fingerprint === null) return `gpgv cannot judge the signature by key ${key}`;
  if (trust.fingerprints !== undefined && !trust.fingerprints.includes(fingerprint)) {
    return `key ${fingerprint} signed it, and ${trust.fingerprints.join(' or ')} should have`;
  }
  if (verdict === 'GOODSIG') return null;
  if (verdict !== 'EXPKEYSIG') return `gpgv cannot judge the signature by key ${key}`;
  if (trust.expiredKeys !== true) return `key ${key} has expired`;
  const wasInForce = expiredAt.length > 0 && expiredAt.every((end) => madeAt < end);
  return wasInForce ? null : `key ${key} had expired when it signed`;
}
