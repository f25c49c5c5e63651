import t from 'tap';
import {
  bodyLimit,
  COMMENT_LIMIT,
  commentMarker,
  commentText,
  putStickyComment,
  type StickyComment,
  WORKFLOW_BOT,
} from '../sticky-comment.ts';
import { BOT } from './github-server.ts';
import { connect, failure, PLACE, server } from './stage.ts';

const STRANGER = { login: 'stranger', id: 5, type: 'User' };

function sticky(more: Partial<StickyComment> = {}): StickyComment {
  return { ...PLACE, pull: 7, name: 'ksym', body: 'new', author: WORKFLOW_BOT, mayCreate: true, ...more };
}

function stored(id: number, body: string, user: { login: string; id: number; type: string } = BOT) {
  return { id, body: `${commentMarker('ksym')}\n${body}`, user };
}

function writes(): string[] {
  return server.requests.map(({ id }) => id).filter((id) => !/list/.test(id));
}

t.test('a comment is made once, then changed in place, and left alone when it says the same', async (t) => {
  server.reset();
  const { github } = connect();
  t.match(await putStickyComment(github, sticky()), { outcome: 'created', url: /issuecomment/ });
  t.match(await putStickyComment(github, sticky({ body: 'other' })), { outcome: 'updated' });
  t.match(await putStickyComment(github, sticky({ body: 'other\n' })), { outcome: 'unchanged' });
  t.same(writes(), ['issues/create-comment', 'issues/update-comment']);
  t.same(
    server.comments.map(({ body }) => body),
    ['<!-- ksym-matrix:ksym -->\nother'],
  );
});

t.test('all pages are looked through, and comments of others with the marker are not ours', async (t) => {
  server.reset();
  server.comments = Array.from({ length: 250 }, (_, id) => stored(id, 'fake', STRANGER));
  server.comments.push({ id: 900, body: `quoted: ${commentMarker('ksym')}`, user: BOT });
  server.comments.push({ id: 901, body: `${commentMarker('ksym-2')}\nof another name`, user: BOT });
  server.comments.push(stored(902, 'a person with the name of the bot', { ...STRANGER, login: BOT.login }));
  server.comments.push(stored(903, 'old'));
  const { github } = connect();
  t.match(await putStickyComment(github, sticky()), { outcome: 'updated' });
  t.equal(server.requests.filter(({ id }) => id === 'issues/list-comments').length, 3);
  t.same(
    server.comments.filter(({ body }) => /new/.test(body)).map(({ id }) => id),
    [903],
  );
});

t.test('where it is not wanted none is made, but one that is there is brought up to date', async (t) => {
  server.reset();
  const { github } = connect();
  t.same(await putStickyComment(github, sticky({ mayCreate: false })), { outcome: 'not-wanted', url: null });
  server.comments = [stored(1, 'red')];
  t.match(await putStickyComment(github, sticky({ mayCreate: false })), { outcome: 'updated' });
});

t.test('two runs that comment at the same time leave one comment, with the newer words', async (t) => {
  server.reset();
  const { github } = connect();
  server.before = (id) => {
    // The other run made its comment after this one looked.
    if (id === 'issues/create-comment') server.comments.push(stored(50, 'of the other run'));
  };
  t.match(await putStickyComment(github, sticky()), { outcome: 'updated' });
  t.same(
    server.comments.map(({ id, body }) => [id, body]),
    [[50, '<!-- ksym-matrix:ksym -->\nnew']],
  );
  // The same, where this one's request was lost: the comment that is found then is not the one that was sent.
  server.comments = [];
  server.fail('issues/create-comment', { status: 502, isDone: false });
  t.match(await putStickyComment(github, sticky()), { outcome: 'updated' });
  t.same(
    server.comments.map(({ id, body }) => [id, body]),
    [[50, '<!-- ksym-matrix:ksym -->\nnew']],
  );
  // And both at once, from the beginning.
  server.reset();
  await Promise.all([putStickyComment(github, sticky()), putStickyComment(connect().github, sticky({ body: 'two' }))]);
  t.equal(server.comments.length, 1);
});

t.test('a token of another user finds its own comments, though it does not know its name', async (t) => {
  server.reset();
  server.user = { login: 'my-app[bot]', id: 77, type: 'Bot' };
  const { github, lines } = connect();
  await putStickyComment(github, sticky());
  await putStickyComment(github, sticky({ body: 'newer' }));
  t.same(
    server.comments.map(({ body }) => body),
    [`${commentMarker('ksym')}\nnewer`],
  );
  t.match(lines.join('\n'), "the token's comments are by my-app[bot]: say --comment-author");
  await putStickyComment(github, sticky({ body: 'newest', author: 'my-app[bot]' }));
  t.equal(writes().at(-1), 'issues/update-comment');
  t.match(server.comments, [{ body: /newest/ }]);
});

t.test('a comment that was removed meanwhile is made anew', async (t) => {
  server.reset();
  server.comments = [stored(1, 'old')];
  server.before = (id) => {
    if (id === 'issues/update-comment') server.comments = [];
  };
  t.match(await putStickyComment(connect().github, sticky()), { outcome: 'created' });
  server.reset();
  server.comments = [stored(1, 'a'), stored(2, 'b')];
  server.fail('issues/delete-comment', { status: 404, message: 'Not Found' });
  t.match(
    await putStickyComment(connect().github, sticky()),
    { outcome: 'updated' },
    'a duplicate that is gone already',
  );
});

t.test('a locked conversation is no error; a missing permission is one', async (t) => {
  server.reset();
  const { github } = connect();
  server.fail('issues/create-comment', { status: 403, message: 'Unable to create comment because issue is locked.' });
  t.same(await putStickyComment(github, sticky()), { outcome: 'locked', url: null });
  server.fail('issues/create-comment', { status: 403, message: 'Resource not accessible by integration' });
  const error = await failure(putStickyComment(github, sticky()));
  t.equal(error.code, 'github-forbidden');
  t.match(error.explain?.(), /pull-requests: write.*workflow_run/s);
});

t.test('no comment is made twice, whatever happens to the request', async (t) => {
  for (const fault of [
    { status: 502, isDone: true },
    { status: 502, isDone: false },
    { line: 'reset', isDone: true },
    { line: 'reset', isDone: false },
    { line: 'silent', isDone: true },
  ] as const) {
    server.reset();
    server.fail('issues/create-comment', fault);
    const { github } = connect({ timeoutMs: 500 });
    t.match(await putStickyComment(github, sticky()), { outcome: 'created' });
    t.equal(server.comments.length, 1, JSON.stringify(fault));
  }
  server.reset();
  server.fail('issues/create-comment', ...Array.from({ length: 9 }, () => ({ status: 500 })));
  t.equal((await failure(putStickyComment(connect().github, sticky()))).code, 'github-unavailable');
  t.equal(writes().length, 3, 'not for ever');
});

t.test('a comment that is too long is not sent, and one of the greatest length is', async (t) => {
  server.reset();
  const { github } = connect();
  const body = 'x'.repeat(bodyLimit('ksym'));
  t.equal(commentText({ name: 'ksym', body }).length, COMMENT_LIMIT);
  t.match(await putStickyComment(github, sticky({ body })), { outcome: 'created' });
  t.equal((await failure(putStickyComment(github, sticky({ body: `${body}x` })))).code, 'github-comment-too-long');
  t.equal((await failure(putStickyComment(github, sticky({ name: 'a --> b' })))).code, 'github-name-bad');
});
