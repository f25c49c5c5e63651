import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A key that signs as `gpg --clearsign` does, so that tests need no gpg. RFC 4880 §5.2 (signatures), §5.5.2 (keys), §7 (clear text). */
export interface SigningKey {
  /** The keyring with this key only, binary. */
  readonly keyring: Buffer;
  /** Hexadecimal, in capitals. */
  readonly fingerprint: string;
  /** @param at when it was signed. Default: now. */
  clearSign(text: string, at?: Date): string;
  /** A signature as `gpg --detach-sign` makes it, binary. */
  detachSign(data: Buffer): Buffer;
}

/** A new RSA key. @param validity when it was made and when it expires. Default: an hour ago, never */
export function makeKey(name: string, validity?: { readonly from: Date; readonly until: Date }): SigningKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  const from = seconds(validity?.from ?? new Date(Date.now() - 3_600_000));
  const created = uint(from, 4);
  const key = Buffer.concat([Buffer.from([4]), created, Buffer.from([1]), mpi(base64(jwk.n)), mpi(base64(jwk.e))]);
  const keyHashed = Buffer.concat([Buffer.from([0x99]), uint(key.length, 2), key]);
  const fingerprint = createHash('sha1').update(keyHashed).digest();
  const userId = Buffer.from(name);
  const userHashed = Buffer.concat([Buffer.from([0xb4]), uint(userId.length, 4), userId]);
  // 0x13: certification of the user id; key flags 3: may certify and sign.
  const self = signature(
    privateKey,
    fingerprint,
    0x13,
    created,
    Buffer.concat([keyHashed, userHashed]),
    Buffer.concat([
      Buffer.from([2, 27, 3]),
      // Key expiration time, in seconds after the creation (§5.2.3.6).
      ...(validity === undefined ? [] : [Buffer.from([5, 9]), uint(seconds(validity.until) - from, 4)]),
    ]),
  );
  return {
    keyring: Buffer.concat([packet(6, key), packet(13, userId), packet(2, self)]),
    fingerprint: fingerprint.toString('hex').toUpperCase(),
    detachSign: (data) => packet(2, signature(privateKey, fingerprint, 0x00, uint(seconds(new Date()), 4), data)),
    clearSign(text, at = new Date()) {
      const body = text.replace(/\n$/, '');
      const now = uint(seconds(at), 4);
      const made = packet(2, signature(privateKey, fingerprint, 0x01, now, Buffer.from(body.replaceAll('\n', '\r\n'))));
      const armour = (made.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
      return [
        '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n',
        `${body}\n-----BEGIN PGP SIGNATURE-----\n`,
        `${armour}\n=${crc24(made).toString('base64')}\n-----END PGP SIGNATURE-----\n`,
      ].join('\n');
    },
  };
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function signature(
  key: KeyObject,
  fingerprint: Buffer,
  type: number,
  created: Buffer,
  data: Buffer,
  more: Buffer = Buffer.alloc(0),
): Buffer {
  const subpackets = Buffer.concat([Buffer.from([5, 2]), created, Buffer.from([22, 33, 4]), fingerprint, more]);
  const hashed = Buffer.concat([Buffer.from([4, type, 1, 8]), uint(subpackets.length, 2), subpackets]);
  const all = Buffer.concat([data, hashed, Buffer.from([4, 0xff]), uint(hashed.length, 4)]);
  const issuer = Buffer.concat([Buffer.from([9, 16]), fingerprint.subarray(12)]);
  const left = createHash('sha256').update(all).digest().subarray(0, 2);
  return Buffer.concat([hashed, uint(issuer.length, 2), issuer, left, mpi(sign('sha256', all, key))]);
}

function packet(tag: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), uint(body.length, 4), body]);
}

function mpi(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const value = bytes.subarray(start);
  const bits = value.length * 8 - Math.clz32(value[0] ?? 0) + 24;
  return Buffer.concat([uint(bits, 2), value]);
}

function uint(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}

function base64(text: string | undefined): Buffer {
  return Buffer.from(text ?? '', 'base64url');
}

function crc24(bytes: Buffer): Buffer {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return uint(crc & 0xffffff, 3);
}
