import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { PACKAGE_ROOT } from '../package-root.ts';

/** The program that is copied: small, with a typed and a typeless variable, in no variant but the default. */
const MODEL = 'typed-int-percpu';

/**
 * Writes a matrix with as many cells as wanted: one kernel, and copies of one program under other names.
 * @param folder is made
 * @returns the path of its matrix.yaml
 */
export async function writeSyntheticMatrix(folder: string, line: string, cells: number): Promise<string> {
  const programs = join(folder, 'programs');
  await mkdir(programs, { recursive: true });
  const names = Array.from({ length: cells }, (_, index) => `copy-${String(index + 1).padStart(4, '0')}`);
  for (const suffix of ['.bpf.c', '.yaml']) {
    const content = await readFile(join(PACKAGE_ROOT, 'programs', MODEL + suffix));
    for (const name of names) await writeFile(join(programs, name + suffix), content);
  }
  const path = join(folder, 'matrix.yaml');
  await writeFile(path, stringify({ kernels: [{ debian: line }], programs: names }));
  return path;
}
