import t from 'tap';
import { type Github, type GithubOptions, openGithub } from '../client.ts';
import type { PublishTarget } from '../event.ts';
import { readDescription } from './description.ts';
import { type GithubServer, startGithub } from './github-server.ts';

/** Nothing that anybody reads may hold this. */
export const TOKEN = 'ghs_canary0123456789CANARY';

export const SHA = 'c0ffee0123'.repeat(4);

/** All that was said to people in all tests, for the last one. */
export const spoken: string[] = [];

export const description = readDescription();

export const server: GithubServer = await startGithub(description, TOKEN);
t.teardown(() => server.close());

/** A client of the stand-in whose seconds last a millisecond. */
export function connect(more: Partial<GithubOptions> = {}): { readonly github: Github; readonly lines: string[] } {
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(line);
    spoken.push(line);
  };
  return {
    github: openGithub({ token: TOKEN, apiUrl: server.url, say, secondMs: 1, timeoutMs: 5000, ...more }),
    lines,
  };
}

export const PLACE = { owner: 'o', repo: 'r' } as const;

/** The event of a run for pull request 7, from a fork. */
export function target(more: Partial<PublishTarget> = {}): PublishTarget {
  return {
    repository: { id: 1, ...PLACE },
    sha: SHA,
    run: { id: 42, url: 'https://github.com/o/r/actions/runs/42' },
    pull: { numbers: [], head: { repositoryId: 2, owner: 'stranger', branch: 'fix/a&b#c' } },
    ...more,
  };
}

/** A pull request as the stand-in keeps it; it fits to {@link target}. */
export function pull(
  number: number,
  more: { state?: string; sha?: string; from?: number; into?: number } = {},
): object {
  const { state = 'open', sha = SHA, from = 2, into = 1 } = more;
  return {
    number,
    state,
    head: { sha, ref: 'fix/a&b#c', user: { login: 'stranger' }, repo: { id: from } },
    base: { repo: { id: into } },
  };
}

/** What a promise is rejected with. */
export async function failure(work: Promise<unknown>): Promise<Error & { code?: string; explain?: () => string }> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new TypeError('no error was thrown');
  spoken.push(
    `${error.stack} ${JSON.stringify(error)} ${'explain' in error ? String((error as { explain(): string }).explain()) : ''}`,
  );
  return error;
}
