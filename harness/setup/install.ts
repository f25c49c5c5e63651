import { execa } from 'execa';
import { compareVersions } from '../../kernels/debian/version.ts';
import { runTool } from '../../kernels/run-tool.ts';
import { OLDEST_VIRTME_NG } from '../../kernels/virtme-ng.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { buildRequirements } from './build-requirements.ts';
import { findProgram, type Requirement, requirements } from './requirements.ts';

/**
 * Installs with apt what is missing. Nothing happens, and nothing is asked for, if nothing is.
 * @param onStep told what is about to be done
 * @throws ExplainedError `packages-missing` with the line to run, where neither root nor sudo without a password is at hand
 */
export async function installMissing(options: {
  readonly tests: boolean;
  /** Also what compiling kernels takes. */
  readonly builds?: boolean;
  readonly onStep: (text: string) => void;
}): Promise<void> {
  const missing = missingRequirements(options.tests, options.builds);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((requirement) => requirement.package))];
  const prefix = await privilege();
  const command = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
  if (prefix === undefined || findProgram('apt-get') === undefined) {
    const line =
      findProgram('apt-get') === undefined
        ? `with your package manager: ${packages.join(' ')}`
        : `sudo ${command.join(' ')}`;
    throw new ExplainedError(
      'packages-missing',
      `missing on this system: ${missing.map((one) => one.name).join(', ')}`,
      {
        why: 'installing packages needs root, and neither root nor sudo without a password is at hand',
        fix: line.startsWith('sudo') ? `sudo apt-get update && ${line}` : `install ${line}`,
      },
    );
  }
  options.onStep(`Installing ${packages.join(', ')} with apt`);
  await run([...prefix, 'apt-get', 'update', '--quiet', '--quiet'], packages);
  // Where the distribution's virtme-ng is recent enough it is the one to use; elsewhere Debian's package goes into the cache.
  const virtme = (await offersVirtmeNg()) && findProgram('virtme-run') === undefined ? ['virtme-ng'] : [];
  const install = [...prefix, ...command, ...virtme, '--quiet', '--quiet'];
  // What takes long is the download, and may end at any point.
  await run([...install, '--download-only'], packages);
  await runToItsEnd(install, packages);
  const still = missingRequirements(options.tests, options.builds);
  if (still.length > 0) {
    throw new ExplainedError(
      'packages-missing',
      `still missing after apt-get: ${still.map((one) => one.name).join(', ')}`,
      {
        why: `packages ${packages.join(', ')} were installed, and do not bring it on this system`,
      },
    );
  }
}

/** Whether apt would install a virtme-ng that this project works with. */
async function offersVirtmeNg(): Promise<boolean> {
  const policy = await execa('apt-cache', ['policy', 'virtme-ng'], {
    reject: false,
    stdin: 'ignore',
    env: { LC_ALL: 'C' },
  });
  const candidate = /^\s*Candidate: (\d\S*)$/m.exec(policy.stdout ?? '')?.[1];
  return candidate !== undefined && compareVersions(candidate, OLDEST_VIRTME_NG) >= 0;
}

/** What of the requirements is not there. */
export function missingRequirements(tests: boolean, builds = false): Requirement[] {
  const all = [...requirements(), ...(builds ? buildRequirements() : [])];
  return all.filter((one) => (tests || one.tests !== true) && one.find() === undefined);
}

/** What to put before a command that needs root: nothing for root, sudo where it asks for no password, undefined otherwise. */
async function privilege(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  if (findProgram('sudo') === undefined) return undefined;
  const allowed = await execa('sudo', ['-n', 'true'], { reject: false, stdin: 'ignore' });
  return allowed.exitCode === 0 ? ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive'] : undefined;
}

async function run(command: readonly string[], packages: readonly string[]): Promise<void> {
  const [program = '', ...args] = command;
  const { exitCode, stderr } = await runTool(program, args, {
    package: 'apt',
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (exitCode !== 0) throw aptFailed(command, packages, stderr.trim().split('\n').slice(-5).join('\n'));
}

/**
 * Runs what must not be cut short: a system whose dpkg was killed between two packages has to be repaired by hand. It has a process group of its own and no
 * pipe to us, so neither an interruption nor our end reaches it; it ends by itself, and apt of a later start waits for it.
 */
async function runToItsEnd(command: readonly string[], packages: readonly string[]): Promise<void> {
  const [program = '', ...args] = command;
  const result = await execa(program, [...args, '-o', 'DPkg::Lock::Timeout=120'], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
    detached: true,
    cleanup: false,
  });
  if (result.failed) throw aptFailed(command, packages, result.originalMessage ?? 'its messages are above');
}

function aptFailed(command: readonly string[], packages: readonly string[], why: string): ExplainedError {
  return new ExplainedError('apt-failed', `${command.join(' ')} failed`, {
    why,
    fix: `install these packages by hand: ${packages.join(' ')}`,
  });
}

/**
 * Stops at once if something is missing, for commands that install nothing. What only fetching needs is not asked for: with a
 * filled cache nothing is fetched, and where something is, the tool that is missing is named.
 * @throws ExplainedError `packages-missing`
 */
export function requireTools(): void {
  const missing = missingRequirements(false).filter((one) => one.fetching !== true);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((requirement) => requirement.package))];
  throw new ExplainedError('packages-missing', `missing on this system: ${missing.map((one) => one.name).join(', ')}`, {
    fix: `ksym-matrix setup, or: sudo apt-get install --no-install-recommends ${packages.join(' ')}`,
  });
}
