import { readFile } from 'node:fs/promises';
import { ExplainedError } from '../../loader/errors.ts';
import { readArtifact } from '../github/artifact.ts';
import { checkRequests } from '../github/check-run.ts';
import { openGithub } from '../github/client.ts';
import { type PublishTarget, parseEvent } from '../github/event.ts';
import { type CommentMode, type Publication, type Published, preparePublication, publish } from '../github/publish.ts';
import { commentText, WORKFLOW_BOT } from '../github/sticky-comment.ts';
import { takeToken } from '../github/token.ts';
import { GATES, type Gate } from '../results/gate.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';

interface Options {
  readonly results: string;
  readonly base?: string;
  readonly siteUrl?: string;
  readonly comment: CommentMode;
  readonly check?: true;
  readonly failOn?: readonly string[];
  readonly name: string;
  readonly event?: string;
  readonly commentAuthor?: string;
  readonly tokenFd?: number;
  readonly dryRun?: true;
}

/** `ksym-matrix github publish`: 0 if it was published, however the results are, or if there is nobody to tell any more. */
export async function githubPublish(options: Options): Promise<number> {
  // It leaves the environment before anything else happens.
  const token = options.dryRun === true ? '' : takeToken(process.env, options.tokenFd);
  const target = await readTarget(options.event);
  const { results, base } = await readArtifact(options.results);
  const publication = preparePublication(
    { results, base: options.base === undefined ? base : (await readArtifact(options.base)).results },
    target,
    {
      name: options.name,
      comment: options.comment,
      check: options.check === true,
      failOn: readGates(options.failOn ?? []),
      siteUrl: readSiteUrl(options.siteUrl),
      runUrl: ownRunUrl(),
      runId: process.env.GITHUB_RUN_ID,
      author: options.commentAuthor ?? WORKFLOW_BOT,
    },
  );
  if (options.dryRun === true) {
    process.stdout.write(describe(publication, target));
    return EXIT.ok;
  }
  const published = await interruptible(async (signal) =>
    publish(
      openGithub({
        token,
        apiUrl: process.env.GITHUB_API_URL,
        say: (line) => process.stderr.write(`${line}\n`),
        signal,
      }),
      target,
      publication,
    ),
  );
  process.stdout.write(tell(published));
  return EXIT.ok;
}

async function readTarget(event: string | undefined): Promise<PublishTarget> {
  const path = event ?? process.env.GITHUB_EVENT_PATH;
  if (path === undefined || path === '') {
    throw new ExplainedError('github-event-bad', 'there is no event that says what the results are for', {
      fix: 'Run it in a workflow (GITHUB_EVENT_PATH), or give the payload of an event with --event.',
    });
  }
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new ExplainedError('github-event-bad', 'the event cannot be read', { where: path, why: cause.message });
  });
  const target = parseEvent(text, path);
  const { owner, repo } = target.repository;
  const here = process.env.GITHUB_REPOSITORY;
  if (here !== undefined && here !== '' && here.toLowerCase() !== `${owner}/${repo}`.toLowerCase()) {
    throw new ExplainedError('github-event-bad', 'the event is of another repository', {
      where: path,
      why: `it is of ${owner}/${repo}, and GITHUB_REPOSITORY is ${here}`,
    });
  }
  return target;
}

function readGates(words: readonly string[]): Gate[] {
  return words.map((word) => {
    const gate = GATES.find((one) => one === word);
    if (gate !== undefined) return gate;
    throw new ExplainedError('github-gate-unknown', `--fail-on: there is no ${JSON.stringify(word)}`, {
      fix: `These are there: ${GATES.join(', ')}.`,
    });
  });
}

function readSiteUrl(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : null;
  // Addresses of pages are put behind it.
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '')
    return url.href.endsWith('/') ? url.href : `${url.href}/`;
  throw new ExplainedError('bad-address', `not an address of the web: ${JSON.stringify(text)}`, {
    where: '--site-url',
    fix: 'Give it as in https://HOST/PATH/.',
  });
}

/** Where this workflow's run is; the event of a pull request or a push does not say. */
function ownRunUrl(): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = process.env;
  const address = `${server}/${repository}/actions/runs/${run}`;
  return server !== undefined && repository !== undefined && /^\d+$/.test(run ?? '') && URL.canParse(address)
    ? address
    : undefined;
}

function tell({ check, comment }: Published): string {
  const lines: string[] = [];
  if (check !== null) lines.push(`check run: ${check}`);
  if (comment === null) {
    if (lines.length === 0) lines.push('nothing to publish: no check run is wanted, and no comment');
  } else if (comment.outcome === 'no-pull-request') lines.push(`no comment: ${comment.why}`);
  else if (comment.outcome === 'locked') lines.push('no comment: the conversation is locked');
  else if (comment.outcome === 'not-wanted') lines.push('no comment: everything is as expected, and nothing changed');
  else lines.push(`comment ${comment.outcome}: ${comment.url}`);
  return `${lines.join('\n')}\n`;
}

/** For `--dry-run`. */
function describe({ check, comment }: Publication, { repository, pull }: PublishTarget): string {
  const root = `/repos/${repository.owner}/${repository.repo}`;
  const parts: string[] = [];
  if (check !== null) {
    const { create, updates } = checkRequests(check);
    parts.push(`POST ${root}/check-runs\n${quote(JSON.stringify(create, null, 2))}`);
    for (const one of updates) {
      parts.push(`PATCH ${root}/check-runs/{check_run_id}\n${quote(JSON.stringify(one, null, 2))}`);
    }
  }
  if (comment !== null) {
    const number = pull?.numbers.at(0) ?? '{the number of the pull request}';
    const when = comment.mayCreate
      ? 'or PATCH of the comment that is there'
      : 'only if there is a comment already: PATCH';
    parts.push(`POST ${root}/issues/${number}/comments (${when})\n${quote(commentText(comment))}`);
  }
  return parts.length === 0 ? 'Nothing would be sent.\n' : `${parts.join('\n\n')}\n`;
}

/** In the log of a workflow no line of it may be taken for a command to the runner: these begin with `::`, or have `##[` in them. */
function quote(text: string): string {
  return text.replace(/^/gm, '| ').replaceAll('##[', '## [');
}
