import { z } from 'zod';
import { type KernelRequest, SOURCE_NAMES } from './request.ts';

const sourceFileSchema = z.strictObject({
  /** Name of the package, layer or file, for people. */
  name: z.string(),
  /** Version of the package; the empty text where it has none. */
  version: z.string(),
  /** Where it lies below the source's address (never with a host name, except for images of a registry), or its path on this machine. */
  path: z.string(),
  /** In bytes; null if the source does not say it beforehand. */
  size: z.number().nullable(),
  /** Lower-case hexadecimal; null if the source does not say it beforehand. */
  sha256: z.string().nullable(),
  /** `modules`: may be left out where nothing wants modules. */
  role: z.enum(['kernel', 'modules']),
});

/** A file that a kernel is made from. */
export type SourceFile = z.infer<typeof sourceFileSchema>;

/** Reads a {@link ResolvedKernel} that was kept. */
export const resolvedKernelSchema = z.strictObject({
  source: z.enum(SOURCE_NAMES),
  /** The kernel line, such as `6.12`. */
  line: z.string(),
  flavour: z.string().nullable(),
  /** As in `uname -r`; null where only the unpacked image tells. */
  release: z.string().nullable(),
  /** The exact version in the words of the source: a package's version, a digest. Begins with the kernel's version where it can. */
  version: z.string(),
  /** Name of the folder below CACHE/kernels: the same name is the same kernel, to the byte. */
  folder: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]*$/),
  /** For people: `Debian trixie-security`. */
  origin: z.string(),
  files: z.array(sourceFileSchema),
  /** What the source wants to remember besides. */
  extra: z.record(z.string(), z.string()),
});

/** The exact kernel that a request stands for. Plain data: it is kept in the cache's index and in the lock file. */
export type ResolvedKernel = Readonly<z.infer<typeof resolvedKernelSchema>>;

/** How far the making of a kernel has come. */
export interface KernelProgress {
  readonly phase: 'lists' | 'download' | 'verify' | 'unpack' | 'configure' | 'build';
  /** Its name, as it was asked for. */
  readonly kernel: string;
  /** Bytes that are done in this phase. */
  readonly bytes: number;
  /** Null if it is not known. */
  readonly totalBytes: number | null;
  /** 0 outside downloads. */
  readonly bytesPerSecond: number;
  /** More about it, such as "812 of about 1,900 files". */
  readonly detail?: string;
}

/** What a source may use while it resolves a request. */
export interface ResolveContext {
  /** Name of the kernel, for messages. */
  readonly name: string;
  /** Ask the source again, whatever was kept. */
  readonly refresh: boolean;
  readonly onProgress: (progress: KernelProgress) => void;
  /** A line that the user should see. */
  readonly say: (message: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** What a source may use while it makes a kernel. */
export interface InstallContext extends Omit<ResolveContext, 'refresh'> {
  /** An empty folder on the disk of the cache, for downloads and unpacked files. What {@link KernelParts} names is moved out of it, the rest is removed. */
  readonly folder: string;
  /** Modules that are wanted by name; a source that can do without its modules fetches them then. */
  readonly modules: readonly string[];
}

/** A kernel's parts on the disk, before they are laid out. */
export interface KernelParts {
  /** As in `uname -r`. */
  readonly release: string;
  /** Path of vmlinuz (a bzImage). Files below {@link InstallContext.folder} are moved, others are copied. */
  readonly image: string;
  readonly config: string | null;
  readonly systemMap: string | null;
  /** What is to be lib/modules/RELEASE; null if there are none. Modules may be compressed. */
  readonly modules: string | null;
  /** What it was made from, with digests in lower-case hexadecimal. */
  readonly files: readonly { readonly name: string; readonly version: string; readonly sha256: string }[];
}

/** A place where kernels come from. */
export interface KernelSource<Request extends KernelRequest = KernelRequest> {
  /**
   * The exact kernel that a request stands for today.
   * @throws ExplainedError if there is none, or nobody can be asked
   */
  resolve(request: Request, context: ResolveContext): Promise<ResolvedKernel>;

  /**
   * Fetches, checks and unpacks (or builds) a kernel.
   * @throws ExplainedError; `package-gone` if it was replaced since it was resolved
   */
  install(kernel: ResolvedKernel, request: Request, context: InstallContext): Promise<KernelParts>;
}
