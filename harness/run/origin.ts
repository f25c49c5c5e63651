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
 * does not need git, nor that the matrix lies in a repository. Nothing that git or the environment says gets into the results unless it has the shape that
 * it should have, and no credentials of a remote's address.
 *
 * @param matrix path of matrix.yaml
 * @param environment of the process, as documented in GitHub's "Variables reference"
 */
export async function describeRepository(
  matrix: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Repository> {
  const folder = dirname(resolve(matrix));
  const [up, commit, remote] = await Promise.all([
    // Relative, so that the root is named as the folder is: git's own absolute path has no symbolic links.
    git(folder, environment, 'rev-parse', '--show-cdup'),
    git(folder, environment, 'rev-parse', '--verify', '--quiet', 'HEAD'),
    git(folder, environment, 'remote', 'get-url', 'origin'),
  ]);
  const isCommit = commit !== null && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit);
  const changes = isCommit ? await git(folder, environment, 'status', '--porcelain', '--untracked-files=no') : null;
  return {
    root: up === null ? folder : resolve(folder, up),
    origin: {
      repository: repositoryName(environment.GITHUB_REPOSITORY) ?? repositoryOf(remote ?? ''),
      commit: isCommit ? commit : null,
      modified: changes === null ? null : changes !== '',
      url: runUrl(environment),
    },
  };
}

/** Where git looks, if these are set (as in its hooks); the folder of the matrix is to decide. */
const PLACES = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_COMMON_DIR', 'GIT_OBJECT_DIRECTORY'];

/** What git prints, without the end of its line; null if it fails or is not there. */
async function git(folder: string, environment: NodeJS.ProcessEnv, ...words: string[]): Promise<string | null> {
  const kept = Object.entries(environment).filter(([name]) => !PLACES.includes(name));
  const result = await execa('git', ['-C', folder, ...words], {
    reject: false,
    stdin: 'ignore',
    timeout: 10_000,
    extendEnv: false,
    // `git status` would write the index anew, and hold its lock meanwhile.
    env: { ...Object.fromEntries(kept), GIT_OPTIONAL_LOCKS: '0' },
  });
  return result.failed ? null : result.stdout;
}

/** OWNER/NAME of an address on GitHub, as git writes them: https (with or without credentials), ssh, or like scp's. */
function repositoryOf(remote: string): string | null {
  const address = /^(?:https:\/\/(?:[^@/]*@)?|ssh:\/\/git@|git@)github\.com[/:](.+?)(?:\.git)?\/?$/.exec(remote);
  return repositoryName(address?.[1]);
}

function repositoryName(text: string | undefined): string | null {
  return text !== undefined && /^[\w.-]+\/[\w.-]+$/.test(text) ? text : null;
}

function runUrl({ GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID }: NodeJS.ProcessEnv): string | null {
  const repository = repositoryName(GITHUB_REPOSITORY);
  if (repository === null || GITHUB_SERVER_URL === undefined || !/^\d+$/.test(GITHUB_RUN_ID ?? '')) return null;
  if (!/^https?:\/\/[\w.:-]+$/.test(GITHUB_SERVER_URL)) return null;
  return `${GITHUB_SERVER_URL}/${repository}/actions/runs/${GITHUB_RUN_ID}`;
}
