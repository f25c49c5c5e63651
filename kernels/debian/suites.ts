/** One of the two archives that a Debian mirror has. */
export type Archive = 'main' | 'security';

/** A suite of Debian that kernels or tools are taken from. */
export interface Suite {
  /** Codename, as in a sources file. */
  readonly name: string;
  readonly archive: Archive;
  /** What is taken from it, for messages. */
  readonly for: string;
}

/**
 * The suites that are read, all of component `main`. A line may be in several of them; the newest version wins.
 * When Debian releases, this is the only place to change.
 */
export const SUITES: readonly Suite[] = [
  { name: 'bullseye-security', archive: 'security', for: 'Linux 5.10' },
  { name: 'bookworm-security', archive: 'security', for: 'Linux 6.1' },
  { name: 'bookworm', archive: 'main', for: 'Linux 6.1' },
  { name: 'bookworm-updates', archive: 'main', for: 'Linux 6.1' },
  { name: 'trixie-security', archive: 'security', for: 'Linux 6.12' },
  { name: 'trixie', archive: 'main', for: 'Linux 6.12 and virtme-ng' },
  { name: 'trixie-updates', archive: 'main', for: 'Linux 6.12' },
  { name: 'trixie-backports', archive: 'main', for: 'Linux 6.16 and later' },
];
