import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { withLock } from '../lock.ts';
import { Apt, type PackageLists } from './apt.ts';
import { fetchPackage, type OnBytes, sweepDownloads } from './fetch.ts';
import { findMirror, type MirrorSources } from './mirror.ts';
import type { DebianPackage } from './package-list.ts';
import type { Suite } from './suites.ts';

/** How Debian packages are had. */
export interface DebianSourceOptions {
  /** The cache folder; apt's state and the .deb files lie in its `debian/`. */
  readonly cache: string;
  readonly mirror?: MirrorSources;
  /** Never touch the network. */
  readonly offline?: boolean;
  /** Things that the user should know, each one line: a suite that is missing, a damaged file, another run that is waited for. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
  /** Default: {@link SUITES}, and the keys of debian-archive-keyring. For tests and for private archives. */
  readonly suites?: readonly Suite[];
  readonly keyring?: string;
  /** Names of the packages that can be had, and no others. Default: kernels, and what the harness fetches beside them. */
  readonly names?: readonly string[];
  /** For many small downloads; see `keepIndex` of apt.ts. */
  readonly keepIndex?: boolean;
}

/** How {@link DebianSource.lists} is to get the lists. */
export interface ListsOptions {
  /** Ask the mirror, however young they are. */
  readonly refresh?: boolean;
  /** Called before the mirror is asked, which takes seconds for each suite. */
  readonly onAsk?: () => void;
}

/** Debian packages through apt, one state for every run on this machine that shares the cache. Nothing happens until it is asked. */
export class DebianSource {
  readonly #options: DebianSourceOptions;
  readonly #directory: string;
  #apt: Promise<Apt> | null = null;
  #tidied: Promise<void> | null = null;

  constructor(options: DebianSourceOptions) {
    this.#options = options;
    this.#directory = join(options.cache, 'debian');
  }

  /** Ends what is under way for this source. */
  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /** Passes a line on to the user. */
  say(message: string): void {
    this.#options.onMessage?.(message);
  }

  /** For {@link withLock} and the like: says once that another run is waited for. */
  readonly onWait = (holder: number | null): void => {
    // Kernels that this run gets side by side take turns as well.
    if (holder === process.pid) return;
    this.say(`waiting for another run of ksym-matrix${holder === null ? '' : ` (process ${holder})`} …`);
  };

  /**
   * The package lists. The mirror is asked if they are older than a day; if it cannot be reached then, the old ones are used, and that is said.
   *
   * @throws ExplainedError `no-lists-offline`, and those of {@link findMirror} and {@link Apt.update}
   */
  async lists(options: ListsOptions = {}): Promise<PackageLists> {
    const apt = await this.#getApt();
    const asked = Date.now();
    const { offline } = this.#options;
    const usable = (lists: PackageLists): boolean =>
      offline === true || lists.fetchedAt >= asked || (options.refresh !== true && isFresh(lists, asked));
    const old = await apt.lists();
    if (old !== null && usable(old)) return old;
    if (offline === true) {
      throw new ExplainedError('no-lists-offline', 'there are no package lists in the cache', {
        where: this.#directory,
        fix: 'Run once with a network.',
      });
    }
    return withLock(this.#lock(), { onWait: this.onWait, signal: this.signal }, async () => {
      // Somebody else may have asked the mirror while this run waited.
      const current = await apt.lists();
      if (current !== null && usable(current)) return current;
      options.onAsk?.();
      try {
        const lists = await apt.update();
        for (const { suite, why } of lists.missing) this.say(`warning: Debian's suite ${suite} cannot be used: ${why}`);
        return lists;
      } catch (error) {
        if (
          !(error instanceof ExplainedError) ||
          !TRANSIENT.has(error.code) ||
          current === null ||
          options.refresh === true
        )
          throw error;
        const date = new Date(current.fetchedAt).toISOString();
        this.say(
          `warning: the mirror cannot be asked, its package lists of ${date} are used: ${error.why ?? error.message}`,
        );
        return current;
      }
    });
  }

  /**
   * The path of a package's .deb in the cache, downloaded if need be, its digest checked in any case.
   *
   * @throws ExplainedError as {@link fetchPackage} does
   */
  async fetch(one: DebianPackage, onBytes?: OnBytes): Promise<string> {
    return fetchPackage(one, {
      pool: join(this.#directory, 'pool'),
      lock: this.#lock(),
      apt: this.#options.offline === true ? null : () => this.#aptWithLists(),
      onWait: this.onWait,
      signal: this.signal,
      onMessage: (message) => this.say(message),
      ...(onBytes === undefined ? {} : { onBytes }),
    });
  }

  /** Removes what killed runs have left in the pool; once, however often it is asked for. */
  tidy(): Promise<void> {
    this.#tidied ??= sweepDownloads(join(this.#directory, 'pool'), this.#lock());
    return this.#tidied;
  }

  #lock(): string {
    return join(this.#directory, '.locks', 'apt.lock');
  }

  /** apt downloads only what its lists name; they may have been removed, or be another mirror's. */
  async #aptWithLists(): Promise<Apt> {
    await this.lists();
    return this.#getApt();
  }

  async #getApt(): Promise<Apt> {
    this.#apt ??= findMirror(this.#options.mirror).then((mirror) => {
      const { suites, keyring, names, keepIndex, signal } = this.#options;
      return new Apt({
        directory: join(this.#directory, 'apt'),
        mirror,
        ...(suites === undefined ? {} : { suites }),
        ...(keyring === undefined ? {} : { keyring }),
        ...(names === undefined ? {} : { names }),
        ...(keepIndex === undefined ? {} : { keepIndex }),
        ...(signal === undefined ? {} : { signal }),
      });
    });
    return this.#apt;
  }
}

function isFresh(lists: PackageLists, now: number): boolean {
  return now - lists.fetchedAt < (lists.complete ? FRESH_MS : INCOMPLETE_MS);
}

/** How long package lists are used without asking the mirror again. */
const FRESH_MS = 24 * 60 * 60 * 1000;
/** The same if a suite is missing that may be back at once. */
const INCOMPLETE_MS = 60 * 1000;
const TRANSIENT: ReadonlySet<string> = new Set(['network-failed', 'apt-update-failed']);
