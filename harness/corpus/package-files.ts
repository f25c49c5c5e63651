import { join } from 'node:path';
import { DebianPackages } from '../../kernels/debian/package-files.ts';
import { ALL_PACKAGES, CORPUS_SUITES } from './packages.ts';

/** What {@link corpusPackages} works with. */
export interface CorpusPackagesOptions {
  /** The project's cache; everything goes into its `corpus/`. */
  readonly cache: string;
  readonly mirror?: string | undefined;
  readonly onMessage: (message: string) => void;
  readonly signal: AbortSignal;
  /** Other packages than the corpus's, with lists and files of their own in a folder of `corpus/`. */
  readonly own?: { readonly folder: string; readonly names: readonly string[] };
}

/** Debian's packages for the corpus. */
export function corpusPackages({ cache, own, ...rest }: CorpusPackagesOptions): DebianPackages {
  const directory = join(cache, 'corpus');
  return new DebianPackages({
    ...rest,
    directory,
    ...(own === undefined ? {} : { state: join(directory, own.folder) }),
    suites: CORPUS_SUITES,
    names: own?.names ?? ALL_PACKAGES.map(({ name }) => name),
  });
}
