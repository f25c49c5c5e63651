import { z } from 'zod';
import { ExplainedError } from '../../loader/errors.ts';

/** What a client takes, in the words of the Accept header: images, and indexes of images for several platforms, of both families. */
export const MANIFEST_TYPES: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'only digests with sha256 are accepted'),
  size: z.number().int().nonnegative(),
});

const platformSchema = z.object({
  os: z.string().default('unknown'),
  architecture: z.string().default('unknown'),
  variant: z.string().optional(),
});

const imageSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema).max(500) });
const indexSchema = z.object({
  manifests: z.array(descriptorSchema.extend({ platform: platformSchema.optional() })).max(500),
});
const configSchema = z.object({ os: z.string().optional(), architecture: z.string().optional() });

/** Names a blob or a manifest: what it is, its digest (`sha256:…`) and its size in bytes. */
export type Descriptor = z.infer<typeof descriptorSchema>;
/** The operating system and architecture that an image is for, in Go's words: `linux`, `amd64`. */
export type Platform = z.infer<typeof platformSchema>;
/** One image: its configuration and its layers, the lowest first. */
export type ImageManifest = z.infer<typeof imageSchema>;

/** What a registry answers when it is asked for a manifest. */
export type Manifest =
  | { readonly kind: 'image'; readonly image: ImageManifest }
  | { readonly kind: 'index'; readonly manifests: z.infer<typeof indexSchema>['manifests'] };

/**
 * Reads an image manifest or an index (OCI image-spec 1.1, Docker image manifest version 2 schema 2). Which of both it is shows in what it holds; one that could
 * be read as either is refused, as the image-spec demands.
 *
 * @throws ExplainedError `bad-manifest`
 */
export function parseManifest(bytes: Buffer, where: string): Manifest {
  const document = parseJson(bytes, where);
  const [isImage, isIndex] = ['layers', 'manifests'].map((key) => key in document);
  if (isImage === isIndex) {
    const old = 'fsLayers' in document || 'signatures' in document;
    throw badManifest(
      where,
      old ? 'it is of schema 1, which registries gave up in 2017' : 'it is neither one image nor an index of images',
    );
  }
  if (isIndex === true) return { kind: 'index', manifests: check(indexSchema, document, where).manifests };
  return { kind: 'image', image: check(imageSchema, document, where) };
}

/** The platform that an image's configuration names; null if it names none, as artifacts do. @throws ExplainedError `bad-manifest` */
export function platformOf(config: Buffer, where: string): Platform | null {
  const { os, architecture } = check(configSchema, parseJson(config, where), where);
  return architecture === undefined ? null : { os: os ?? 'unknown', architecture };
}

/** Whether a kernel for machines of the harness may be in there. */
export function isWanted({ os, architecture }: Platform): boolean {
  return os === 'linux' && architecture === 'amd64';
}

/** `linux/arm64/v8` */
export function showPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** The error for an image that is for other platforms than ours. */
export function wrongPlatform(where: string, found: readonly Platform[]): ExplainedError {
  // What is for no platform is a note about one of the others: a signature, or how it was built.
  const names = [...new Set(found.filter(({ os }) => os !== 'unknown').map(showPlatform))];
  return new ExplainedError('image-wrong-architecture', 'the image has no kernel for linux/amd64', {
    where,
    why: names.length === 0 ? 'it names no platform at all' : `it is for ${names.join(', ')}`,
    fix: 'Name an image for linux/amd64 (x86_64).',
  });
}

function parseJson(bytes: Buffer, where: string): object {
  try {
    const document: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof document === 'object' && document !== null) return document;
  } catch {
    // Said below.
  }
  throw badManifest(where, 'it is no JSON object');
}

function check<T>(schema: z.ZodType<T>, document: object, where: string): T {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw badManifest(where, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function badManifest(where: string, why: string): ExplainedError {
  return new ExplainedError('bad-manifest', "the registry's description of the image cannot be used", { where, why });
}
