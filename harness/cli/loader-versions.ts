import type { Library } from '../config/loader-entries.ts';

/** A version of a library that Debian has. */
export interface AvailableLoader {
  readonly library: Library;
  /** The entry for a matrix: `libbpf: "1.5"`. */
  readonly entry: string;
  /** Name and version. */
  readonly package: string;
  readonly suite: string;
}

/** Where {@link availableLoaders} looks. */
export interface VersionOptions {
  readonly cache: string;
  readonly mirror: string | undefined;
  readonly signal: AbortSignal;
}

/** The versions that Debian's suites have today, newest first of each library. @throws ExplainedError if they cannot be asked */
export async function availableLoaders(_options: VersionOptions): Promise<AvailableLoader[]> {
  return [];
}
