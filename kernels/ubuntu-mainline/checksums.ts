/**
 * The SHA-256 of every file that a CHECKSUMS file of the mainline archive names, by its path there: lines of a digest and a name, in sections that a comment
 * begins (`# Checksums-Sha1:`, `# Checksums-Sha256:`).
 */
export function parseChecksums(text: string): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, digest, name] = /^([0-9a-f]{64})\s+\*?(\S+)$/.exec(line.trim()) ?? [];
    if (digest !== undefined && name !== undefined) digests.set(name.replace(/^\.\//, ''), digest);
  }
  return digests;
}
