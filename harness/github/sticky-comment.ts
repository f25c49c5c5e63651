import { ExplainedError } from '../../loader/errors.ts';
import { type Github, NO_RETRIES } from './client.ts';
import { GithubError } from './errors.ts';
import { writeOnce } from './write-once.ts';

/** Characters that a comment may have (GitHub refuses more: "Body is too long (maximum is 65536 characters)"). */
export const COMMENT_LIMIT = 65_536;

/** Whose comments the token of a workflow writes. Nobody can register such a name. */
export const WORKFLOW_BOT = 'github-actions[bot]';

/** What is to be said on a pull request, in one comment. */
export interface StickyComment {
  readonly owner: string;
  readonly repo: string;
  /** Number of the pull request. */
  readonly pull: number;
  /** Tells it from other sticky comments of the same author. */
  readonly name: string;
  /** Markdown, without the marker. */
  readonly body: string;
  /** Whose comments are ours: the login of the user that the token belongs to. */
  readonly author: string;
  /** False if a comment that is there is to be brought up to date, but none is to be made. */
  readonly mayCreate: boolean;
}

/** What became of it. */
export interface CommentResult {
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'not-wanted' | 'locked';
  /** Where it can be read; null for `not-wanted` and `locked`. */
  readonly url: string | null;
}

/** The first line of a comment, which nobody sees. */
export function commentMarker(name: string): string {
  return `<!-- ksym-matrix:${name} -->`;
}

/** How many characters {@link StickyComment.body} may have. */
export function bodyLimit(name: string): number {
  return COMMENT_LIMIT - commentMarker(name).length - 1;
}

/** The comment as it is sent. */
export function commentText({ name, body }: Pick<StickyComment, 'name' | 'body'>): string {
  if (!/^[\w.-]{1,100}$/.test(name)) throw new ExplainedError('github-name-bad', `not a name: ${JSON.stringify(name)}`);
  if (body.length > bodyLimit(name)) {
    throw new ExplainedError('github-comment-too-long', `a comment of ${body.length} characters is too long`);
  }
  return `${commentMarker(name)}\n${body}`;
}

/**
 * Brings the one comment of this name up to date: made if there is none, changed in place if it says something else, left alone if it says the same. Whoever
 * else writes the marker is not taken for us, so nobody has us change what others say. Where two runs made one each, the older one stays.
 *
 * @throws GithubError
 */
export async function putStickyComment(github: Github, comment: StickyComment): Promise<CommentResult> {
  const text = commentText(comment);
  try {
    for (let attempt = 1; ; attempt++) {
      const own = await findOwn(github, comment, (one) => isBy(one, comment.author));
      try {
        return own.length > 0 ? await bringUpToDate(github, comment, own, text) : await create(github, comment, text);
      } catch (error) {
        // Somebody removed it in between.
        if (!isGone(error) || attempt === 3) throw error;
      }
    }
  } catch (error) {
    if (error instanceof GithubError && error.code === 'github-locked') return { outcome: 'locked', url: null };
    throw error;
  }
}

type Comment = Awaited<ReturnType<Github['rest']['issues']['createComment']>>['data'];

async function create(github: Github, comment: StickyComment, text: string): Promise<CommentResult> {
  if (!comment.mayCreate) return { outcome: 'not-wanted', url: null };
  const { owner, repo, pull, author } = comment;
  const made = await writeOnce(
    github,
    async () =>
      (await github.rest.issues.createComment({ owner, repo, issue_number: pull, body: text, request: NO_RETRIES }))
        .data,
    async () => (await findOwn(github, comment, (one) => isBy(one, author))).at(0) ?? null,
  );
  if (!isBy(made, author)) {
    github.say(`the token's comments are by ${made.user?.login}: say --comment-author, so that they are found at once`);
  }
  // Another run may have made one at the same time, or this one could not tell before whose comments are its own.
  const all = await findOwn(github, comment, (one) => one.user !== null && one.user?.id === made.user?.id);
  // Where no answer came, what was found may be the other run's alone.
  if (all.length < 2 && normal(made.body) === normal(text)) return { outcome: 'created', url: made.html_url };
  return bringUpToDate(github, comment, all, text);
}

/** @param own oldest first, at least one */
async function bringUpToDate(
  github: Github,
  { owner, repo }: StickyComment,
  own: readonly Comment[],
  text: string,
): Promise<CommentResult> {
  const [kept, ...others] = own;
  if (kept === undefined) return { outcome: 'not-wanted', url: null };
  const isSame = normal(kept.body) === normal(text);
  if (!isSame) await github.rest.issues.updateComment({ owner, repo, comment_id: kept.id, body: text });
  for (const { id } of others) {
    await github.rest.issues.deleteComment({ owner, repo, comment_id: id }).catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
  }
  return { outcome: isSame ? 'unchanged' : 'updated', url: kept.html_url };
}

/** All comments of this name that are ours, oldest first. */
async function findOwn(
  github: Github,
  { owner, repo, pull, name }: StickyComment,
  isOwn: (comment: Comment) => boolean,
): Promise<Comment[]> {
  const all = await github.paginate(github.rest.issues.listComments, {
    owner,
    repo,
    issue_number: pull,
    per_page: 100,
  });
  return all
    .filter((one) => isOwn(one) && one.body?.startsWith(commentMarker(name)) === true)
    .sort((left, right) => left.id - right.id);
}

function isBy({ user }: Comment, author: string): boolean {
  return user?.login === author && (!author.endsWith('[bot]') || user.type === 'Bot');
}

/** As GitHub may give back what it was given. */
function normal(text: string | undefined): string | undefined {
  return text?.replaceAll('\r\n', '\n').trimEnd();
}

function isGone(error: unknown): boolean {
  return error instanceof GithubError && (error.status === 404 || error.status === 410);
}
