import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';
import type { DebianSource } from './debian/source.ts';
import { fetchToolPackage } from './debian/tool-package.ts';
import { compareVersions } from './debian/version.ts';
import { runTool } from './run-tool.ts';

/** How `virtme-run` is run on this machine. */
export interface VirtmeNg {
  /** Program and first arguments; virtme-run's own arguments follow. */
  readonly command: readonly [string, ...string[]];
  /** Added to the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Version of virtme-ng, such as `1.35`. */
  readonly version: string;
  readonly from: 'system' | 'cache';
}

/** The oldest version that this project works with (Debian 13's). */
export const OLDEST_VIRTME_NG = '1.35';

/**
 * Finds virtme-ng: the one in PATH if it is new enough and runs, else Debian's package in the cache, fetched if need be. The latter needs
 * nothing but /usr/bin/python3 of the system: `virtme-run` imports only Python's standard library. A python3 that comes first in
 * PATH (pyenv, conda) is not used.
 *
 * @throws ExplainedError `virtme-ng-does-not-run`, and those of {@link fetchToolPackage}
 */
export async function locateVirtmeNg(options: {
  readonly cache: string;
  readonly source: DebianSource;
  /** Where installed programs are looked for. Default: `process.env.PATH`. */
  readonly path?: string;
}): Promise<VirtmeNg> {
  const { signal } = options.source;
  const installed = await fromSystem(options.path ?? process.env.PATH ?? '', signal);
  if (installed !== null) return installed;
  const { directory, version } = await fetchToolPackage('virtme-ng', options);
  const found: VirtmeNg = {
    command: [PYTHON, join(directory, 'usr/bin/virtme-run')],
    environment: { PYTHONPATH: join(directory, 'usr/lib/python3/dist-packages') },
    version: version.replace(/-[^-]*$/, ''),
    from: 'cache',
  };
  const failure = await failureOf(found, signal);
  if (failure === null) return found;
  throw new ExplainedError('virtme-ng-does-not-run', 'virtme-run of virtme-ng cannot be run', {
    where: directory,
    why: failure,
    fix: directory.includes(':')
      ? 'Python cannot take a path with a colon: set KSYM_MATRIX_CACHE to a folder without one.'
      : 'sudo apt-get install python3 (3.8 or later), or a virtme-ng of the system, 1.35 or later.',
  });
}

const PYTHON = '/usr/bin/python3';

async function fromSystem(path: string, signal: AbortSignal | undefined): Promise<VirtmeNg | null> {
  const program = path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'virtme-run'))
    .find(isExecutable);
  if (program === undefined) return null;
  // virtme-run has no --version; vng of the same installation lies beside it.
  const vng = join(dirname(program), 'vng');
  const answer = await runTool(vng, ['--version'], { package: 'virtme-ng', signal }).catch(() => null);
  const version = /(\d+(?:\.\d+)+)/.exec(answer?.stdout.toString('utf8') ?? '')?.[1];
  if (version === undefined || compareVersions(version, OLDEST_VIRTME_NG) < 0) return null;
  const found: VirtmeNg = { command: [program], environment: {}, version, from: 'system' };
  return (await failureOf(found, signal)) === null ? found : null;
}

/** Why it does not run, null if it does. */
async function failureOf(found: VirtmeNg, signal: AbortSignal | undefined): Promise<string | null> {
  const [program, ...args] = found.command;
  const result = await runTool(program, [...args, '--help'], { package: 'python3', env: found.environment, signal });
  if (result.exitCode === 0 && result.stdout.includes('--save-initramfs')) return null;
  return result.stderr.trim().split('\n').slice(-3).join(' ') || `it ended with ${result.exitCode}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
