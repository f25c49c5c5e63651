import { z } from 'zod';
import { ExplainedError } from '../../loader/errors.ts';
import { type HttpClient, HttpStatusError } from '../http/http-client.ts';

/** The public archive of every package that Debian has published. */
export const SNAPSHOT_SERVICE = 'https://snapshot.debian.org';

/** A binary package in one version. */
export interface BinaryPackage {
  readonly name: string;
  readonly version: string;
}

/** Where and when a file came into the archive. */
export interface Sighting {
  /** `debian`, `debian-security` and others. */
  readonly archive: string;
  readonly firstSeen: Date;
}

/**
 * The machine-readable interface of Debian's snapshot service (the file API of its sources describes it). What it answers is not signed: it says where to look, and nothing
 * of it is trusted.
 *
 * Every method throws ExplainedError as {@link HttpClient.get} does, `snapshot-unreadable` besides.
 */
export class SnapshotService {
  readonly #http: HttpClient;
  /** Address without a slash at the end. */
  readonly address: string;

  constructor(http: HttpClient, address: string = SNAPSHOT_SERVICE) {
    this.#http = http;
    this.address = address.replace(/\/+$/, '');
  }

  /** Every version of a source package, in no order. */
  async sourceVersions(source: string): Promise<string[]> {
    const { result } = await this.#read(['package', source, ''], versionsSchema);
    return result.map(({ version }) => version);
  }

  /** The binary packages that a source package was built into, of all architectures; none if there is no such version. */
  async binaryPackages(source: string, version: string): Promise<BinaryPackage[]> {
    try {
      return (await this.#read(['package', source, version, 'binpackages'], packagesSchema)).result;
    } catch (error) {
      if (error instanceof HttpStatusError && error.code === 'not-found') return [];
      throw error;
    }
  }

  /** Where a binary package for amd64 was seen, earliest first. */
  async sightings({ name, version }: BinaryPackage): Promise<Sighting[]> {
    const document = await this.#read(['binary', name, version, 'binfiles?fileinfo=1'], filesSchema);
    const hashes = document.result.filter(({ architecture }) => architecture === 'amd64').map(({ hash }) => hash);
    return hashes
      .flatMap((hash) => document.fileinfo[hash] ?? [])
      .map((info) => ({ archive: info.archive_name, firstSeen: parseTimestamp(info.first_seen) }))
      .sort((a, b) => a.firstSeen.getTime() - b.firstSeen.getTime());
  }

  async #read<T>(path: readonly string[], schema: z.ZodType<T>): Promise<T> {
    const parts = path.map((part) => (part.includes('?') ? part : encodeURIComponent(part)));
    const { body, url } = await this.#http.get(`${this.address}/mr/${parts.join('/')}`);
    try {
      return schema.parse(JSON.parse(body.toString('utf8')));
    } catch (error) {
      throw new ExplainedError('snapshot-unreadable', "the snapshot service's answer is not what it should be", {
        where: url,
        why: error instanceof z.ZodError ? (error.issues[0]?.message ?? '') : 'it is not JSON',
        fix: 'Check the address (KSYM_MATRIX_SNAPSHOT_MIRROR).',
        cause: error,
      });
    }
  }
}

/** A time as in the addresses of the archive: `20201228T203456Z`. */
export function formatTimestamp(time: Date): string {
  return `${time.toISOString().replace(/[-:]|\.\d+/g, '')}`;
}

/** Reads {@link formatTimestamp}'s form. */
function parseTimestamp(text: string): Date {
  const [, date, hour, minute, second] = /^(\d{8})T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  return new Date(`${date?.slice(0, 4)}-${date?.slice(4, 6)}-${date?.slice(6)}T${hour}:${minute}:${second}Z`);
}

const versionsSchema = z.object({ result: z.array(z.object({ version: z.string() })) });
const packagesSchema = z.object({ result: z.array(z.object({ name: z.string(), version: z.string() })) });
const infoSchema = z.object({ archive_name: z.string(), first_seen: z.string().regex(/^\d{8}T\d{6}Z$/) });
const filesSchema = z.object({
  result: z.array(z.object({ hash: z.string(), architecture: z.string() })),
  fileinfo: z.record(z.string(), z.array(infoSchema)),
});
