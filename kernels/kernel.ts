import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ResolvedKernel } from './kernel-source.ts';
import { SOURCE_NAMES, type SourceName } from './request.ts';

const packageSchema = z.strictObject({ name: z.string(), version: z.string(), sha256: z.string() });

const manifestSchema = z.strictObject({
  schemaVersion: z.literal(2),
  source: z.enum(SOURCE_NAMES),
  line: z.string(),
  flavour: z.string().nullable(),
  release: z.string(),
  version: z.string(),
  origin: z.string(),
  image: z.string(),
  config: z.string().nullable(),
  systemMap: z.string().nullable(),
  packages: z.array(packageSchema),
  modules: z.strictObject({
    /** How many modules modules.dep knows; only those that a machine needs, and the wanted ones, are kept. */
    known: z.number(),
    /** Names that were asked for when it was laid out. */
    wanted: z.array(z.string()),
  }),
  /** SHA-256 of files whose damage would go unnoticed until a boot fails, by path below the folder. */
  files: z.record(z.string(), z.string()),
});

/** What `kernel.json` holds: paths are relative to the folder it lies in, digests are SHA-256 in hexadecimal. */
export type KernelManifest = z.infer<typeof manifestSchema>;

/** A kernel that is ready to boot. */
export interface Kernel {
  /** As it was asked for: `6.12`, `latest`, or with the flavour, `6.12-generic`, if that is not `cloud`. */
  readonly name: string;
  readonly kind: SourceName;
  /** Such as `6.12`. */
  readonly line: string;
  /** As in `uname -r`. */
  readonly release: string;
  /** Version of its package, or what the source has in its place. */
  readonly version: string;
  readonly flavour: string | null;
  /** The folder that has `boot/` and `lib/modules/RELEASE/`, modules decompressed and depmod run. */
  readonly directory: string;
  /** Absolute path of vmlinuz: `DIRECTORY/boot/vmlinuz-RELEASE`, where virtme-run finds the modules from. */
  readonly image: string;
  /** Absolute path of the build configuration; null if the source does not have it (any more). */
  readonly config: string | null;
  /** Absolute path of System.map; null on Debian, whose packages hold only a note that it is elsewhere. */
  readonly systemMap: string | null;
  /** SHA-256 of {@link Kernel.image} in hexadecimal. */
  readonly sha256: string;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly sha256: string }[];
  /** Where it comes from, for people: `Debian trixie-security`. */
  readonly source: string;
  /** When the request was last looked up at its source, in milliseconds since 1970. */
  readonly resolvedAt: number;
}

/** The {@link Kernel} that lies in a folder of the cache. */
export function kernelFrom(manifest: KernelManifest, directory: string, name: string, resolvedAt: number): Kernel {
  const absolute = (path: string | null): string | null => (path === null ? null : join(directory, path));
  return {
    name,
    kind: manifest.source,
    line: manifest.line,
    release: manifest.release,
    version: manifest.version,
    flavour: manifest.flavour,
    directory,
    image: join(directory, manifest.image),
    config: absolute(manifest.config),
    systemMap: absolute(manifest.systemMap),
    sha256: manifest.files[manifest.image] ?? '',
    packages: manifest.packages,
    source: manifest.origin,
    resolvedAt,
  };
}

/** Why a folder cannot be used as a kernel. */
export interface Damage {
  readonly damage: string;
}

/** What `kernel.json` says, whatever has become of the files it names; null if it is missing or cannot be read. */
export async function glanceAtManifest(directory: string): Promise<KernelManifest | null> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(directory, 'kernel.json'), 'utf8')));
  } catch {
    return null;
  }
}

/** The package that a kernel was made from and that has another digest now; null if there is none. */
export function madeFromOthers(manifest: KernelManifest, kernel: ResolvedKernel): string | null {
  const wanted = new Map(kernel.files.map(({ name, sha256 }) => [name, sha256]));
  const differing = manifest.packages.find(({ name, sha256 }) => (wanted.get(name) ?? sha256) !== sha256);
  return differing?.name ?? null;
}

/** Reads `kernel.json` and compares the files it names; anything missing or altered is returned as {@link Damage}. */
export async function readManifest(directory: string): Promise<KernelManifest | Damage> {
  const manifest = await glanceAtManifest(directory);
  if (manifest === null) return { damage: 'kernel.json is missing or cannot be read' };
  for (const [path, digest] of Object.entries(manifest.files)) {
    const found = await sha256OfFile(join(directory, path)).catch(() => null);
    if (found === null) return { damage: `${path} is missing` };
    if (found !== digest) return { damage: `${path} is not what was unpacked` };
  }
  const modules = await stat(join(directory, 'lib/modules', manifest.release)).catch(() => null);
  return modules?.isDirectory() === true ? manifest : { damage: `lib/modules/${manifest.release} is missing` };
}

/** SHA-256 of a file's content, lower-case hexadecimal. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}
