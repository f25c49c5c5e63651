import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readImageHeader } from '../../kernels/image-header.ts';
import { readPayloadKind } from '../../kernels/image-payload.ts';
import {
  belongingsOf,
  bytesByPart,
  type CachedKernel,
  type Inventory,
  takeInventory,
} from '../../kernels/inventory.ts';
import { moduleName } from '../../kernels/module-selection.ts';
import type { Flavour } from '../../kernels/request.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { paintFor } from '../report/paint.ts';
import { configFacts } from '../run/config-facts.ts';
import type { FactValues } from '../run/facts.ts';
import { imageOfMachine } from '../vm/cached-machines.ts';
import { bootForFacts } from './boot-for-facts.ts';
import { EXIT } from './exit-codes.ts';
import { findKernels, fromMemory, kernelsOfMatrix } from './kernel-names.ts';
import { type LastBoot, lastBootOfRuns, lastBootOfTemplates } from './last-boot.ts';
import { type StoreContext, type StoreOptions, withStore } from './open-store.ts';
import { renderInfo } from './render-info.ts';

/** What `kernels info --json` prints. */
export interface KernelInfo {
  readonly name: string;
  readonly source: string;
  readonly origin: string;
  readonly line: string;
  readonly flavour: string | null;
  readonly version: string;
  /** As in `uname -r`; null where only the unpacked image tells. */
  readonly release: string | null;
  /** What it is made from; digests are SHA-256, null where the source does not say them before the download. */
  readonly packages: readonly { readonly name: string; readonly version: string; readonly sha256: string | null }[];
  /** The rest is null unless it is in the cache. */
  readonly cached: CachedInfo | null;
  readonly lastBoot: LastBoot | null;
}

/** What only the unpacked kernel tells. */
export interface CachedInfo {
  readonly directory: string;
  readonly image: {
    readonly path: string;
    readonly sha256: string;
    readonly format: string;
    /** How the kernel in it is compressed. */
    readonly payload: string | null;
    /** Release, builder and date of its build. */
    readonly text: string;
  };
  /** CONFIG_* that matter to BPF, by `config.NAME`; empty if the kernel came without its configuration. */
  readonly config: FactValues;
  readonly modules: {
    readonly known: number;
    readonly kept: number;
    /** Those that programs name. */
    readonly wanted: readonly string[];
    /** Those of them that the kernel does not have. */
    readonly lacking: readonly string[];
  };
  /** Bytes. */
  readonly disk: { readonly kernel: number; readonly downloads: number; readonly machines: number };
  readonly savedMachines: number;
}

/** `ksym-matrix kernels info` */
export async function kernelInfo(
  name: string,
  options: StoreOptions & { readonly flavour: Flavour; readonly boot?: true; readonly json?: true },
): Promise<number> {
  let info = await withStore(options, (context) => collectInfo(name, options.flavour, context));
  if (options.boot === true && info.lastBoot === null) {
    await bootForFacts(name, options);
    info = await withStore(options, (context) => collectInfo(name, options.flavour, context));
  }
  process.stdout.write(
    options.json === true ? `${JSON.stringify(info, undefined, 2)}\n` : renderInfo(info, paintFor(process.stdout)),
  );
  return EXIT.ok;
}

/** @throws ConfigError `no-such-kernel`, `kernel-damaged`; those of the kernel's source, if it has to be asked */
export async function collectInfo(
  name: string,
  flavour: Flavour,
  { store, cache, matrix }: Pick<StoreContext, 'store' | 'cache' | 'matrix'>,
): Promise<KernelInfo> {
  const inventory = await takeInventory(cache, imageOfMachine);
  const exact = inventory.kernels.find(
    ({ folder, manifest }) =>
      folder === name || (manifest !== null && [manifest.release, manifest.version].includes(name)),
  );
  if (exact?.manifest === null) {
    throw new ConfigError('kernel-damaged', `the kernel ${name} in the cache cannot be used any more`, {
      where: exact.directory,
      why: 'it is damaged, or an older version of ksym-matrix made it',
      fix: `It is made anew when a run wants it; \`ksym-matrix kernels rm ${name}\` removes it.`,
    });
  }
  if (exact !== undefined) return describeCached(name, exact, inventory, cache);
  const known = await kernelsOfMatrix(matrix, fromMemory(await store.index()));
  const [wanted] = findKernels([name], known, flavour);
  if (wanted === undefined) throw new TypeError(`${name} stands for nothing`);
  const { kernel } = await store.resolve(wanted.request);
  const cached = inventory.kernels.find(({ folder }) => folder === kernel.folder);
  if (cached !== undefined && cached.manifest !== null) return describeCached(wanted.name, cached, inventory, cache);
  const { source, origin, line, version, release, files } = kernel;
  return {
    ...{ name: wanted.name, source, origin, line, flavour: kernel.flavour, version, release },
    packages: files.map((file) => ({ name: file.name, version: file.version, sha256: file.sha256 })),
    cached: null,
    lastBoot: null,
  };
}

async function describeCached(
  name: string,
  { folder, directory, manifest }: CachedKernel,
  inventory: Inventory,
  cache: string,
): Promise<KernelInfo> {
  if (manifest === null) throw new TypeError(`${folder} is damaged`);
  const { source, origin, line, flavour, version, release, packages, modules } = manifest;
  const image = join(directory, manifest.image);
  const sha256 = manifest.files[manifest.image] ?? '';
  const config = manifest.config === null ? null : join(directory, manifest.config);
  const items = belongingsOf(inventory, folder);
  const bytes = bytesByPart(items);
  const header = await readImageHeader(image).catch(() => null);
  const files = await readdir(join(directory, 'lib/modules', release), { recursive: true }).catch(() => []);
  const kept = files.filter((file) => file.endsWith('.ko')).map(moduleName);
  const lacking = modules.wanted.filter((module) => !kept.includes(module));
  return {
    ...{ name, source, origin, line, flavour, version, release, packages },
    cached: {
      directory,
      image: {
        path: image,
        sha256,
        format: header === null ? 'unknown' : `bzImage, boot protocol ${header.protocol}`,
        payload: await readPayloadKind(image),
        text: header?.versionText ?? '',
      },
      config: await configFacts(config),
      modules: { known: modules.known, kept: kept.length, wanted: modules.wanted, lacking },
      disk: { kernel: bytes.kernels, downloads: bytes.downloads, machines: bytes.templates + bytes.machines },
      savedMachines: items.filter(({ part }) => part === 'templates').length,
    },
    lastBoot: (await lastBootOfRuns(cache, sha256)) ?? (await lastBootOfTemplates(items, config)),
  };
}
