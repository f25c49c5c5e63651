/** Debian's releases, oldest first: number, codename, the year in which it became stable, and the year in which its last security updates came. */
const RELEASES: readonly {
  readonly number: number;
  readonly name: string;
  readonly from: number;
  readonly until: number;
}[] = [
  { number: 9, name: 'stretch', from: 2017, until: 2022 },
  { number: 10, name: 'buster', from: 2019, until: 2024 },
  { number: 11, name: 'bullseye', from: 2021, until: 2026 },
  { number: 12, name: 'bookworm', from: 2023, until: 2028 },
  { number: 13, name: 'trixie', from: 2025, until: 2030 },
  { number: 14, name: 'forky', from: 2027, until: 2032 },
];

/**
 * The suites whose list may name a kernel package, likeliest first. The archive says where a file was seen, but not in which suite; its version tells
 * mostly: `~bpo12+1` is in backports of Debian 12, `~exp1` in experimental, `+deb12u1` an update of Debian 12.
 *
 * @param archive `debian` or `debian-security`
 * @param seen when the package came
 */
export function candidateSuites(archive: string, version: string, seen: Date): readonly string[] {
  const year = seen.getUTCFullYear();
  const alive = RELEASES.filter(({ from, until }) => from - 1 <= year && year <= until);
  if (archive === 'debian-security') {
    // Until Debian 10 the suite was called "buster/updates".
    return alive.map(({ number, name }) => (number <= 10 ? `${name}/updates` : `${name}-security`)).reverse();
  }
  const [, backport] = /~bpo(\d+)/.exec(version) ?? [];
  const [, update] = /[+~]deb(\d+)u/.exec(version) ?? [];
  const nameOf = (number: string): string[] =>
    RELEASES.filter((one) => one.number === Number(number)).map(({ name }) => name);
  if (backport !== undefined)
    return nameOf(backport).flatMap((name) => [`${name}-backports`, `${name}-backports-sloppy`]);
  const updates = (names: readonly string[]): string[] => names.flatMap((name) => [`${name}-proposed-updates`, name]);
  if (update !== undefined) return updates(nameOf(update));
  if (/~exp\d/.test(version)) return ['experimental'];
  return ['unstable', 'experimental', ...updates(alive.map(({ name }) => name).reverse())];
}
