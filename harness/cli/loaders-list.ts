import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { measure } from '../../kernels/disk-usage.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { MatrixLoader } from '../config/loader-entries.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { prepareCommand } from '../loaders/command/prepare-command.ts';
import { type LoaderIndex, loaderKey, readLoaderIndex } from '../loaders/loader-index.ts';
import { checkOwnLoaders } from '../loaders/prepare-loaders.ts';
import { formatBytes } from '../report/bytes.ts';
import { type Paint, paintFor } from '../report/paint.ts';
import { renderTable } from '../report/table.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { type AvailableLoader, availableLoaders } from './loader-versions.ts';
import { type LoaderOptions, matrixOfLoaders } from './loaders-build.ts';
import { createProgressView } from './progress.ts';
import { packageVersion } from './version.ts';

/** A loader of the matrix, and what is there of it. */
export interface ListedLoader {
  /** In the grid. */
  readonly name: string;
  /** The library's own; null before it is built, as the newest of a version is looked up then. */
  readonly version: string | null;
  /** `unusable`: it is a command that cannot be run, or a folder that is not there. */
  readonly state: 'built-in' | 'ready' | 'not-built' | 'unusable';
  /** What it was built from, or why it is unusable. */
  readonly about: string;
  /** Of its builds, on the disk. */
  readonly bytes: number;
}

/** `ksym-matrix loaders list` */
export async function listLoaders(options: LoaderOptions): Promise<number> {
  const matrix = await matrixOfLoaders(options);
  const cache = cacheDirectory();
  const index = await readLoaderIndex(cache);
  const loaders = await Promise.all(matrix.loaders.map((loader) => describe(loader, cache, index)));
  const view = createProgressView(process.stderr);
  return interruptible(async (signal) => {
    let available: readonly AvailableLoader[] | null = null;
    const onMessage = (text: string): void => view.show({ kind: 'loader-progress', text });
    try {
      const mirror = options.debianMirror ?? matrix.mirror;
      available = await availableLoaders({ cache, mirror, onMessage, signal });
      view.end();
    } catch (error) {
      view.end();
      if (signal.aborted) return EXIT.interrupted;
      if (!(error instanceof ExplainedError) || error.code === 'bad-debian-mirror') throw error;
      process.stderr.write(`ksym-matrix: Debian cannot be asked what it has: ${error.explain()}\n`);
    }
    const text =
      options.json === true
        ? `${JSON.stringify({ matrix: matrix.path, loaders, available }, undefined, 2)}\n`
        : renderLoaders(loaders, available, paintFor(process.stdout), terminalWidth(process.stdout));
    process.stdout.write(text);
    return EXIT.ok;
  });
}

async function describe(loader: MatrixLoader, cache: string, index: LoaderIndex): Promise<ListedLoader> {
  const { name, request } = loader;
  const nothing = { name, version: null, about: '', bytes: 0 };
  if (request.kind === 'ksym-matrix') return { ...nothing, version: packageVersion(), state: 'built-in' };
  try {
    await checkOwnLoaders([loader]);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ...nothing, about: error.explain(), state: 'unusable' };
  }
  if (request.kind === 'command') {
    const search = { path: process.env.PATH ?? '', classify: () => null };
    const { version, about } = await prepareCommand({ ...loader, request }, search);
    return { ...nothing, version, about, state: 'ready' };
  }
  const known = index[loaderKey(request)];
  const folders = (known?.builds ?? []).map((build) => join(cache, 'loaders', build));
  if (known === undefined || !folders.every((folder) => existsSync(folder))) return { ...nothing, state: 'not-built' };
  const sizes = await Promise.all(folders.map(measure));
  const bytes = sizes.reduce((sum, one) => sum + (one?.bytes ?? 0), 0);
  return { name, version: known.version, about: known.about, bytes, state: 'ready' };
}

/** The list for people: the loaders of the matrix, and what could be among them. */
export function renderLoaders(
  loaders: readonly ListedLoader[],
  available: readonly AvailableLoader[] | null,
  paint: Paint,
  width: number,
): string {
  const table = (columns: Parameters<typeof renderTable>[0], rows: readonly (readonly string[])[]): string => {
    const [head = '', ...lines] = renderTable(
      columns,
      rows.map((row) => [...row]),
      width,
    );
    return `${[paint.strong(head), ...lines].join('\n')}\n`;
  };
  const named = table(
    COLUMNS,
    loaders.map(({ name, version, state, bytes, about }) => [
      name,
      version ?? '',
      STATE_WORDS[state],
      bytes === 0 ? '' : formatBytes(bytes),
      state === 'unusable' ? '' : about,
    ]),
  );
  const unusable = loaders.filter(({ state }) => state === 'unusable').map(({ about }) => `\n${about}\n`);
  const offers = (available ?? []).map(({ library, version, package: name, suite }) => [
    `${library}: "${version}"`,
    name,
    suite,
  ]);
  const debian = offers.length === 0 ? '' : `\n${table(OFFER_COLUMNS, offers)}`;
  return `${named}${unusable.join('')}${debian}`;
}

const STATE_WORDS: Readonly<Record<ListedLoader['state'], string>> = {
  'built-in': 'built in',
  ready: 'ready',
  'not-built': 'not built yet',
  unusable: 'cannot be used',
};

const COLUMNS = [
  { title: 'loader' },
  { title: 'version' },
  { title: '' },
  { title: 'on disk', align: 'right' },
  { title: 'made from', spare: 1 },
] as const;

const OFFER_COLUMNS = [{ title: 'what Debian has' }, { title: 'package', spare: 1 }, { title: 'suite' }] as const;
