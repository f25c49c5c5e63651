import { join } from 'node:path';
import type { DebianPackages, WantedPackage } from '../../../kernels/debian/package-files.ts';
import type { DebianPackage } from '../../../kernels/debian/package-list.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { PASSED, rememberChoice, rememberedChoice } from '../chosen-packages.ts';
import type { MissingSuites } from '../version-unknown.ts';
import { openCheckout } from './checkout.ts';
import { LIBRARY_PATH } from './compile.ts';
import { findLibrary, type GoPackages, goPackages, isOldVersion, upstreamVersion } from './packages.ts';
import { isWantedSource } from './source-files.ts';

/** The newest package of a version, or a checkout of the user's. */
export type CiliumRequest = { readonly version: string } | { readonly path: string };

/** What an adapter is built from. */
export interface Ingredients {
  /** The library's own version. */
  readonly version: string;
  /** For people. */
  readonly about: string;
  /** Other files, other digests. */
  readonly digests: readonly string[];
  readonly toolchain: readonly DebianPackage[];
  readonly modules: readonly DebianPackage[];
  /** The folder with the library's go.mod, unpacked when it is asked for. */
  readonly library: () => Promise<string>;
}

/** What {@link findIngredients} works with. */
export interface IngredientOptions {
  readonly debian: Pick<DebianPackages, 'versions' | 'newest' | 'unpackExactly'> & MissingSuites;
  readonly cache: string;
  readonly onMessage: (text: string) => void;
  readonly signal: AbortSignal;
  /** Ask Debian's lists, whatever is remembered. */
  readonly anew?: boolean;
}

/**
 * Finds everything that a build takes. The packages are remembered: for a week nobody is asked, and for longer if Debian has them no more.
 * @throws ExplainedError `loader-version-unknown`, `loader-path-unusable`, and those of {@link DebianPackages.versions}
 */
export async function findIngredients(request: CiliumRequest, options: IngredientOptions): Promise<Ingredients> {
  return 'path' in request ? ofCheckout(request.path, options) : ofPackage(request.version, options);
}

async function ofPackage(wanted: string, options: IngredientOptions): Promise<Ingredients> {
  const { debian } = options;
  const [library, ...parts] = await choose(`cilium-ebpf-${wanted}`, options, async () => {
    const found = await findLibrary(debian, wanted);
    return [found, ...(await newest(debian, goPackages(isOldVersion(upstreamVersion(found.version)), found.suite)))];
  });
  if (library === undefined) throw new TypeError('a choice of no packages');
  return {
    ...goParts(parts),
    version: upstreamVersion(library.version),
    about: `${library.name} ${library.version} (${library.suite}), ${goLabel(parts)}`,
    digests: [library, ...parts].map(({ sha256 }) => sha256),
    library: async () => {
      const files = await debian.unpackExactly([library], 'cilium-ebpf', (path) => !isWantedSource(path));
      return join(files.directory, 'usr/share/gocode/src', LIBRARY_PATH);
    },
  };
}

async function ofCheckout(path: string, options: IngredientOptions): Promise<Ingredients> {
  const { version, digest, isOld } = await openCheckout(path, options.signal);
  const wanted = goPackages(isOld, null);
  const parts = await choose(`go-${wanted.release}`, options, () => newest(options.debian, wanted));
  return {
    ...goParts(parts),
    version,
    about: `${path}, ${goLabel(parts)}`,
    digests: [digest, ...parts.map(({ sha256 }) => sha256)],
    library: async () => path,
  };
}

async function choose(
  name: string,
  { cache, onMessage, anew }: IngredientOptions,
  find: () => Promise<readonly DebianPackage[]>,
): Promise<readonly DebianPackage[]> {
  const fresh = anew === true ? null : await rememberedChoice(cache, name);
  if (fresh !== null) return fresh;
  try {
    const found = await find();
    await rememberChoice(cache, name, found);
    return found;
  } catch (error) {
    const old = anew === true ? null : await rememberedChoice(cache, name, Number.POSITIVE_INFINITY);
    if (old === null || !(error instanceof ExplainedError) || !PASSED.has(error.code)) throw error;
    onMessage(`warning: ${error.message}: the packages of before are used`);
    return old;
  }
}

async function newest(
  debian: IngredientOptions['debian'],
  { toolchain, modules }: GoPackages,
): Promise<readonly DebianPackage[]> {
  return Promise.all([...toolchain, ...modules].map((one: WantedPackage) => debian.newest(one)));
}

function goParts(parts: readonly DebianPackage[]): Pick<Ingredients, 'toolchain' | 'modules'> {
  return { toolchain: parts.filter(isOfGo), modules: parts.filter((one) => !isOfGo(one)) };
}

function isOfGo({ name }: DebianPackage): boolean {
  return /^golang-\d/.test(name);
}

function goLabel(parts: readonly DebianPackage[]): string {
  const [compiler] = parts.filter(isOfGo);
  return compiler === undefined ? '' : `Go ${upstreamVersion(compiler.version)} (${compiler.suite})`;
}
