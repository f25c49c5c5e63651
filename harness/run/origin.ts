import { dirname, resolve } from 'node:path';
import { execa } from 'execa';
import type { Origin } from '../results/results.ts';

/** What is run: the repository that a matrix lies in. */
export interface Repository {
  /** Folder that paths are told relative to: the root of the repository, or the matrix's own folder if it is in none. */
  readonly root: string;
  readonly origin: Origin;
}

/**
 * Asks git for the repository of a matrix, and the environment of GitHub Actions for the rest. Whatever cannot be found out is null: a run
 * does not need git.
 *
 * @param matrix path of matrix.yaml
 * @param environment of the process, as documented in GitHub's "Variables reference"
 */
export async function describeRepository(
  matrix: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Repository> {
  const folder = dirname(resolve(matrix));
  const [root, commit, remote] = await Promise.all([
    git(folder, 'rev-parse', '--show-toplevel'),
    git(folder, 'rev-parse', '--verify', '--quiet', 'HEAD'),
    git(folder, 'remote', 'get-url', 'origin'),
  ]);
  const changes = commit === null ? null : await git(folder, 'status', '--porcelain', '--untracked-files=no');
  return {
    root: root ?? folder,
    origin: {
      repository: environment.GITHUB_REPOSITORY ?? repositoryOf(remote ?? ''),
      commit: commit !== null && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit) ? commit : null,
      modified: changes === null ? null : changes !== '',
      url: runUrl(environment),
    },
  };
}

/** What git prints, without the end of its line; null if it fails. */
async function git(folder: string, ...words: string[]): Promise<string | null> {
  const result = await execa('git', ['-C', folder, ...words], { reject: false, stdin: 'ignore', timeout: 10_000 });
  return result.failed ? null : result.stdout;
}

/** OWNER/NAME of an address on GitHub, as git writes them: https, ssh, or like scp's. */
function repositoryOf(remote: string): string | null {
  return /^(?:https:\/\/|ssh:\/\/git@|git@)github\.com[/:]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(remote)?.[1] ?? null;
}

function runUrl({ GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID }: NodeJS.ProcessEnv): string | null {
  if (GITHUB_SERVER_URL === undefined || GITHUB_REPOSITORY === undefined || GITHUB_RUN_ID === undefined) return null;
  return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`;
}
