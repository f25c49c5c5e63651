import { ExplainedError } from '../../loader/errors.ts';
import { compareVersions } from '../debian/version.ts';
import { type HttpClient, HttpStatusError } from '../http/http-client.ts';

/** Ubuntu's builds of every upstream kernel. */
export const MAINLINE_ARCHIVE = 'https://kernel.ubuntu.com/mainline';

/** One build in the archive, and what is in its way if it cannot be used. */
export interface MainlineBuild {
  /** Where its files for amd64 lie, below the archive's address. */
  readonly folder: string;
  /** Where CHECKSUMS lies, below the archive's address. */
  readonly checksums: string;
  readonly image: string;
  /** Null in builds up to 4.17, whose image package has the modules. */
  readonly modules: string | null;
}

/** Reads the archive's pages, which are made by Apache's mod_autoindex with some words above them. */
export class ArchiveIndex {
  readonly #http: HttpClient;
  /** Without a slash at the end. */
  readonly address: string;

  constructor(http: HttpClient, address: string = MAINLINE_ARCHIVE) {
    this.#http = http;
    this.address = address.replace(/\/+$/, '');
  }

  /** Every version that has a folder, oldest first: `6.6`, `6.6.100`, `6.7-rc3`. @throws ExplainedError as {@link HttpClient.get} does */
  async versions(): Promise<string[]> {
    const names = (await this.#page('')).links.flatMap(
      (link) => /^v(\d+\.\d+(?:\.\d+)?(?:-rc\d+)?)\/$/.exec(link)?.[1] ?? [],
    );
    return [...new Set(names)].sort(compareMainline);
  }

  /**
   * The files of a version's build for amd64.
   * @returns in words why there are none, if the build failed or is not complete
   * @throws ExplainedError as {@link HttpClient.get} does
   */
  async build(version: string): Promise<MainlineBuild | string> {
    const top = await this.#page(`v${version}/`);
    // "Test amd64/build failed (rc=…)" since 5.6, "Build for amd64 failed" before that.
    const [, newer, older] = /Test amd64\/build (\w+)|Build for amd64 (\w+)/.exec(top.text) ?? [];
    const state = newer ?? older;
    if (state !== undefined && state !== 'succeeded') return `its build for amd64 is marked as ${state}`;
    const hasFolder = top.links.includes('amd64/');
    const folder = `v${version}/${hasFolder ? 'amd64/' : ''}`;
    const page = hasFolder ? await this.#page(folder) : top;
    const files = page.links.map((link) => link.replace(/^amd64\//, ''));
    const image = files.find((name) => IMAGE.test(name));
    const modules = files.find((name) => MODULES.test(name)) ?? null;
    if (image === undefined) return 'it has no image for amd64';
    if (modules === null && compareVersions(version, FIRST_WITH_MODULES) >= 0) return 'it has no modules for amd64';
    const checksums = [`${folder}CHECKSUMS`, `v${version}/CHECKSUMS`];
    const place = files.includes('CHECKSUMS')
      ? checksums[0]
      : top.links.includes('CHECKSUMS')
        ? checksums[1]
        : undefined;
    if (place === undefined) return 'it has no CHECKSUMS';
    return { folder, checksums: place, image, modules };
  }

  /** A file of the archive. @throws ExplainedError as {@link HttpClient.get} does */
  async file(path: string): Promise<Buffer> {
    return (await this.#http.get(`${this.address}/${path}`, { maxBytes: 1 << 20 })).body;
  }

  async #page(path: string): Promise<{ readonly text: string; readonly links: readonly string[] }> {
    const { body } = await this.#http.get(`${this.address}/${path}`).catch((error: unknown) => {
      if (path !== '' || !(error instanceof HttpStatusError) || error.code !== 'not-found') throw error;
      throw new ExplainedError('not-found', 'this is no archive of mainline kernels', {
        where: this.address,
        fix: 'Check the address (KSYM_MATRIX_MAINLINE_MIRROR).',
        cause: error,
      });
    });
    const text = body.toString('utf8');
    const links = [...text.matchAll(/<a\s[^>]*href="([^"]+)"/gi)].map(([, link = '']) => decodeLink(link));
    return { text, links };
  }
}

/** Orders versions as they came out: 6.7-rc1, 6.7-rc2, 6.7, 6.7.1. */
export function compareMainline(a: string, b: string): number {
  const orderly = (version: string): string => version.replace(/^(\d+\.\d+)(?=$|-)/, '$1.0').replace('-rc', '~rc');
  return compareVersions(orderly(a), orderly(b));
}

/** Links are relative and percent-encoded; what leads elsewhere matches no pattern. */
function decodeLink(link: string): string {
  try {
    return decodeURIComponent(link.replace(/&amp;/g, '&').replace(/^\.\//, ''));
  } catch {
    return link;
  }
}

const IMAGE = /^linux-image-(?:unsigned-)?\d[\w.]*-\d+(?:rc\d+)?-generic_[\w.~+-]+_amd64\.deb$/;
const MODULES = /^linux-modules-\d[\w.]*-\d+(?:rc\d+)?-generic_[\w.~+-]+_amd64\.deb$/;
const FIRST_WITH_MODULES = '4.18';
