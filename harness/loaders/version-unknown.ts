import type { DebianPackages } from '../../kernels/debian/package-files.ts';
import { ExplainedError } from '../../loader/errors.ts';

/** Lists of packages that may know which suites they lack. */
export type MissingSuites = Partial<Pick<DebianPackages, 'missing'>>;

/** What is known of a version that Debian does not have. */
export interface UnknownVersion {
  readonly library: string;
  /** As it was asked for. */
  readonly version: string;
  /** What there is, as a clause. */
  readonly known: string;
  readonly fix: string;
}

/** The error `loader-version-unknown`. A suite that could not be read may have the version, so it is named with apt's reason. */
export async function versionUnknown(
  packages: MissingSuites,
  { library, version, known, fix }: UnknownVersion,
): Promise<ExplainedError> {
  const missing = (await packages.missing?.()) ?? [];
  const unread = missing.map(({ suite, why }) => `${suite} could not be read: ${why}`);
  const where = missing.length === 0 ? 'Debian has' : 'the suites of Debian that could be read have';
  return new ExplainedError('loader-version-unknown', `${where} no ${library} ${version}`, {
    why: [known, ...unread].join('; '),
    fix,
  });
}
