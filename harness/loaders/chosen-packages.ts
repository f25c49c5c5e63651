import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { DebianPackages, PackageFiles } from '../../kernels/debian/package-files.ts';
import { type DebianPackage, packageSchema } from '../../kernels/debian/package-list.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { writeWhole } from '../results/write.ts';
import type { MissingSuites } from './version-unknown.ts';

/** Packages that are to be unpacked together. */
export interface PackageChoice {
  /** What the choice is remembered under, and begins the folder's name with. */
  readonly name: string;
  /** What would do, best first. Asked only where nothing is remembered, or that cannot be had any more. */
  readonly alternatives: () => Promise<readonly (readonly DebianPackage[])[]>;
  /** What is left out, by path without a leading slash. Default: documentation. */
  readonly skip?: (path: string) => boolean;
}

/** What {@link unpackChosen} works with. */
export interface ChosenPackagesOptions {
  /** The project's cache; choices are remembered in its `loaders/chosen/`. */
  readonly cache: string;
  readonly packages: Pick<DebianPackages, 'unpackExactly' | 'newest' | 'versions'> & MissingSuites;
  readonly onMessage: (text: string) => void;
}

/** How long a choice holds without asking the mirror: a week, in milliseconds. */
const HOLDS_MS = 7 * 24 * 3600 * 1000;
/** What a mirror that lists a package may still answer for its file. */
export const GONE: ReadonlySet<string> = new Set(['package-gone', 'download-failed']);
/** What Debian may stop having, or not be asked for, without the packages of before becoming useless. */
export const PASSED: ReadonlySet<string> = new Set([
  'loader-version-unknown',
  'package-unknown',
  'network-failed',
  'apt-update-failed',
]);

const choiceSchema = z.object({ chosen: z.number(), packages: z.array(packageSchema).min(1) });

/**
 * Unpacks the first of several choices of packages that the mirror really has, and remembers it: the next run needs neither package lists nor a network.
 * @throws ExplainedError those of the Debian source, of the last choice
 */
export async function unpackChosen(choice: PackageChoice, options: ChosenPackagesOptions): Promise<PackageFiles> {
  const { name, skip } = choice;
  const { packages, onMessage } = options;
  const unpack = (chosen: readonly DebianPackage[]): Promise<PackageFiles> =>
    packages.unpackExactly(chosen, name, skip);
  const remembered = await rememberedChoice(options.cache, name);
  if (remembered !== null) {
    const files = await unlessGone(() => unpack(remembered));
    if (!(files instanceof ExplainedError)) return files;
  }
  let refusal: ExplainedError | undefined;
  const { choices, isOld } = await alternativesOf(choice, options);
  for (const chosen of choices) {
    const files = await unlessGone(() => unpack(chosen));
    if (!(files instanceof ExplainedError)) {
      // What has passed its time keeps its date: the next run asks again.
      if (!isOld) await rememberChoice(options.cache, name, chosen);
      return files;
    }
    onMessage(
      `${chosen.map((one) => `${one.name} ${one.version}`).join(', ')} cannot be had: ${files.why ?? files.message}`,
    );
    refusal = files;
  }
  throw refusal ?? new ExplainedError('package-unknown', `the mirror has nothing for ${name}`);
}

/** Without a mirror, or one that has the version, what was chosen long ago still does. */
async function alternativesOf(
  { name, alternatives }: PackageChoice,
  { cache, onMessage }: ChosenPackagesOptions,
): Promise<{ readonly choices: readonly (readonly DebianPackage[])[]; readonly isOld: boolean }> {
  try {
    return { choices: await alternatives(), isOld: false };
  } catch (error) {
    const old = await rememberedChoice(cache, name, Number.POSITIVE_INFINITY);
    if (old === null || !(error instanceof ExplainedError) || !PASSED.has(error.code)) throw error;
    onMessage(`warning: ${error.message}: the packages of before are used`);
    return { choices: [old], isOld: true };
  }
}

async function unlessGone(unpack: () => Promise<PackageFiles>): Promise<PackageFiles | ExplainedError> {
  try {
    return await unpack();
  } catch (error) {
    if (error instanceof ExplainedError && GONE.has(error.code)) return error;
    throw error;
  }
}

/** The packages that were chosen under a name; null if none were, or longer ago than a number of milliseconds. */
export async function rememberedChoice(
  cache: string,
  name: string,
  holdsMs: number = HOLDS_MS,
): Promise<readonly DebianPackage[] | null> {
  try {
    const { chosen, packages } = choiceSchema.parse(JSON.parse(await readFile(choiceFile(cache, name), 'utf8')));
    return Date.now() - chosen < holdsMs ? packages : null;
  } catch {
    return null;
  }
}

/** Remembers packages under a name, for {@link rememberedChoice}. */
export async function rememberChoice(cache: string, name: string, packages: readonly DebianPackage[]): Promise<void> {
  const file = choiceFile(cache, name);
  await mkdir(dirname(file), { recursive: true });
  await writeWhole(file, JSON.stringify({ chosen: Date.now(), packages }));
}

function choiceFile(cache: string, name: string): string {
  return join(cache, 'loaders', 'chosen', `${name}.json`);
}
