import { ExplainedError } from '../../loader/errors.ts';
import { type Github, NO_RETRIES } from './client.ts';
import { writeOnce } from './write-once.ts';

/** Annotations that one request may have ("Create a check run"). */
export const ANNOTATIONS_PER_REQUEST = 50;

/** Bytes of UTF-8 that a check run's summary may have, and its text. */
export const CHECK_TEXT_LIMIT = 65_535;

/** A remark on lines of a file, in GitHub's words. */
export interface CheckRemark {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly annotation_level: 'notice' | 'warning' | 'failure';
  readonly message: string;
  readonly title?: string;
  readonly raw_details?: string;
}

/** A check run as it is to be in the end. */
export interface CheckRun {
  readonly owner: string;
  readonly repo: string;
  readonly name: string;
  /** The commit, in full: a pull request's head. */
  readonly sha: string;
  readonly conclusion: 'success' | 'failure' | 'neutral';
  /** Identifies what it tells of: when the same is published again, a check run that was not finished is taken up. */
  readonly externalId: string;
  readonly detailsUrl?: string | undefined;
  readonly output: {
    readonly title: string;
    readonly summary: string;
    readonly text: string;
    readonly annotations: readonly CheckRemark[];
  };
}

/** The bodies of the requests that make a check run. */
export interface CheckRequests {
  readonly create: CheckParts & { readonly head_sha: string };
  readonly updates: readonly CheckParts[];
}

/** What requests of both kinds have. */
export interface CheckParts {
  readonly name: string;
  readonly external_id: string;
  readonly details_url?: string;
  readonly status: 'in_progress' | 'completed';
  readonly conclusion?: CheckRun['conclusion'];
  readonly output: { title: string; summary: string; text?: string; annotations: CheckRemark[] };
}

/**
 * Divides a check run into requests, each with as many annotations as it may have. It is completed by the last one: what was broken off half-way
 * is not taken for a result.
 *
 * @throws ExplainedError `github-check-too-long`
 */
export function checkRequests(run: CheckRun): CheckRequests {
  const { title, summary, text, annotations } = run.output;
  for (const part of [summary, text]) {
    const bytes = Buffer.byteLength(part);
    if (bytes > CHECK_TEXT_LIMIT) {
      throw new ExplainedError('github-check-too-long', `${bytes} bytes are too many for the text of a check run`);
    }
  }
  const batches: CheckRemark[][] = [annotations.slice(0, ANNOTATIONS_PER_REQUEST)];
  for (let at = ANNOTATIONS_PER_REQUEST; at < annotations.length; at += ANNOTATIONS_PER_REQUEST) {
    batches.push(annotations.slice(at, at + ANNOTATIONS_PER_REQUEST));
  }
  const parts = batches.map(
    (batch, index): CheckParts => ({
      name: run.name,
      external_id: run.externalId,
      ...(run.detailsUrl === undefined ? {} : { details_url: run.detailsUrl }),
      ...(index === batches.length - 1
        ? { status: 'completed', conclusion: run.conclusion }
        : { status: 'in_progress' }),
      output: { title, summary, ...(text === '' ? {} : { text }), annotations: batch },
    }),
  );
  const [first, ...updates] = parts;
  if (first === undefined) throw new ExplainedError('github-check-too-long', 'a check run of no request');
  return { create: { ...first, head_sha: run.sha }, updates };
}

/**
 * Makes a check run. GitHub adds the annotations of each request to those that are there, so no request is repeated unless it is certain that the
 * first one was not carried out, and one that has annotations of an earlier try is not taken up: a new one of the same name takes its place.
 *
 * @returns where it can be read; null if GitHub does not say
 * @throws GithubError
 */
export async function putCheckRun(github: Github, run: CheckRun): Promise<string | null> {
  const { owner, repo } = run;
  const { create, updates } = checkRequests(run);
  const before = await list(github, run);
  const unfinished = before.find((one) => one.status !== 'completed' && one.output.annotations_count === 0);
  const update = async (id: number, parts: CheckParts, had: number): Promise<CheckRunData> =>
    writeOnce(
      github,
      async () =>
        (await github.rest.checks.update({ owner, repo, check_run_id: id, ...parts, request: NO_RETRIES })).data,
      async () => {
        const { data } = await github.rest.checks.get({ owner, repo, check_run_id: id });
        const isThere =
          data.status === parts.status && data.output.annotations_count >= had + parts.output.annotations.length;
        return isThere ? data : null;
      },
    );
  const { head_sha, ...first } = create;
  let made =
    unfinished === undefined
      ? await writeOnce(
          github,
          async () => (await github.rest.checks.create({ owner, repo, ...first, head_sha, request: NO_RETRIES })).data,
          async () => (await list(github, run)).find((one) => before.every(({ id }) => id !== one.id)) ?? null,
        )
      : await update(unfinished.id, first, 0);
  let count = first.output.annotations.length;
  for (const parts of updates) {
    made = await update(made.id, parts, count);
    count += parts.output.annotations.length;
  }
  return made.html_url;
}

type CheckRunData = Awaited<ReturnType<Github['rest']['checks']['create']>>['data'];

/** Those of this name that tell of the same. */
async function list(github: Github, { owner, repo, sha, name, externalId }: CheckRun): Promise<CheckRunData[]> {
  const { data } = await github.rest.checks.listForRef({
    owner,
    repo,
    ref: sha,
    check_name: name,
    filter: 'latest',
    per_page: 100,
  });
  return data.check_runs.filter((one) => one.external_id === externalId);
}
