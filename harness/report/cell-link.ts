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
 * A name as part of a file's name, an address or an HTML id, whatever is in it: letters, digits, `.` and `-` stay, every other byte of its UTF-8 is
 * `_` and two hex digits, so that no two names become one. A name of dots alone is no file.
 */
export function slug(name: string): string {
  const bytes = Buffer.from(name, 'utf8');
  const text = [...bytes].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9.-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
  });
  return text.join('').replace(/^\.+/, (dots) => '_2e'.repeat(dots.length));
}
