import { join } from 'node:path';
import { buildFreestanding } from '../../../loader/freestanding-build.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';

/** How to build the observer. */
export interface BuildObserverOptions {
  /** The project's cache: it goes below `loaders/`. */
  readonly cache: string;
  /** Ends the compiler. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The path of the observer's binary, compiled with the host's clang and lld as the agent is, for x86_64; one that is in the cache is not compiled again.
 * @throws ExplainedError `observer-compiler-missing`, `observer-build-failed`, `interrupted`
 */
export async function buildObserver({ cache, signal }: BuildObserverOptions): Promise<string> {
  return buildFreestanding({
    subject: 'observer',
    binaryName: 'ksym-observer-x86_64',
    sources: join(PACKAGE_ROOT, 'harness', 'loaders', 'observer'),
    headers: [join(PACKAGE_ROOT, 'loader', 'agent')],
    target: 'x86_64-linux-gnu',
    outputDirectory: join(cache, 'loaders', 'observer'),
    signal,
  });
}
