import type { ObjectContent } from '../../loader/object/spec.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { ExternResolution } from '../../loader/resolve/outcome.ts';
import { type AskedExtern, parseExternPhrase, phraseHolds } from '../config/extern-phrase.ts';
import type { LibraryVersion } from '../config/loader-entries.ts';
import { isLoaderVersionIn } from '../config/loader-version.ts';
import type { KnownDifference } from '../loaders/differences.ts';
import { nameMatches } from './select.ts';
import { type CellSituation, conditionHolds } from './verdict.ts';

/** A cell as known differences ask about it. */
export interface LoaderSituation extends CellSituation {
  readonly family: string;
  /** Of the loader, as it tells it. */
  readonly loaderVersion: string;
  /** What the loader is made with, as the matrix says. */
  readonly like?: LibraryVersion | undefined;
  readonly program: string;
  /** The object; null if it could not be read. */
  readonly spec: (Pick<ObjectContent, 'programs'> & Partial<Pick<ObjectContent, 'btf'>>) | null;
  /** Its externs as our own rules resolve them on this kernel, under this cell's settings. */
  readonly externs: readonly ExternResolution[];
  /** Of the kernel; absent or null if it could not be read. */
  readonly kallsyms?: Pick<Kallsyms, 'find'> | null;
}

/** The first known difference that a cell falls under. */
export function findDifference(
  differences: readonly KnownDifference[],
  situation: LoaderSituation,
): KnownDifference | undefined {
  return differences.find((difference) => appliesTo(difference, situation));
}

/** Whether a difference is about this loader at all, or about what it is made with. */
export function isOf(
  difference: Pick<KnownDifference, 'loader' | 'versions'>,
  { family, loaderVersion, like }: Pick<LoaderSituation, 'family' | 'loaderVersion' | 'like'>,
): boolean {
  const { loader, versions } = difference;
  const holds = (version: string): boolean => versions === undefined || isLoaderVersionIn(version, versions);
  // What a local build says of its version may be a branch's name: the matrix knows better.
  if (loader === like?.library) return holds(like.version);
  return loader === family && holds(loaderVersion);
}

function appliesTo(difference: KnownDifference, situation: LoaderSituation): boolean {
  const { when, programs = [], sections = [], externs = [] } = difference;
  return (
    isOf(difference, situation) &&
    nameMatches(situation.program, programs) &&
    (sections.length === 0 || (situation.spec?.programs ?? []).some(({ section }) => nameMatches(section, sections))) &&
    externs.every((text) => {
      const phrase = parseExternPhrase(text);
      return phrase !== undefined && phraseHolds(phrase, askedOf(situation));
    }) &&
    conditionHolds(when ?? {}, situation)
  );
}

/** The externs, with what only the object's own BTF and /proc/kallsyms tell of them. */
function askedOf({ externs, spec, kallsyms }: LoaderSituation): readonly AskedExtern[] {
  const btf = spec?.btf ?? null;
  return externs.map((extern) => {
    const variable = btf?.find(extern.name, 'var');
    const isConst = variable !== undefined && btf?.type(variable.type).kind === 'const';
    return { ...extern, isConst, isListed: (kallsyms?.find(extern.name) ?? []).length > 0 };
  });
}
