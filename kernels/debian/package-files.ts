import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { populateDirectory } from '../populate.ts';
import type { PackageLists } from './apt.ts';
import type { DebianPackage } from './package-list.ts';
import { DebianSource } from './source.ts';
import type { Suite } from './suites.ts';
import { unpackDeb } from './unpack.ts';
import { compareVersions } from './version.ts';

/** A package of Debian, the newest version that one of these suites has. */
export interface WantedPackage {
  readonly name: string;
  readonly suites: readonly string[];
}

/** Files of one or several packages, unpacked into one folder. */
export interface PackageFiles {
  /** What would be `/` if they were installed. */
  readonly directory: string;
  readonly packages: readonly DebianPackage[];
  /** Of the packages' digests, in hexadecimal: other files, another key. */
  readonly key: string;
}

/** What {@link DebianPackages} works with. */
export interface DebianPackagesOptions {
  /** Everything goes below it: apt's state into `debian/`, unpacked files into `packages/`. */
  readonly directory: string;
  /** Where apt's state is, if not in `directory`. */
  readonly state?: string;
  /** The suites that are read. */
  readonly suites: readonly Suite[];
  /** Names of the packages that may be had. */
  readonly names: readonly string[];
  readonly mirror?: string | undefined;
  readonly onMessage: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Debian's packages beside the kernels: fetched by the project's own apt, with a state apart from theirs, their digests checked. */
export class DebianPackages {
  readonly #source: DebianSource;
  readonly #directory: string;
  readonly #mirror: string;

  constructor(options: DebianPackagesOptions) {
    const { directory, state = directory, suites, names, mirror, onMessage, signal } = options;
    this.#directory = directory;
    this.#mirror = `${state}\0${mirror ?? ''}`;
    this.#source = new DebianSource({
      cache: state,
      suites,
      names,
      keepIndex: true,
      onMessage,
      signal,
      ...(mirror === undefined ? {} : { mirror: { option: mirror } }),
    });
  }

  /** Every version that the suites have of a package, newest first. Throws as {@link DebianSource.lists}. */
  async versions({ name, suites }: WantedPackage): Promise<DebianPackage[]> {
    const lists = await this.#lists();
    return lists.packages
      .filter((one) => one.name === name && suites.includes(one.suite))
      .sort((left, right) => compareVersions(right.version, left.version));
  }

  /** The suites that the mirror's lists lack, each with apt's reason. Throws as {@link DebianSource.lists}. */
  async missing(): Promise<PackageLists['missing']> {
    return (await this.#lists()).missing;
  }

  /**
   * Unpacks packages into one folder of the cache, unless they are there.
   * @param skip what is left out, by path without a leading slash
   * @throws ExplainedError `package-unknown`, and those of the Debian source
   */
  async unpack(
    wanted: readonly WantedPackage[],
    label: string,
    skip: (path: string) => boolean = isDocumentation,
  ): Promise<PackageFiles> {
    return this.unpackExactly(await Promise.all(wanted.map((one) => this.newest(one))), label, skip);
  }

  /** The same for versions that were chosen among {@link DebianPackages.versions}. */
  async unpackExactly(
    packages: readonly DebianPackage[],
    label: string,
    skip: (path: string) => boolean = isDocumentation,
  ): Promise<PackageFiles> {
    const key = digest(packages.map(({ sha256 }) => sha256).join('\n'));
    const directory = join(this.#directory, 'packages', `${label}-${key}`);
    await populateDirectory(
      directory,
      async (temporary) => {
        for (const one of packages) {
          this.#source.say(`fetching ${one.name} ${one.version}`);
          await unpackDeb(await this.#source.fetch(one), temporary, skip, this.#source.signal);
        }
      },
      { onWait: this.#source.onWait, signal: this.#source.signal },
    );
    return { directory, packages, key };
  }

  /** The file of one package, its digest checked. Throws as {@link DebianPackages.unpack}. */
  async fetch(wanted: WantedPackage): Promise<{ readonly deb: string; readonly one: DebianPackage }> {
    const one = await this.newest(wanted);
    return { deb: await this.#source.fetch(one), one };
  }

  /** The newest version that the suites have of a package. Throws ExplainedError `package-unknown`, and as {@link DebianSource.lists}. */
  async newest(wanted: WantedPackage): Promise<DebianPackage> {
    const [found] = await this.versions(wanted);
    if (found !== undefined) return found;
    const { name, suites } = wanted;
    const missing = await this.missing();
    throw new ExplainedError('package-unknown', `the mirror has no package ${name} in ${suites.join(' or ')}`, {
      why: missing.map(({ suite, why }) => `${suite}: ${why}`).join('; '),
      fix: 'Use a mirror with these suites: KSYM_MATRIX_DEBIAN_MIRROR.',
    });
  }

  /** apt tries for several seconds before it gives a mirror up: whoever else wants packages in this process hears of it at once. */
  async #lists(): Promise<PackageLists> {
    const refused = refusals.get(this.#mirror);
    if (refused !== undefined && Date.now() - refused.at < AGAIN_MS) throw refused.error;
    try {
      const onAsk = (): void => this.#source.say('asking Debian what it has …');
      return await this.#source.lists({ onAsk });
    } catch (error) {
      if (error instanceof ExplainedError && UNREACHABLE.has(error.code)) {
        refusals.set(this.#mirror, { error, at: Date.now() });
      }
      throw error;
    }
  }
}

/** Mirrors that could not be asked, by the place of their lists. */
const refusals = new Map<string, { readonly error: ExplainedError; readonly at: number }>();
const UNREACHABLE: ReadonlySet<string> = new Set(['network-failed', 'apt-update-failed']);
/** When a mirror is asked again, in milliseconds. */
const AGAIN_MS = 60_000;

/** Whether a path of a package is of no use to programs. */
export function isDocumentation(path: string): boolean {
  return /^usr\/share\/(?:doc|man|locale|lintian|bash-completion)\//.test(path);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
