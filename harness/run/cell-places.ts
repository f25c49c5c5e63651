import { join } from 'node:path';
import { loaderFolder, OUR_LOADER } from '../config/loader-entries.ts';
import { cellName } from '../results/cell-name.ts';
import type { Cell } from './select.ts';

/** Ours is not named where people and paths know it as the only one. */
export function nameWithLoader({ loader, program, variant }: Cell): string {
  const name = cellName(program.name, variant.name);
  return loader.name === OUR_LOADER ? name : `${name} (${loader.name})`;
}

/** Cells of other loaders lie in a folder of their loader. */
export function evidenceFolder({ loader, program, variant }: Cell): string {
  const name = cellName(program.name, variant.name);
  return loader.name === OUR_LOADER ? name : join('loaders', loaderFolder(loader.name), name);
}
