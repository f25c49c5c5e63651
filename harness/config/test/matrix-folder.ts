import { join } from 'node:path';
import type { Test } from 'tap';
import { loadMatrix } from '../load.ts';
import { ConfigError } from '../yaml-file.ts';

/** A program file that nothing is wrong with. */
export const PROGRAM = 'title: A program\nrun: []\nexpect: [{outcome: works, reason: nothing can go wrong}]\n';

/** A folder with matrix.yaml and programs; every program has its C file unless it is told otherwise. */
export function folder(
  t: Test,
  matrix: string,
  programs: Record<string, string> = { one: PROGRAM },
  withSource = true,
): string {
  const files = Object.entries(programs).flatMap(([name, text]) => [
    [`${name}.yaml`, text] as const,
    ...(withSource ? [[`${name}.bpf.c`, ''] as const] : []),
  ]);
  return join(t.testdir({ 'matrix.yaml': matrix, programs: Object.fromEntries(files) }), 'matrix.yaml');
}

/** The text of the error that reading a matrix ends with. */
export async function complaint(path: string): Promise<string> {
  try {
    await loadMatrix(path);
  } catch (error) {
    if (error instanceof ConfigError) return error.explain();
    throw error;
  }
  return 'no error at all';
}
