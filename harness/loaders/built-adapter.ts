import { join } from 'node:path';
import { isWhole, noteDigest } from '../../loader/built-program.ts';
import type { LoaderProgram } from './prepared-loader.ts';

/** Name of an adapter in the folder that it was built into. */
export const ADAPTER = 'adapter';

/** Where adapters lie in the guest. */
const GUEST_FOLDER = '/run/ksym-matrix/loaders';

/** Notes what an adapter that was just built is like, so that {@link damageOfAdapter} can tell. */
export async function sealAdapter(directory: string): Promise<void> {
  await noteDigest(join(directory, ADAPTER));
}

/** What is wrong with an adapter in the cache; null if it is the one that was built. For `populateDirectory`. */
export async function damageOfAdapter(directory: string): Promise<string | null> {
  return (await isWhole(join(directory, ADAPTER))) ? null : 'the program is not the one that was built';
}

/**
 * An adapter of the harness as a program for guests, with the command line of PROTOCOL.md.
 * @param directory that it was built into
 * @param name of its own in the guest, different for every build
 */
export function adapterProgram(directory: string, name: string, classify: LoaderProgram['classify']): LoaderProgram {
  const path = `${GUEST_FOLDER}/${name}`;
  return {
    files: [
      { kind: 'folder', path: GUEST_FOLDER },
      { kind: 'file', path, source: join(directory, ADAPTER) },
    ],
    argv: (object, runs) => [path, object, ...runs.flatMap(({ program, cpu }) => ['--run', `${program}@${cpu}`])],
    speaks: 'protocol',
    classify,
  };
}
