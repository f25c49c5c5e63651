import { basename, isAbsolute, join, resolve } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';

/** A path of the host and one of the guest. Both are absolute. */
export interface FilePair {
  readonly host: string;
  readonly guest: string;
}

/** Reads `HOST` or `HOST:GUEST`. A guest path that is not absolute lies in `cwd`; one that ends with a slash is the folder that the file goes into. Throws ExplainedError `bad-file-pair`. */
export function parseIn(text: string, cwd: string): FilePair {
  const [first, second = first] = divide('--in', text);
  const host = resolve(first);
  const guest = isAbsolute(second) ? second : join(cwd, second);
  return { host, guest: guest.endsWith('/') ? join(guest, basename(host)) : guest };
}

/**
 * Reads `GUEST` or `GUEST:HOST`, with the same rules the other way round.
 * @param base folder of the host that relative paths lie in
 */
export function parseOut(text: string, cwd: string, base: string): FilePair {
  const [first, second = basename(first)] = divide('--out', text);
  const guest = isAbsolute(first) ? first : join(cwd, first);
  const host = isAbsolute(second) ? second : join(base, second);
  return { guest, host: second.endsWith('/') ? join(host, basename(guest)) : host };
}

/** At the first colon: paths with a colon cannot be written. */
function divide(option: string, text: string): [string, string?] {
  const at = text.indexOf(':');
  const parts: [string, string?] = at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
  if (parts.includes('')) {
    throw new ExplainedError('bad-file-pair', 'a path is missing', {
      where: `${option} ${text}`,
      fix: option === '--in' ? 'write HOST or HOST:GUEST' : 'write GUEST or GUEST:HOST',
    });
  }
  return parts;
}
