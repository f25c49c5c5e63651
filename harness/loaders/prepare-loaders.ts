import { stat } from 'node:fs/promises';
import pLimit from 'p-limit';
import { isDiskFull } from '../../kernels/free-space.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { type MatrixLoader, OUR_LOADER } from '../config/loader-entries.ts';
import { ConfigError } from '../config/yaml-file.ts';
import type { CommandLoader } from './command/prepare-command.ts';
import { rememberLoaders } from './loader-index.ts';
import { buildObserver } from './observer/build.ts';
import type { BuiltLoader, PreparedLoader } from './prepared-loader.ts';

/** What {@link prepareLoaders} works with. */
export interface PrepareLoadersOptions {
  /** The project's cache; loaders are built below its `loaders/`. */
  readonly cache: string;
  /** This package's version. */
  readonly ownVersion: string;
  readonly mirror: string | undefined;
  /** Told what goes on, a line each: what is fetched, what is compiled. */
  readonly onMessage: (text: string) => void;
  /** Told of each loader that was built now, with the milliseconds that it took: those of the cache are not worth a word. */
  readonly onBuilt?: (loader: PreparedLoader, milliseconds: number) => void;
  readonly signal: AbortSignal;
}

/** Loaders, and what they are watched with. */
export interface PreparedLoaders {
  readonly loaders: readonly PreparedLoader[];
  /** The observer's path on this machine; null if there is no other loader than ours. */
  readonly observer: string | null;
}

/** One is downloaded while another is compiled. */
const AT_A_TIME = 2;

/**
 * Gets every loader ready, each built once and kept in the cache. One that cannot be had is among the answers, with the reason.
 * @throws ConfigError for what is wrong in the matrix; the signal's reason if it aborts; ExplainedError `disk-full`, or what keeps the observer from being built
 */
export async function prepareLoaders(
  wanted: readonly MatrixLoader[],
  options: PrepareLoadersOptions,
): Promise<PreparedLoaders> {
  const { cache, signal } = options;
  const loaders = await pLimit(AT_A_TIME).map(wanted, (loader) => prepare(loader, options));
  const pairs = loaders.flatMap((prepared, index) => {
    const loader = wanted[index];
    return loader === undefined ? [] : [{ loader, prepared }];
  });
  if (loaders.every(({ program }) => program === null)) return { loaders, observer: null };
  await rememberLoaders(cache, pairs);
  return { loaders, observer: await buildObserver({ cache, signal }) };
}

/**
 * Looks for the programs and the folders of the user's own among loaders, before anything is fetched or compiled for the others.
 * @throws ConfigError at the place in the matrix of the first command that cannot be run, or folder that is not there
 */
export async function checkOwnLoaders(wanted: readonly MatrixLoader[]): Promise<void> {
  for (const { request, ...loader } of wanted) {
    if (request.kind === 'command') await findCommand({ ...loader, request });
    else if ('path' in request) await requireFolder(request.path, loader.complain);
  }
}

/** @throws ConfigError */
async function requireFolder(path: string, complain: MatrixLoader['complain']): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() === true) return;
  const message = found === null ? `there is no folder ${path}` : `${path} is no folder`;
  throw complain?.(message) ?? new ConfigError('config-invalid', message);
}

async function prepare(loader: MatrixLoader, options: PrepareLoadersOptions): Promise<PreparedLoader> {
  const { name, request } = loader;
  const like = loader.like === undefined ? {} : { like: loader.like };
  const { signal, onMessage, onBuilt, ownVersion } = options;
  if (request.kind === 'ksym-matrix') {
    return { name, version: ownVersion, family: OUR_LOADER, about: '', program: null, unavailable: null };
  }
  const family = request.kind === 'command' ? name : request.kind;
  signal.throwIfAborted();
  const started = performance.now();
  let said = false;
  const say = (text: string): void => {
    said = true;
    onMessage(`${name}: ${text}`);
  };
  try {
    const built = {
      name,
      family,
      ...like,
      ...(await build(loader, { ...options, onMessage: say })),
      unavailable: null,
    };
    if (said) onBuilt?.(built, performance.now() - started);
    return built;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof ExplainedError) || stopsEverything(error)) throw error;
    const version = 'version' in request ? request.version : '';
    return { name, family, version, ...like, about: '', program: null, unavailable: error.explain() };
  }
}

/** What has nothing to do with the one loader. A mistake in the matrix is told at its place there. */
function stopsEverything(error: ExplainedError): boolean {
  return (
    error instanceof ConfigError ||
    ['interrupted', 'disk-full'].includes(error.code) ||
    isDiskFull(error.cause ?? error)
  );
}

/** What each kind of loader is built with is read when there is one. */
async function build(loader: MatrixLoader, options: PrepareLoadersOptions): Promise<BuiltLoader> {
  const { request } = loader;
  switch (request.kind) {
    case 'ksym-matrix':
      throw new TypeError('our own loader is built in');
    case 'libbpf':
      await checkOwnLoaders([loader]);
      return (await import('./libbpf/build.ts')).buildLibbpf(request, options);
    case 'cilium/ebpf':
      await checkOwnLoaders([loader]);
      return (await import('./cilium/build.ts')).buildCilium(request, options);
    case 'command':
      return findCommand({ ...loader, request });
  }
}

async function findCommand(loader: CommandLoader): Promise<BuiltLoader> {
  const { prepareCommand } = await import('./command/prepare-command.ts');
  const { classifyKnownWords } = await import('./known-words.ts');
  return prepareCommand(loader, { path: process.env.PATH ?? '', classify: classifyKnownWords });
}
