import type { Library } from '../config/loader-entries.ts';
import { ciliumVersions } from '../loaders/cilium/build.ts';
import { libbpfVersions } from '../loaders/libbpf/versions.ts';

/** A version of a library that Debian has. */
export interface AvailableLoader {
  readonly library: Library;
  /** As a matrix has it: `1.5`. */
  readonly version: string;
  /** Name and version. */
  readonly package: string;
  readonly suite: string;
}

/** Where {@link availableLoaders} looks. */
export interface VersionOptions {
  readonly cache: string;
  readonly mirror: string | undefined;
  /** Told what goes on: the first time, package lists are fetched. */
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
}

/** The versions that Debian's suites have today, newest first of each library. @throws ExplainedError if they cannot be asked */
export async function availableLoaders(options: VersionOptions): Promise<AvailableLoader[]> {
  const libbpf = await libbpfVersions(options);
  const cilium = await ciliumVersions(options);
  return [
    ...libbpf.map((one) => ({ library: 'libbpf' as const, ...one })),
    ...cilium.map((one) => ({ library: 'cilium/ebpf' as const, ...one })),
  ];
}
