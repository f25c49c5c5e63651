import { belongingsOf, bytesByPart, type Inventory, takeInventory } from '../../kernels/inventory.ts';
import { type Flavour, requestKey } from '../../kernels/request.ts';
import type { AvailableKernel } from '../../kernels/store.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { formatBytes } from '../report/bytes.ts';
import { type Paint, paintFor } from '../report/paint.ts';
import { renderTable } from '../report/table.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import { imageOfMachine } from '../vm/cached-machines.ts';
import { EXIT } from './exit-codes.ts';
import { fromMemory, kernelsOfMatrix } from './kernel-names.ts';
import { type StoreOptions, withStore } from './open-store.ts';

/** A kernel that can be had, or lies in the cache. */
export interface ListedKernel {
  /** What it answers to on the command line. */
  readonly name: string;
  /** The key that names its source in matrix.yaml; null if the folder in the cache is damaged. */
  readonly source: string | null;
  readonly line: string | null;
  readonly release: string | null;
  readonly version: string | null;
  readonly flavour: string | null;
  /** Where it comes from, for people. */
  readonly origin: string;
  /** What would be downloaded, in bytes; null if that is not known. */
  readonly bytes: number | null;
  /**
   * `served`: it can be had; `superseded`: Debian has a newer one of its line; `vanished`: Debian has none of its line any more;
   * `unknown`: nobody was asked; `damaged`: it is built again when it is wanted.
   */
  readonly state: 'served' | 'superseded' | 'vanished' | 'unknown' | 'damaged';
  /** Whether the matrix names it; null without a matrix. */
  readonly inMatrix: boolean | null;
  readonly cached: boolean;
  /** Its folder in CACHE/kernels. */
  readonly folder: string | null;
  /** What it takes in the cache, and what belongs to it, in bytes. */
  readonly disk: { readonly kernel: number; readonly downloads: number; readonly machines: number };
  /** Saved machines, prepared ones not counted. */
  readonly savedMachines: number;
}

/** `ksym-matrix kernels list` */
export async function listKernels(
  options: StoreOptions & { readonly flavour: Flavour; readonly refresh?: true; readonly json?: true },
): Promise<number> {
  return withStore(options, async ({ store, cache, matrix }) => {
    const inventory = await takeInventory(cache, imageOfMachine);
    const cachedFlavours = inventory.kernels.flatMap(({ manifest }) =>
      manifest?.source === 'debian' ? [manifest.flavour as Flavour] : [],
    );
    const served = new Map<Flavour, readonly AvailableKernel[]>();
    let failure: ExplainedError | null = null;
    for (const flavour of new Set([options.flavour, ...cachedFlavours])) {
      try {
        served.set(flavour, await store.list(flavour, { refresh: options.refresh === true && served.size === 0 }));
      } catch (error) {
        const isMistake = !(error instanceof ExplainedError) || error.code === 'bad-debian-mirror';
        if (isMistake || inventory.kernels.length === 0) throw error;
        failure ??= error;
      }
    }
    const index = await store.index();
    const named = await kernelsOfMatrix(matrix, failure === null ? store : fromMemory(index));
    const folders = new Map(
      named.flatMap(({ name, request }) => {
        const folder = index.kernels[requestKey(request)]?.kernel.folder;
        return folder === undefined ? [] : [[folder, name] as const];
      }),
    );
    const kernels = listAll({
      inventory,
      served,
      flavour: options.flavour,
      named: new Set(named.map(({ request }) => requestKey(request))),
      folders: matrix === undefined ? null : folders,
    });
    if (failure !== null) process.stderr.write(`ksym-matrix: only what is cached: ${failure.explain()}\n`);
    if (options.json === true) {
      const parts = { ...bytesByPart(inventory.items), other: inventory.otherBytes };
      const document = { kernels, cache: { path: cache, bytes: inventory.bytes, parts } };
      process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    } else {
      process.stdout.write(renderList(kernels, paintFor(process.stdout), terminalWidth(process.stdout)));
      process.stdout.write(`\n${renderParts(cache, inventory)}`);
    }
    return EXIT.ok;
  });
}

/** What {@link listAll} puts together. */
export interface ListParts {
  readonly inventory: Inventory;
  /** What Debian serves, newest first, by flavour. */
  readonly served: ReadonlyMap<Flavour, readonly AvailableKernel[]>;
  readonly flavour: Flavour;
  /** Keys of the requests that the matrix makes. */
  readonly named: ReadonlySet<string>;
  /** Names in the matrix by folder in the cache; null without a matrix. */
  readonly folders: ReadonlyMap<string, string> | null;
}

