import { existsSync } from 'node:fs';
import { ExplainedError } from '../../loader/errors.ts';

/**
 * The keyrings of the package debian-archive-keyring: the keys in use, and those that were taken out of use, which signed the lists of some years ago.
 *
 * @throws ExplainedError `debian-keyring-missing`
 */
export function debianKeyrings(): readonly string[] {
  const [current, removed] = ['debian-archive-keyring', 'debian-archive-removed-keys'].map((name) =>
    // Renamed in Debian 14.
    ['gpg', 'pgp'].map((suffix) => `/usr/share/keyrings/${name}.${suffix}`).find(existsSync),
  );
  if (current === undefined) {
    throw new ExplainedError('debian-keyring-missing', "Debian's archive keys are not installed", {
      where: '/usr/share/keyrings/debian-archive-keyring.gpg',
      fix: 'sudo apt-get install debian-archive-keyring',
    });
  }
  return removed === undefined ? [current] : [current, removed];
}
