import { z } from 'zod';
import { ExplainedError } from '../../loader/errors.ts';

/** What results are published for. All of it is from the event that GitHub wrote, nothing from the run whose results they are. */
export interface PublishTarget {
  /** The repository of the workflow, to which a pull request wants to go. */
  readonly repository: { readonly id: number; readonly owner: string; readonly repo: string };
  /** The commit that was pushed, or the head of the pull request (not the merge commit that the run tested). */
  readonly sha: string;
  /** The workflow's run that made the results; null if the event does not name it. */
  readonly run: { readonly id: number; readonly url: string } | null;
  /** Null if it was for no pull request. */
  readonly pull: PullClue | null;
}

/** What an event says of a pull request; see pull-request.ts. */
export interface PullClue {
  /** Empty for one from a fork: GitHub leaves it out. */
  readonly numbers: readonly number[];
  /** Where its commits are; null if that repository is gone. */
  readonly head: { readonly repositoryId: number; readonly owner: string; readonly branch: string } | null;
}

/**
 * Reads the payload of an event: `workflow_run`, `pull_request` or `push`, told apart by what is in them ("Webhook events and payloads").
 *
 * @param text the file that GITHUB_EVENT_PATH names
 * @param where it comes from, for messages
 * @throws ExplainedError `github-event-bad`
 */
export function parseEvent(text: string, where: string): PublishTarget {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(where, cause instanceof Error ? cause.message : String(cause));
  }
  const kind = Object.keys(EVENTS).find((key) => typeof value === 'object' && value !== null && key in value);
  if (kind === undefined) throw bad(where, 'it is of none of the events workflow_run, pull_request and push');
  const parsed = EVENTS[kind as keyof typeof EVENTS].safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(where, `\`${issue?.path.join('.')}\`: ${issue?.message}`);
}

const id = z.int().positive();
const sha = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
/** Its parts become parts of addresses. An owner that is gone is left out of other fields, not of this one. */
const repository = z.object({ id, full_name: z.string().regex(/^(?!\.+\/)[\w.-]{1,100}\/(?!\.+$)[\w.-]{1,100}$/) });

const workflowRunEvent = z
  .object({
    repository,
    workflow_run: z.object({
      id,
      html_url: z.url({ protocol: /^https?$/ }),
      event: z.string(),
      head_sha: sha,
      head_branch: z.string().nullable(),
      head_repository: repository.nullable(),
      pull_requests: z
        .array(
          z
            .object({
              number: id,
              head: z.object({ sha }),
              base: z.object({ repo: z.object({ id }) }),
            })
            .nullable(),
        )
        .nullish(),
    }),
  })
  .transform(({ repository: own, workflow_run: run }): PublishTarget => {
    const { head_repository: from, head_branch: branch } = run;
    return {
      repository: place(own),
      sha: run.head_sha,
      run: { id: run.id, url: run.html_url },
      pull:
        run.event === 'pull_request'
          ? {
              numbers: (run.pull_requests ?? []).flatMap((one) =>
                one !== null && one.head.sha === run.head_sha && one.base.repo.id === own.id ? [one.number] : [],
              ),
              head: from === null || branch === null ? null : { repositoryId: from.id, owner: ownerOf(from), branch },
            }
          : null,
    };
  });

const pullRequestEvent = z
  .object({
    repository,
    pull_request: z.object({
      number: id,
      head: z.object({ sha, ref: z.string(), repo: repository.nullable() }),
    }),
  })
  .transform(
    ({ repository: own, pull_request: { number, head } }): PublishTarget => ({
      repository: place(own),
      sha: head.sha,
      run: null,
      pull: {
        numbers: [number],
        head: head.repo === null ? null : { repositoryId: head.repo.id, owner: ownerOf(head.repo), branch: head.ref },
      },
    }),
  );

const pushEvent = z
  .object({ repository, after: sha.regex(/[^0]/, 'the branch was deleted') })
  .transform(
    ({ repository: own, after }): PublishTarget => ({ repository: place(own), sha: after, run: null, pull: null }),
  );

/** By the key that tells them apart; a workflow's run comes first, because it may be of a pull request. */
const EVENTS = { workflow_run: workflowRunEvent, pull_request: pullRequestEvent, after: pushEvent } as const;

function place({ id: number, full_name: name }: Repository): PublishTarget['repository'] {
  const [owner = '', repo = ''] = name.split('/');
  return { id: number, owner, repo };
}

function ownerOf({ full_name: name }: Repository): string {
  return name.split('/')[0] ?? '';
}

type Repository = z.infer<typeof repository>;

function bad(where: string, why: string): ExplainedError {
  return new ExplainedError('github-event-bad', 'this is no event that results can be published for', {
    where,
    why,
    fix: 'Run it in a workflow (GITHUB_EVENT_PATH), or give the payload of a workflow_run, pull_request or push event with --event.',
  });
}
