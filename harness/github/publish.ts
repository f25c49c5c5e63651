import { renderCheckOutput } from '../report/markdown/check-output.ts';
import { renderComment } from '../report/markdown/comment.ts';
import { type Comparison, compareResults } from '../results/compare.ts';
import { closedGates, type Gate } from '../results/gate.ts';
import type { RunResults } from '../results/results.ts';
import { RED_VERDICTS } from '../results/verdicts.ts';
import { type Artifact, withoutOrigin, withTrustedOrigin } from './artifact.ts';
import { CHECK_TEXT_LIMIT, type CheckRun, putCheckRun } from './check-run.ts';
import type { Github } from './client.ts';
import type { PublishTarget } from './event.ts';
import { findPull } from './pull-request.ts';
import { bodyLimit, type CommentResult, putStickyComment, type StickyComment } from './sticky-comment.ts';

/**
 * When there is a comment: `always`; `changes`: a pull request that is green and changes nothing gets none, one that it has already is brought up to
 * date; `off`.
 */
export const COMMENT_MODES = ['always', 'changes', 'off'] as const;

/** One of {@link COMMENT_MODES}. */
export type CommentMode = (typeof COMMENT_MODES)[number];

/** What of results is to be published, and how. */
export interface PublishOptions {
  /** Name of the check run and of the sticky comment. */
  readonly name: string;
  readonly comment: CommentMode;
  /** Whether to make a check run. */
  readonly check: boolean;
  /** What closes the gate, for which the check run fails; without a base, or without gates, every red cell does. */
  readonly failOn?: readonly Gate[] | undefined;
  /** Address of the site with all details, ending in `/`. */
  readonly siteUrl?: string | undefined;
  /** Address of the run itself, where the event does not name it. */
  readonly runUrl?: string | undefined;
  /** Names what is published, where the event does not name a run. */
  readonly runId?: string | undefined;
  /** See {@link StickyComment.author}. */
  readonly author: string;
}

/** What is to be sent. */
export interface Publication {
  readonly check: CheckRun | null;
  /** Without the number of the pull request, which has to be made sure of. */
  readonly comment: Omit<StickyComment, 'pull'> | null;
}

/** What became of a {@link Publication}. */
export interface Published {
  /** Address of the check run. */
  readonly check: string | null;
  /** Why there is none, if one was wanted. */
  readonly comment: CommentResult | { readonly outcome: 'no-pull-request'; readonly why: string } | null;
}

/** Writes all that is to be sent. Origins that the results name are not used; see artifact.ts. */
export function preparePublication(artifact: Artifact, target: PublishTarget, options: PublishOptions): Publication {
  const { repository, sha, run } = target;
  const { owner, repo } = repository;
  const { name, siteUrl } = options;
  const runUrl = run?.url ?? options.runUrl;
  const results = withTrustedOrigin(artifact.results, target);
  const base = artifact.base === null ? null : withoutOrigin(artifact.base, target);
  const comparison = base === null ? undefined : compareResults(base, results);
  const common = { ...(comparison === undefined ? {} : { comparison }), ...(siteUrl === undefined ? {} : { siteUrl }) };
  return {
    check: options.check
      ? {
          owner,
          repo,
          name,
          sha,
          conclusion: concludeCheck(results, comparison, options.failOn ?? []),
          externalId: String(run?.id ?? options.runId ?? results.id),
          detailsUrl: siteUrl ?? runUrl,
          output: renderCheckOutput(results, { ...common, maxBytes: CHECK_TEXT_LIMIT }),
        }
      : null,
    comment:
      options.comment === 'off' || target.pull === null
        ? null
        : {
            owner,
            repo,
            name,
            author: options.author,
            mayCreate:
              options.comment === 'always' ||
              isUnfinished(results) ||
              isRed(results) ||
              (comparison?.changes.length ?? 0) > 0,
            body: renderComment(results, {
              ...common,
              ...(runUrl === undefined ? {} : { runUrl }),
              maxCharacters: bodyLimit(name),
            }),
          },
  };
}

/**
 * How a check run ends. What was not run, or could not be tried (`infra`), cannot be green, as for harness/actions/gate.sh. With gates and a base, red cells that close no gate are `neutral`, which blocks no merge: they were
 * red before.
 */
export function concludeCheck(
  results: RunResults,
  comparison: Comparison | undefined,
  gates: readonly Gate[],
): CheckRun['conclusion'] {
  if (isUnfinished(results) || results.cells.some(({ verdict }) => verdict === 'infra')) return 'failure';
  if (comparison === undefined || gates.length === 0) return isRed(results) ? 'failure' : 'success';
  if (closedGates(comparison, gates).length > 0) return 'failure';
  return isRed(results) ? 'neutral' : 'success';
}

/**
 * Sends it. The check run comes first: it needs no pull request that is still open.
 *
 * @throws GithubError
 */
export async function publish(github: Github, target: PublishTarget, publication: Publication): Promise<Published> {
  const { check, comment } = publication;
  const checkUrl = check === null ? null : await putCheckRun(github, check);
  if (comment === null) return { check: checkUrl, comment: null };
  const pull = await findPull(github, target);
  return {
    check: checkUrl,
    comment:
      'none' in pull
        ? { outcome: 'no-pull-request', why: pull.none }
        : await putStickyComment(github, { ...comment, pull: pull.number }),
  };
}

/** Nobody knows whether it would have been green. */
function isUnfinished({ complete, cells }: RunResults): boolean {
  return !complete || cells.length === 0;
}

function isRed({ cells }: RunResults): boolean {
  return cells.some(({ verdict }) => RED_VERDICTS.has(verdict));
}