/** What Debian serves of a flavour, newest first, then whatever else the cache has. */
export function listAll({ inventory, served, flavour, named, folders }: ListParts): ListedKernel[] {
  const suffix = (kind: string): string => (kind === 'cloud' ? '' : `-${kind}`);
  const available = (served.get(flavour) ?? []).map((kernel): ListedKernel => {
    const name = `${kernel.line}${suffix(flavour)}`;
    const cached = inventory.kernels.find(
      ({ manifest }) =>
        manifest?.source === 'debian' && manifest.flavour === flavour && manifest.version === kernel.version,
    );
    const { line, release, version, suite, bytes } = kernel;
    const isNamed = named.has(requestKey({ debian: line, flavour }));
    return {
      ...{ name, source: 'debian', line, release, version, flavour, origin: `Debian ${suite}`, bytes },
      state: 'served',
      inMatrix: folders === null ? null : isNamed || folders.has(cached?.folder ?? ''),
      ...onDisk(inventory, cached?.folder ?? null),
    };
  });
  const shown = new Set(available.map(({ folder }) => folder));
  const others = inventory.kernels.filter(({ folder }) => !shown.has(folder));
  return [
    ...available,
    ...others.map(({ folder, manifest }): ListedKernel => {
      const inMatrix = folders === null ? null : folders.has(folder);
      const common = { inMatrix, bytes: null, ...onDisk(inventory, folder) };
      if (manifest === null) {
        const nothing = { source: null, line: null, release: null, version: null, flavour: null };
        return { name: folder, ...nothing, origin: '', state: 'damaged', ...common };
      }
      const { source, line, release, version, flavour: own, origin } = manifest;
      const lines = source === 'debian' ? served.get(own as Flavour) : undefined;
      const newest = lines?.find((one) => one.line === line);
      const state =
        lines === undefined
          ? 'unknown'
          : newest === undefined
            ? 'vanished'
            : newest.version === version
              ? 'served'
              : 'superseded';
      // Of several versions of a line, the version tells which is meant.
      const lineName = source === 'debian' ? `${line}${suffix(own ?? 'cloud')}` : folder;
      const name = folders?.get(folder) ?? lineName;
      return { name, source, line, release, version, flavour: own, origin, state, ...common };
    }),
  ];
}

function onDisk(inventory: Inventory, folder: string | null) {
  const items = folder === null ? [] : belongingsOf(inventory, folder);
  const bytes = bytesByPart(items);
  return {
    cached: folder !== null,
    folder,
    disk: { kernel: bytes.kernels, downloads: bytes.downloads, machines: bytes.templates + bytes.machines },
    savedMachines: items.filter(({ part }) => part === 'templates').length,
  };
}

/** The list for people: two tables, what Debian serves and what else is in the cache. */
export function renderList(kernels: readonly ListedKernel[], paint: Paint, width: number): string {
  const table = (rows: readonly ListedKernel[]): string => {
    const [head = '', ...lines] = renderTable(COLUMNS, rows.map(toRow), width);
    return `${[paint.strong(head), ...lines].join('\n')}\n`;
  };
  const served = kernels.filter((kernel) => kernel.bytes !== null);
  const others = kernels.filter((kernel) => kernel.bytes === null);
  const parts = [
    ...(served.length === 0 ? [] : [table(served)]),
    ...(others.length === 0 ? [] : [`Also in the cache:\n${table(others)}`]),
  ];
  return parts.join('\n');
}

const COLUMNS = [
  { title: 'kernel' },
  { title: 'version' },
  { title: 'release', spare: 2 },
  { title: 'from', spare: 1 },
  { title: 'download', align: 'right' },
  { title: 'on disk', align: 'right' },
  { title: 'machines', align: 'right' },
  { title: '' },
] as const;

function toRow(kernel: ListedKernel): string[] {
  const { disk, savedMachines } = kernel;
  const size = (bytes: number): string => (bytes === 0 ? '' : formatBytes(bytes));
  const machines = disk.machines === 0 ? '' : `${savedMachines}, ${formatBytes(disk.machines)}`;
  const note = [
    ...(STATE_WORDS[kernel.state] === '' ? [] : [STATE_WORDS[kernel.state]]),
    ...(kernel.inMatrix === false && kernel.bytes === null && kernel.state !== 'damaged' ? ['not in the matrix'] : []),
  ];
  return [
    kernel.name,
    kernel.version ?? '',
    kernel.release ?? '',
    kernel.origin,
    kernel.bytes === null ? '' : formatBytes(kernel.bytes),
    size(disk.kernel + disk.downloads),
    machines,
    note.join(', '),
  ];
}

const STATE_WORDS: Readonly<Record<ListedKernel['state'], string>> = {
  served: '',
  unknown: '',
  superseded: 'superseded',
  vanished: 'gone from Debian',
  damaged: 'damaged or outdated',
};

/** What each part of the cache takes. */
export function renderParts(cache: string, inventory: Pick<Inventory, 'items' | 'bytes' | 'otherBytes'>): string {
  const { kernels, downloads, templates, machines, builds, loaders, runs } = bytesByPart(inventory.items);
  const parts: [string, number][] = [
    ['kernels', kernels],
    ['downloads', downloads],
    ['saved machines', templates],
    ['prepared machines', machines],
    ['builds', builds],
    ['loaders', loaders],
    ['runs', runs],
    ['other', inventory.otherBytes],
  ];
  const rows = parts.filter(([, bytes]) => bytes > 0).map(([name, bytes]) => [`  ${name}`, formatBytes(bytes)]);
  const table = renderTable([{ title: '' }, { title: '', align: 'right' }], rows).slice(1);
  return `${cache}: ${formatBytes(inventory.bytes)}\n${table.join('\n')}${table.length === 0 ? '' : '\n'}`;
}
