import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { type DebianPackage, parseStanza, scanPackages } from '../debian/package-list.ts';
import { isKernelPackage, KERNEL_PACKAGE_PREFIXES } from '../debian/resolve.ts';
import { type HttpClient, HttpStatusError } from '../http/http-client.ts';
import { type SignedThing, verifyClearSigned } from '../openpgp/gpgv.ts';
import { runTool } from '../run-tool.ts';

/** Which list is read, and how. */
export interface ListRequest {
  readonly http: HttpClient;
  /** Address of a Debian archive as it was at some time, without a slash at the end. */
  readonly archive: string;
  readonly suite: string;
  readonly keyrings: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Reads lists of packages, and each list once: a suite is the same for days. */
export class SignedLists {
  readonly #lists = new Map<string, readonly DebianPackage[]>();

  /**
   * The kernel packages for amd64 in a suite's list, whose chain of trust is checked: the signature of InRelease, and its SHA-256 of the list. apt could
   * do this for young lists, but refuses signatures of keys that have expired since; here they are accepted if they were made
   * before. Valid-Until is not looked at: the past has run out. Packages that are there only without their signature for
   * Secure Boot get the name of the signed one.
   *
   * @returns null if there is no such suite
   * @throws ExplainedError `signature-refused`, `digest-mismatch`, `release-unreadable`, and as {@link HttpClient.get} does
   */
  async read(request: ListRequest): Promise<readonly DebianPackage[] | null> {
    const { http, archive, suite, keyrings, signal } = request;
    const folder = `${archive}/dists/${suite}`;
    const document = await http.get(`${folder}/InRelease`).catch((error: unknown) => {
      if (error instanceof HttpStatusError && error.code === 'not-found') return null;
      throw error;
    });
    if (document === null) return null;
    const thing: SignedThing = { where: document.url, fix: REFUSED_FIX, signal };
    const release = await verifyClearSigned(document.body, { keyrings, expiredKeys: true }, thing);
    const list = findList(release.toString('utf8'), document.url);
    const known = this.#lists.get(list.sha256);
    if (known !== undefined) return known;
    const { body, url } = await http.get(`${folder}/${list.path}`, { maxBytes: list.size });
    const digest = createHash('sha256').update(body).digest('hex');
    if (digest !== list.sha256) {
      throw new ExplainedError('digest-mismatch', 'a list of packages is not what its signed release file says', {
        where: url,
        why: `its SHA-256 is ${digest}, and should be ${list.sha256}`,
        fix: 'Try again later, or use another mirror (KSYM_MATRIX_SNAPSHOT_MIRROR).',
      });
    }
    const found = namedAsSigned(kernelPackages(await decompress(body, list.path, signal), suite));
    this.#lists.set(list.sha256, found);
    return found;
  }
}

const REFUSED_FIX =
  "It should be by one of Debian's archive keys: use another mirror (KSYM_MATRIX_SNAPSHOT_MIRROR), or update debian-archive-keyring.";

/** The smallest form of the list of `main` for amd64, as the release file names it. */
function findList(
  release: string,
  where: string,
): { readonly path: string; readonly size: number; readonly sha256: string } {
  const digests = (parseStanza(release).get('sha256') ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  for (const suffix of ['.xz', '.gz', '']) {
    const wanted = `main/binary-amd64/Packages${suffix}`;
    const [sha256, size, path] = digests.find(([, , one]) => one === wanted) ?? [];
    if (path !== undefined && /^[0-9a-f]{64}$/.test(sha256 ?? '') && /^\d{1,10}$/.test(size ?? '')) {
      return { path, size: Number(size), sha256: sha256 ?? '' };
    }
  }
  throw new ExplainedError('release-unreadable', 'the release file names no list of packages for amd64', {
    where,
    fix: 'Check the address (KSYM_MATRIX_SNAPSHOT_MIRROR).',
  });
}

async function decompress(list: Buffer, path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const tool = path.endsWith('.xz') ? 'xz' : path.endsWith('.gz') ? 'gzip' : null;
  if (tool === null) return list;
  const folder = await mkdtemp(join(tmpdir(), 'ksym-matrix-list-'));
  try {
    const file = join(folder, 'Packages');
    await writeFile(file, list);
    const { exitCode, stdout, stderr } = await runTool(tool, ['-dc', file], {
      package: tool === 'xz' ? 'xz-utils' : 'gzip',
      signal,
    });
    if (exitCode === 0) return stdout;
    throw new ExplainedError('release-unreadable', 'a list of packages cannot be decompressed', {
      where: path,
      why: stderr.trim(),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const UNSIGNED = /-unsigned$/;

function kernelPackages(list: Buffer, suite: string): DebianPackage[] {
  return scanPackages(list, suite, KERNEL_PACKAGE_PREFIXES, (name) => isKernelPackage(name.replace(UNSIGNED, '')));
}

function namedAsSigned(packages: readonly DebianPackage[]): DebianPackage[] {
  const names = new Set(packages.map(({ name, version }) => `${name} ${version}`));
  return packages.flatMap((one) => {
    const name = one.name.replace(UNSIGNED, '');
    if (name === one.name) return [one];
    return names.has(`${name} ${one.version}`) ? [] : [{ ...one, name }];
  });
}
