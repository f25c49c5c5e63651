import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import type { Environment } from '../cache-directory.ts';
import { parseSources, type SourceEntry } from './sources-list.ts';

/** Where Debian packages come from. */
export interface DebianMirror {
  /** Address of the main archive, as in a sources file. */
  readonly main: string;
  /** Address of the security archive; null if it is not known. */
  readonly security: string | null;
  /** What named the mirror, for people: an option, a variable, or a file. */
  readonly from: string;
}

/** What a mirror can be found from. */
export interface MirrorSources {
  /** The command line's option. */
  readonly option?: string | undefined;
  /** The value in matrix.yaml. */
  readonly matrix?: string | undefined;
  /** Default: `process.env`. */
  readonly env?: Environment;
  /** The root of the system that is looked at. Default: `/`. */
  readonly root?: string;
}

/**
 * Finds a Debian mirror: the option, `KSYM_MATRIX_DEBIAN_MIRROR`, matrix.yaml, the system's own apt sources if the system is Debian,
 * else the default that debootstrap carries. The security archive is `KSYM_MATRIX_DEBIAN_SECURITY_MIRROR`, else the one in the
 * system's sources if the main one is from there, else the main address with its last part `debian` replaced by `debian-security`.
 *
 * @throws ExplainedError `no-debian-mirror`, `bad-debian-mirror`
 */
export async function findMirror(sources: MirrorSources = {}): Promise<DebianMirror> {
  const env = sources.env ?? process.env;
  const root = sources.root ?? '/';
  const named = [
    { address: sources.option, from: 'the option --debian-mirror' },
    { address: env[MIRROR_VARIABLE], from: MIRROR_VARIABLE },
    { address: sources.matrix, from: 'matrix.yaml' },
  ].find(({ address }) => address !== undefined && address !== '');
  const found =
    named?.address !== undefined
      ? { main: checked(named.address, named.from), security: null, from: named.from }
      : ((await fromApt(root)) ?? (await fromDebootstrap(root)));
  if (found === null) {
    throw new ExplainedError('no-debian-mirror', 'no Debian mirror is known', {
      why: 'this system is not Debian, and debootstrap, which knows the default mirror, is not installed',
      fix: `sudo apt-get install debootstrap debian-archive-keyring, or set ${MIRROR_VARIABLE} to a mirror's address.`,
    });
  }
  const security = env[SECURITY_VARIABLE];
  if (security !== undefined && security !== '') return { ...found, security: checked(security, SECURITY_VARIABLE) };
  return { ...found, security: found.security ?? deriveSecurity(found.main) };
}

const MIRROR_VARIABLE = 'KSYM_MATRIX_DEBIAN_MIRROR';
const SECURITY_VARIABLE = 'KSYM_MATRIX_DEBIAN_SECURITY_MIRROR';

function checked(address: string, from: string): string {
  // A space or newline would start another field of the sources file that the address goes into.
  if (/^[a-z][a-z0-9+.-]*:\/[^\s[\]]+$/i.test(address)) return address.replace(/\/+$/, '');
  throw new ExplainedError('bad-debian-mirror', `not an address that apt understands: ${JSON.stringify(address)}`, {
    where: from,
    fix: 'Give it as in a sources file, such as http://MIRROR/debian.',
  });
}

function deriveSecurity(main: string): string | null {
  return /\/debian$/.test(main) ? `${main}-security` : null;
}

async function fromApt(root: string): Promise<DebianMirror | null> {
  const release = (await text(join(root, 'etc/os-release'))) ?? (await text(join(root, 'usr/lib/os-release'))) ?? '';
  if (!/^ID="?debian"?$/m.test(release)) return null;
  const directory = join(root, 'etc/apt/sources.list.d');
  const names = (await readdir(directory).catch(() => [])).filter((name) => /\.(list|sources)$/.test(name)).sort();
  const files = [join(root, 'etc/apt/sources.list'), ...names.map((name) => join(directory, name))];
  const entries: (SourceEntry & { file: string })[] = [];
  for (const file of files) {
    for (const entry of parseSources((await text(file)) ?? '', file.endsWith('.sources')))
      entries.push({ ...entry, file });
  }
  const usable = entries.filter(
    ({ uri, components, signedBy }) =>
      components.includes('main') &&
      !uri.startsWith('cdrom:') &&
      // Other people's archives use the same suite and component names, under their own keys.
      (signedBy === null || /debian-archive-keyring/.test(signedBy)) &&
      /debian/.test(uri),
  );
  const security = usable.find(({ suite }) => /-security$|\/updates$/.test(suite));
  const main = usable.find(({ suite }) => RELEASE_SUITE.test(suite));
  if (main === undefined) return null;
  return {
    main: main.uri.replace(/\/+$/, ''),
    security: security?.uri.replace(/\/+$/, '') ?? null,
    from: main.file,
  };
}

const RELEASE_SUITE = /^(stable|oldstable|oldoldstable|testing|unstable|sid|[a-z]+)(-updates|-backports)?$/;

async function fromDebootstrap(root: string): Promise<DebianMirror | null> {
  const places = [
    ...['trixie', 'bookworm', 'sid'].map((name) => join(root, 'usr/share/debootstrap/scripts', name)),
    join(root, 'usr/sbin/debootstrap'),
    join(root, 'usr/share/debootstrap/functions'),
  ];
  for (const file of places) {
    const script = (await text(file)) ?? '';
    for (const match of script.matchAll(/^\s*(?:default_mirror\s+|DEF_MIRROR=)"?([a-z+]+:\/\/[^\s"$]+)"?/gm)) {
      const address = match[1]?.replace(/\/+$/, '');
      // A derivative's debootstrap may name its own archive.
      if (address !== undefined && /\/debian$/.test(address)) return { main: address, security: null, from: file };
    }
  }
  return null;
}

async function text(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch(() => null);
}
