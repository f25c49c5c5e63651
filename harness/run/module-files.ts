import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernel } from '../../kernels/kernel.ts';
import { moduleName, parseModulesDep } from '../../kernels/module-selection.ts';
import type { WantedModule } from '../vm/prepare.ts';

/** What a kernel has of the modules that are wanted. */
export interface FoundModules {
  /** In the order in which they are loaded, each after what it needs. */
  readonly files: readonly WantedModule[];
  /** Neither a file nor built in. */
  readonly missing: readonly string[];
}

/**
 * Finds modules and what they need by depmod's tables (modules.dep(5), modules.builtin).
 * @param names as in lsmod, `-` and `_` being the same
 */
export async function findModules(
  { directory, release }: Pick<Kernel, 'directory' | 'release'>,
  names: readonly string[],
): Promise<FoundModules> {
  if (names.length === 0) return { files: [], missing: [] };
  const folder = join(directory, 'lib', 'modules', release);
  const table = async (name: string): Promise<string> => readFile(join(folder, name), 'utf8').catch(() => '');
  const known = parseModulesDep(await table('modules.dep'));
  const builtIn = new Set((await table('modules.builtin')).split('\n').map((path) => moduleName(path)));
  const paths = new Set<string>();
  const missing: string[] = [];
  for (const name of names.map(moduleName)) {
    const needed = known.get(name)?.filter((path) => !builtIn.has(moduleName(path)));
    if (needed?.every((path) => existsSync(join(folder, path))) === true) for (const path of needed) paths.add(path);
    else if (!builtIn.has(name)) missing.push(name);
  }
  return { files: [...paths].map((path) => ({ name: moduleName(path), path: join(folder, path) })), missing };
}
