import { createHash } from 'node:crypto';
import type { CellResult } from '../results/results.ts';

/** What of a cell makes its address. */
export type CellName = Pick<CellResult, 'kernel' | 'loader' | 'program' | 'variant'>;

/** Page of a program on the site, relative to its root. */
export function programPage(program: string): string {
  return `programs/${slug(program)}.html`;
}

/** Page of a kernel on the site, relative to its root. */
export function kernelPage(kernel: string): string {
  return `kernels/${slug(kernel)}.html`;
}

/** Where a cell stands on the page of its program: the fragment, without `#`. */
export function cellAnchor({ kernel, loader, variant }: CellName): string {
  return [kernel, variant, loader].map(slug).join('~');
}

/** The permanent address of a cell on the site, relative to its root. */
export function cellLink(cell: CellName): string {
  return `${programPage(cell.program)}#${cellAnchor(cell)}`;
}

/**
 * A name as part of a file's name, an address or an HTML id, whatever is in it: small letters, digits, `.` and `-` stay, every other byte of its UTF-8
 * is `_` and two hex digits, so that no two names become one, not even on disks that do not tell small letters from capitals. A name of dots alone is
 * no file. Of a name that is too long for a file only the beginning stays, with `__` and a part of its SHA-256.
 */
export function slug(name: string): string {
  const text = name.replace(/[^a-z0-9.-]/gu, inBytes).replace(/^\.+/, (dots) => '_2e'.repeat(dots.length));
  if (text.length <= MOST_CHARACTERS) return text;
  const digest = createHash('sha256').update(name, 'utf8').digest('hex').slice(0, DIGITS);
  return `${text.slice(0, MOST_CHARACTERS - DIGITS - 2).replace(/_.?$/, '')}__${digest}`;
}

function inBytes(character: string): string {
  return Buffer.from(character, 'utf8').toString('hex').replace(/../g, '_$&');
}

/** File names may have 255 bytes; the folder that holds the site, and what is put around a slug, need some too. */
const MOST_CHARACTERS = 120;
const DIGITS = 20;
