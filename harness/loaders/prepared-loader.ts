import type { LibraryVersion } from '../config/loader-entries.ts';
import type { FailureClass } from '../config/schema.ts';
import type { GuestFile } from '../guest/guest-file.ts';

/** A test run that a loader is to make after the load. */
export interface WantedRun {
  readonly program: string;
  readonly cpu: number;
}

/** What a loader's own words mean. */
export interface LoaderComplaint {
  readonly class: FailureClass;
  /** The extern that it names. */
  readonly extern?: string;
  /** The BPF program that it names. */
  readonly program?: string;
}

/** A loader as a program for a guest. */
export interface LoaderProgram {
  /** Everything that has to be in the guest for it. */
  readonly files: readonly GuestFile[];
  /** The command line in the guest. */
  readonly argv: (object: string, runs: readonly WantedRun[]) => readonly [string, ...string[]];
  /** Whether it prints what PROTOCOL.md says; else its exit code and its output are all that is known. A program of the user's may do either. */
  readonly speaks: 'protocol' | 'exit-code' | 'either';
  /** What a message of this loader means; null if it is none that is known. */
  readonly classify: (message: string) => LoaderComplaint | null;
}

/** What building a loader gives, or finding it in the cache. */
export interface BuiltLoader {
  /** The loader's own version, such as 0.22.0; of a program of the user's, a digest. */
  readonly version: string;
  /** What it was built from, for people. */
  readonly about: string;
  readonly program: LoaderProgram;
}

/** A loader that is ready to be run, or why there is none. */
export interface PreparedLoader {
  /** In the grid. */
  readonly name: string;
  /** The loader's own version, such as 1.5.0; of ours, this package's. */
  readonly version: string;
  /** The library without its version: libbpf, cilium/ebpf, ksym-matrix, or the name of a user's own. */
  readonly family: string;
  /** What the matrix says that it is made with: known differences of that are its own as well. */
  readonly like?: LibraryVersion;
  /** What it was built from, for people; empty for ours. */
  readonly about: string;
  /** Null for ours, which is built in, and for one that cannot be had. */
  readonly program: LoaderProgram | null;
  /** Why it cannot be had, as a sentence; null if it can. */
  readonly unavailable: string | null;
}
