import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Fragment, readFragment } from './fragments.ts';

/**
 * The fragments that every built kernel begins with, from kernels/config/: what a machine of the harness needs, and BPF as Debian's kernels have it.
 * @throws ExplainedError `config-fragment-missing` if the package is not whole
 */
export async function baseFragments(): Promise<Fragment[]> {
  const folder = configFolder();
  const files = ['machine.config', 'bpf.config'].map((name) => join(folder, name));
  return Promise.all(files.map((file) => readFragment(file, true)));
}

/** They are not compiled, so they lie in the package and not beside this module. */
function configFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return join(folder, 'kernels', 'config');
}
