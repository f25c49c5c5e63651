import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { DebianPackage } from '../../kernels/debian/package-list.ts';
import { DebianSource } from '../../kernels/debian/source.ts';
import { unpackDeb } from '../../kernels/debian/unpack.ts';
import { compareVersions } from '../../kernels/debian/version.ts';
import { populateDirectory } from '../../kernels/populate.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { ALL_PACKAGES, CORPUS_SUITES, type WantedPackage } from './packages.ts';

/** Files of one or several packages, unpacked into one folder. */
export interface PackageFiles {
  /** What would be `/` if they were installed. */
  readonly directory: string;
  readonly packages: readonly DebianPackage[];
  /** Of the packages' digests, in hexadecimal: other files, another key. */
  readonly key: string;
}

/** What {@link CorpusPackages} works with. */
export interface CorpusPackagesOptions {
  /** The project's cache; everything goes into its `corpus/`. */
  readonly cache: string;
  readonly mirror?: string | undefined;
  readonly onMessage: (message: string) => void;
  readonly signal: AbortSignal;
  /** Other packages than the corpus's, with lists and files of their own in a folder of `corpus/`. */
  readonly own?: { readonly folder: string; readonly names: readonly string[] };
}

/** Debian's packages for the corpus: fetched by the project's own apt, with a state apart from that of the kernels. */
export class CorpusPackages {
  readonly #source: DebianSource;
  readonly #directory: string;

  constructor(options: CorpusPackagesOptions) {
    const { cache, mirror, onMessage, signal, own } = options;
    this.#directory = join(cache, 'corpus');
    this.#source = new DebianSource({
      cache: own === undefined ? this.#directory : join(this.#directory, own.folder),
      suites: CORPUS_SUITES,
      names: own?.names ?? ALL_PACKAGES.map(({ name }) => name),
      onMessage,
      signal,
      ...(mirror === undefined ? {} : { mirror: { option: mirror } }),
    });
  }

  /**
   * Unpacks packages into one folder of the cache, unless they are there.
   * @param skip what is left out, by path without a leading slash
   * @throws ExplainedError `corpus-package-unknown`, and those of the Debian source
   */
  async unpack(
    wanted: readonly WantedPackage[],
    label: string,
    skip: (path: string) => boolean = isDocumentation,
  ): Promise<PackageFiles> {
    const packages = await Promise.all(wanted.map((one) => this.#newest(one)));
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

  /** The file of one package, its digest checked. Throws as {@link CorpusPackages.unpack}. */
  async fetch(wanted: WantedPackage): Promise<{ readonly deb: string; readonly one: DebianPackage }> {
    const one = await this.#newest(wanted);
    return { deb: await this.#source.fetch(one), one };
  }

  async #newest({ name, suites }: WantedPackage): Promise<DebianPackage> {
    const lists = await this.#source.lists();
    const [found] = lists.packages
      .filter((one) => one.name === name && suites.includes(one.suite))
      .sort((left, right) => compareVersions(right.version, left.version));
    if (found !== undefined) return found;
    throw new ExplainedError('corpus-package-unknown', `the mirror has no package ${name} in ${suites.join(' or ')}`, {
      why: lists.missing.map(({ suite, why }) => `${suite}: ${why}`).join('; '),
      fix: 'Use a mirror with these suites: KSYM_MATRIX_DEBIAN_MIRROR.',
    });
  }
}

/** Whether a path of a package is of no use to programs. */
export function isDocumentation(path: string): boolean {
  return /^usr\/share\/(?:doc|man|locale|lintian|bash-completion)\//.test(path);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
