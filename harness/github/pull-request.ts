import type { Github } from './client.ts';
import { GithubError } from './errors.ts';
import type { PublishTarget } from './event.ts';

/** The number of the pull request that results are for, or why there is none to speak to. */
export type FoundPull = { readonly number: number } | { readonly none: string };

/**
 * Finds the pull request of a run and makes sure of it: open, into this repository, from the repository and branch that the run was of, and still at the
 * commit that was tested. Results of a run can be made up; nothing that they say goes into this. Of a fork's pull request the event does not tell the number, and
 * GitHub's list of pull requests by commit lacks it too, so it is looked up by owner and branch.
 *
 * @throws GithubError
 */
export async function findPull(github: Github, target: PublishTarget): Promise<FoundPull> {
  const { repository, sha, pull } = target;
  if (pull === null) return { none: 'the run was for no pull request' };
  if (pull.head === null) return { none: 'the repository or branch that the pull request came from is gone' };
  const { owner, repo } = repository;
  const { head } = pull;
  const known = await Promise.all(pull.numbers.map((number) => getPull(github, owner, repo, number)));
  const candidates =
    pull.numbers.length > 0
      ? known.filter((one) => one !== null)
      : await github.paginate(github.rest.pulls.list, {
          owner,
          repo,
          state: 'open',
          head: `${head.owner}:${head.branch}`,
          per_page: 100,
        });
  const fitting = candidates.filter(
    (one) =>
      one.state === 'open' &&
      one.head.sha === sha &&
      one.head.repo?.id === head.repositoryId &&
      one.base.repo.id === repository.id,
  );
  const [first, second] = fitting;
  if (first !== undefined && second === undefined) return { number: first.number };
  if (first !== undefined) {
    const numbers = fitting.map((one) => `#${one.number}`).join(', ');
    return {
      none: `several pull requests have this commit as their head (${numbers}), and it is open which one was tested`,
    };
  }
  return { none: `no open pull request has ${sha.slice(0, 12)} as its head: it was closed, or has newer commits` };
}

async function getPull(github: Github, owner: string, repo: string, number: number) {
  try {
    return (await github.rest.pulls.get({ owner, repo, pull_number: number })).data;
  } catch (error) {
    if (error instanceof GithubError && error.status === 404) return null;
    throw error;
  }
}
