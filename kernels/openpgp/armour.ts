/** The bytes of an armoured OpenPGP block (RFC 9580 §6.2), such as a public key as key servers send it; null if the text holds none. */
export function removeArmour(text: string, kind: string): Buffer | null {
  const block = new RegExp(`-----BEGIN PGP ${kind}-----\\r?\\n([^-]*)-----END PGP ${kind}-----`).exec(text)?.[1];
  if (block === undefined) return null;
  const lines = block.split(/\r?\n/);
  // Headers, such as "Comment: …", end with an empty line; a line that begins with "=" is a checksum.
  const body = lines.slice(lines.findIndex((line) => line.trim() === '') + 1).filter((line) => !line.startsWith('='));
  const bytes = Buffer.from(body.join(''), 'base64');
  return bytes.length === 0 ? null : bytes;
}
