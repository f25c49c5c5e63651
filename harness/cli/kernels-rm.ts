import { removeItem } from '../../kernels/garbage.ts';
import { usedKernels } from '../../kernels/in-use.ts';
import { belongingsOf, type CachedKernel, type CacheItem, takeInventory } from '../../kernels/inventory.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { formatBytes } from '../report/bytes.ts';
import { imageOfMachine } from '../vm/cached-machines.ts';
import { findCached } from './cached-names.ts';
import { EXIT } from './exit-codes.ts';
import { fromMemory, kernelsOfMatrix } from './kernel-names.ts';
import { type StoreOptions, withStore } from './open-store.ts';

/** What `kernels rm --json` prints. */
export interface RemovalReport {
  readonly removed: readonly RemovedKernel[];
  /** What stays, and why. */
  readonly refused: readonly { readonly kernel: string; readonly why: string }[];
  /** Bytes that are free now. */
  readonly freed: number;
}

interface RemovedKernel {
  /** Its folder in CACHE/kernels. */
  readonly kernel: string;
  readonly bytes: number;
  readonly savedMachines: number;
  readonly preparedMachines: number;
  readonly packages: number;
}

/** `ksym-matrix kernels rm`. @throws ConfigError `no-such-kernel`, before anything is removed */
export async function removeKernels(
  names: readonly string[],
  options: StoreOptions & { readonly json?: true },
): Promise<number> {
  return withStore(options, async ({ store, cache, matrix }) => {
    const inventory = await takeInventory(cache, imageOfMachine);
    const known = await kernelsOfMatrix(matrix, fromMemory(await store.index()));
    const chosen = new Map<string, CachedKernel>();
    for (const name of names) {
      const found = findCached(name, inventory.kernels, known);
      if (found.length === 0) throw notCached(name, cache);
      for (const kernel of found) chosen.set(kernel.folder, kernel);
    }
    const report = await removeAll(
      cache,
      [...chosen.keys()].map((folder) => ({ folder, items: belongingsOf(inventory, folder) })),
    );
    process.stdout.write(options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : renderRemoval(report));
    return report.refused.length > 0 ? EXIT.red : EXIT.ok;
  });
}

/** Removes kernels with what belongs to them; one that a process uses or makes stays, with all that belongs to it. */
export async function removeAll(
  cache: string,
  kernels: readonly { readonly folder: string; readonly items: readonly CacheItem[] }[],
): Promise<RemovalReport> {
  const removed: RemovedKernel[] = [];
  const refused: { kernel: string; why: string }[] = [];
  for (const { folder, items } of kernels) {
    const user = (await usedKernels(cache)).get(folder);
    if (user !== undefined) {
      refused.push({ kernel: folder, why: `process ${user} is using it: try again when that has ended` });
      continue;
    }
    const gone: CacheItem[] = [];
    for (const item of items) if (await removeItem(cache, item)) gone.push(item);
    if (gone.length < items.length) {
      refused.push({ kernel: folder, why: 'another process began to use it meanwhile: try again when that has ended' });
    }
    if (gone.length === 0) continue;
    const count = (part: CacheItem['part']): number => gone.filter((item) => item.part === part).length;
    removed.push({
      kernel: folder,
      bytes: gone.reduce((sum, item) => sum + item.bytes, 0),
      savedMachines: count('templates'),
      preparedMachines: count('machines'),
      packages: count('downloads'),
    });
  }
  return { removed, refused, freed: removed.reduce((sum, one) => sum + one.bytes, 0) };
}

function notCached(name: string, cache: string): ConfigError {
  return new ConfigError('no-such-kernel', `no kernel in the cache is called "${name}"`, {
    where: cache,
    fix: '`ksym-matrix kernels list` shows what is there: name a line such as 6.12 or 6.12-generic, a version, a release or a folder; * is a wildcard',
  });
}

function renderRemoval({ removed, refused, freed }: RemovalReport): string {
  const lines = removed.map(({ kernel, bytes, ...rest }) => {
    const count = (many: number, what: string): string[] =>
      many === 0 ? [] : [`${many} ${what}${many === 1 ? '' : 's'}`];
    const parts = [
      ...count(rest.packages, 'package'),
      ...count(rest.savedMachines, 'saved machine'),
      ...count(rest.preparedMachines, 'prepared machine'),
    ];
    return `removed ${kernel}${parts.length === 0 ? '' : ` with ${parts.join(', ')}`}: ${formatBytes(bytes)}`;
  });
  const stays = refused.map(({ kernel, why }) => `${kernel} stays: ${why}`);
  return `${[...lines, ...stays, ...(removed.length > 1 ? [`${formatBytes(freed)} are free now`] : [])].join('\n')}\n`;
}
