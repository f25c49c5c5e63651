import { join } from 'node:path';
import { checkDifferences } from '../config/difference-entries.ts';
import { type Difference, differencesFileSchema } from '../config/difference-schema.ts';
import { readYamlFile } from '../config/yaml-file.ts';
import { PACKAGE_ROOT } from '../package-root.ts';

/** A known difference, and whose it is. */
export interface KnownDifference extends Difference {
  /** `built-in`: of this program; `matrix`: of the matrix that is run. */
  readonly from: 'built-in' | 'matrix';
}

/** The file with what this program knows of libbpf and cilium/ebpf. */
const BUILT_IN_DIFFERENCES = join(PACKAGE_ROOT, 'harness', 'loaders', 'differences.yaml');

/**
 * Reads a file of known differences.
 * @throws ConfigError with file, line and column of everything that is wrong with it
 */
async function readDifferences(path: string): Promise<readonly Difference[]> {
  const file = await readYamlFile(path, differencesFileSchema);
  const { differences } = file.value;
  const findings = checkDifferences(differences, null);
  if (findings.length > 0) throw file.error(findings);
  return differences;
}

/**
 * Everything that is known of other loaders: the matrix's own differences first.
 * @throws ConfigError, as {@link readDifferences} does
 */
export async function knownDifferences(ofMatrix: readonly Difference[] = []): Promise<readonly KnownDifference[]> {
  const builtIn = await readDifferences(BUILT_IN_DIFFERENCES);
  return [
    ...ofMatrix.map((difference) => ({ ...difference, from: 'matrix' as const })),
    ...builtIn.map((difference) => ({ ...difference, from: 'built-in' as const })),
  ];
}
