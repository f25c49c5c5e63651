import { type MatrixLoader, OUR_LOADER } from '../config/loader-entries.ts';
import type { PreparedLoader } from './prepared-loader.ts';

/** What {@link prepareLoaders} works with. */
export interface PrepareLoadersOptions {
  /** The project's cache; loaders are built below its `loaders/`. */
  readonly cache: string;
  /** This package's version. */
  readonly ownVersion: string;
  readonly mirror: string | undefined;
  /** Told what goes on, a line each: what is fetched, what is compiled, how long it took. */
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Gets every loader ready, each built once and kept in the cache. One that cannot be had is among the answers, with the reason.
 * @throws the signal's reason if it aborts; ExplainedError `disk-full`
 */
export async function prepareLoaders(
  loaders: readonly MatrixLoader[],
  options: PrepareLoadersOptions,
): Promise<PreparedLoader[]> {
  return loaders.map(({ name, request }) => ({
    name,
    version: options.ownVersion,
    family: request.kind === 'ksym-matrix' ? OUR_LOADER : name,
    about: '',
    program: null,
    unavailable: request.kind === 'ksym-matrix' ? null : 'not built yet',
  }));
}
