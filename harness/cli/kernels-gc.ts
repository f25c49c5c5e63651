import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { chooseGarbage, itemName, removeItem } from '../../kernels/garbage.ts';
import { usedKernels } from '../../kernels/in-use.ts';
import { bytesByPart, type CacheItem, takeInventory } from '../../kernels/inventory.ts';
import { formatBytes } from '../report/bytes.ts';
import { renderTable } from '../report/table.ts';
import { imageOfMachine } from '../vm/cached-machines.ts';
import { EXIT } from './exit-codes.ts';
import { renderParts } from './kernels-list.ts';

/** What `kernels gc --json` prints. */
export interface GarbageReport {
  readonly cache: string;
  /** Bytes that the cache may take. */
  readonly keep: number;
  /** Bytes that it took before, and takes now (or would take, with --dry-run). */
  readonly before: number;
  readonly after: number;
  readonly dryRun: boolean;
  readonly removed: readonly {
    readonly part: string;
    readonly path: string;
    readonly name: string;
    readonly bytes: number;
    readonly used: string;
  }[];
  /** Bytes that are left, by part. */
  readonly parts: Readonly<Record<string, number>>;
}

/** `ksym-matrix kernels gc` */
export async function collectGarbage(options: {
  readonly keep: number;
  readonly dryRun?: true;
  readonly json?: true;
}): Promise<number> {
  const cache = cacheDirectory();
  const report = await collect(cache, options.keep, options.dryRun === true);
  process.stdout.write(
    options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : await renderGarbage(report),
  );
  return EXIT.ok;
}

/** Removes what was used least recently until the cache takes no more than `keep` bytes; with `dryRun` only says what would go. */
export async function collect(cache: string, keep: number, dryRun: boolean): Promise<GarbageReport> {
  const inventory = await takeInventory(cache, imageOfMachine);
  const chosen = chooseGarbage(inventory, keep, await usedKernels(cache));
  const gone: CacheItem[] = [];
  for (const item of chosen) if (dryRun || (await removeItem(cache, item))) gone.push(item);
  const left = inventory.items.filter((item) => !gone.includes(item));
  return {
    cache,
    keep,
    before: inventory.bytes,
    after: inventory.bytes - gone.reduce((sum, item) => sum + item.bytes, 0),
    dryRun,
    removed: gone.map((item) => ({
      part: item.part,
      path: item.path,
      name: itemName(item),
      bytes: item.bytes,
      used: new Date(item.used).toISOString(),
    })),
    parts: { ...bytesByPart(left), other: inventory.otherBytes },
  };
}

async function renderGarbage(report: GarbageReport): Promise<string> {
  const { removed, dryRun, after, keep, before } = report;
  const verb = dryRun ? 'would go' : 'went';
  const rows = removed.map(({ name, bytes, used }) => [
    `  ${name}`,
    formatBytes(bytes),
    `used ${used.slice(0, 16).replace('T', ' ')}`,
  ]);
  const table = renderTable([{ title: '' }, { title: '', align: 'right' }, { title: '' }], rows).slice(1);
  const freed = formatBytes(before - after);
  const head = removed.length === 0 ? `Nothing ${verb}.` : `${freed} ${verb}:\n${table.join('\n')}`;
  const inventory = await takeInventory(report.cache, imageOfMachine);
  const rest = dryRun ? `${report.cache}: ${formatBytes(after)} would be left\n` : renderParts(report.cache, inventory);
  const over =
    after > keep
      ? `That is more than ${formatBytes(keep)}: the rest was used in the last hour, is in use, or is what cannot go piece by piece.\n`
      : '';
  return `${head}\n\n${rest}${over}`;
}
