import { z } from 'zod';

/** A binary package in a suite, as far as it matters here. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** `amd64` or `all`. */
  readonly architecture: string;
  /** Codename of the suite whose list names it. */
  readonly suite: string;
  /** Path of the .deb below the archive's address. */
  readonly filename: string;
  /** Size of the .deb in bytes. */
  readonly size: number;
  /** Digest of the .deb, lower-case hexadecimal. */
  readonly sha256: string;
  /** Names of the packages it depends on, alternatives included, without versions. */
  readonly depends: readonly string[];
}

/** A {@link DebianPackage} that was kept as JSON. */
export const packageSchema = z.object({
  name: z.string(),
  version: z.string(),
  architecture: z.string(),
  suite: z.string(),
  filename: z.string(),
  size: z.number(),
  sha256: z.string(),
  depends: z.array(z.string()),
});

/**
 * Picks the packages whose name passes `wanted` out of a Packages file (deb822 stanzas, separated by empty lines).
 * Works on bytes, and only stanzas whose name begins with one of `prefixes` are decoded: Debian's main list has 50 MB.
 * Stanzas without Version, Filename, Size or SHA256 are left out: they cannot be fetched safely.
 */
export function scanPackages(
  list: Buffer,
  suite: string,
  prefixes: readonly string[],
  wanted: (name: string) => boolean,
): DebianPackage[] {
  const packages: DebianPackage[] = [];
  for (const prefix of prefixes) {
    const needle = Buffer.from(`Package: ${prefix}`);
    for (let at = list.indexOf(needle); at !== -1; at = list.indexOf(needle, at + needle.length)) {
      if (at !== 0 && list[at - 1] !== NEWLINE) continue;
      const before = list.lastIndexOf(STANZA_END, at);
      const after = list.indexOf(STANZA_END, at);
      const stanza = list.subarray(before === -1 ? 0 : before + 2, after === -1 ? list.length : after);
      const parsed = parsePackage(stanza.toString('utf8'), suite);
      if (parsed !== null && wanted(parsed.name)) packages.push(parsed);
    }
  }
  return packages;
}

/** Parses one deb822 stanza into its fields; names in lower case, continuation lines joined by newlines. */
export function parseStanza(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    if (/^[ \t]/.test(line)) {
      if (current !== '') fields.set(current, `${fields.get(current) ?? ''}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    current = line.slice(0, colon).toLowerCase();
    fields.set(current, line.slice(colon + 1).trim());
  }
  return fields;
}

const NEWLINE = 0x0a;
const STANZA_END = Buffer.from('\n\n');

function parsePackage(text: string, suite: string): DebianPackage | null {
  const fields = parseStanza(text);
  const [name, version, filename] = [fields.get('package'), fields.get('version'), fields.get('filename')];
  const sha256 = fields.get('sha256');
  const size = Number(fields.get('size'));
  if (name === undefined || version === undefined || filename === undefined || sha256 === undefined) return null;
  if (!/^[0-9a-f]{64}$/.test(sha256) || !Number.isSafeInteger(size) || size <= 0) return null;
  const depends = `${fields.get('pre-depends') ?? ''},${fields.get('depends') ?? ''}`
    .split(/[,|]/)
    .map((one) => one.trim().split(/[\s(:[]/, 1)[0] ?? '')
    .filter((one) => one !== '');
  return { name, version, architecture: fields.get('architecture') ?? 'all', suite, filename, size, sha256, depends };
}
