import t from 'tap';
import { openGithub } from '../client.ts';
import { GithubError } from '../errors.ts';
import { redact, takeToken } from '../token.ts';
import type { Fault } from './github-server.ts';
import { connect, failure, PLACE, server, TOKEN } from './stage.ts';

const LIST = 'issues/list-comments';

const SECONDARY = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';

/** Reads comments while that fails as said. */
async function read(faults: readonly Fault[], more: Parameters<typeof connect>[0] = {}) {
  server.reset();
  server.fail(LIST, ...faults);
  const { github, lines } = connect(more);
  const started = performance.now();
  const error = await github.rest.issues.listComments({ ...PLACE, issue_number: 7 }).then(
    () => null,
    (reason: unknown) => reason,
  );
  const tries = server.requests.length;
  if (error !== null) await failure(Promise.reject(error));
  return { error: error instanceof GithubError ? error : null, lines, tries, ms: performance.now() - started };
}

t.test('rate limits are waited for as long as GitHub says, and it is said', async (t) => {
  const reset = String(Math.ceil(Date.now() / 1000) + 46);
  for (const [name, fault, seconds] of [
    ['primary, 403', { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset } }, 4],
    ['primary, 429', { status: 429, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset } }, 4],
    ['secondary', { status: 403, headers: { 'retry-after': '30' }, message: SECONDARY }, 3],
    ['secondary, without a time', { status: 429, message: SECONDARY }, 6],
  ] as const) {
    const { error, lines, tries, ms } = await read([fault]);
    t.equal(error, null, name);
    t.equal(tries, 2, name);
    t.match(lines.join('\n'), new RegExp(`^GitHub asks for a pause \\(rate limit\\): GET again in ${seconds}\\d s$`));
    t.ok(ms >= seconds * 10 - 5, `${name}: ${ms} ms are as long as was said`);
  }
});

t.test('a rate limit that lasts too long is not waited for, nor one that comes back', async (t) => {
  const long = await read([{ status: 403, headers: { 'retry-after': '3000' }, message: SECONDARY }]);
  t.equal(long.error?.code, 'github-rate-limited');
  t.match(long.error?.message, '3000 s');
  t.equal(long.tries, 1);
  const again = await read(
    Array.from({ length: 9 }, () => ({ status: 429, headers: { 'retry-after': '5' }, message: SECONDARY })),
  );
  t.equal(again.error?.code, 'github-rate-limited');
  t.equal(again.tries, 4, 'three waits for one request');
  const together = await read(
    [1, 2, 3].map(() => ({ status: 403, headers: { 'retry-after': '30' }, message: SECONDARY })),
    { patienceSeconds: 60 },
  );
  t.match(together.error?.fix, '60 s were waited');
  t.equal(together.tries, 3, 'all waits together have a limit');
});

t.test('reading is tried again after server errors, breaks and time-outs, and each wait is told', async (t) => {
  const twice = await read([{ status: 502 }, { status: 500 }]);
  t.equal(twice.error, null);
  t.same(twice.lines, ['GET failed (502): again in 1 s', 'GET failed (500): again in 4 s']);
  t.equal((await read([{ line: 'reset' }])).error, null, 'a connection that breaks');
  const late = await read([{ line: 'silent' }], { timeoutMs: 500 });
  t.equal(late.error, null, 'an answer that does not come');
  t.match(late.lines, [/no answer within 0.5 s/]);
  const ever = await read(Array.from({ length: 9 }, () => ({ status: 503 })));
  t.equal(ever.tries, 4);
  t.equal(ever.error?.code, 'github-unavailable');
  const silent = await read(
    Array.from({ length: 9 }, () => ({ line: 'silent' }) as const),
    { timeoutMs: 20 },
  );
  t.equal(silent.error?.code, 'github-unreachable');
  t.equal(silent.error?.status, null);
});

t.test('what is wrong with a request is not tried again, and says what to do', async (t) => {
  for (const [status, message, code, fix] of [
    [401, 'Bad credentials', 'github-unauthorized', 'expired'],
    [403, 'Resource not accessible by integration', 'github-forbidden', 'pull-requests: read'],
    [404, 'Not Found', 'github-not-found', 'pull-requests: read'],
    [422, 'Validation Failed', 'github-refused', undefined],
  ] as const) {
    const { error, tries } = await read([{ status, message }]);
    t.equal(error?.code, code);
    t.equal(tries, 1, code);
    t.equal(error?.where, 'GET /repos/o/r/issues/7/comments');
    t.match(error?.why, message);
    if (fix !== undefined) t.match(error?.fix, fix);
  }
});

t.test('what a server says is fit to be shown', async (t) => {
  const { error } = await read([
    { status: 422, message: `no\x1b[31m\u202e ${TOKEN} Authorization: Bearer abcdefghijklmnop0` },
  ]);
  t.match(error?.explain(), /no\ufffd\[31m\ufffd \[hidden\] \[hidden\]/);
});

t.test('the token goes to no other server, over no open line, and to no child process', async (t) => {
  server.reset();
  server.comments = Array.from({ length: 31 }, (_, id) => ({ id, body: 'x', user: server.user }));
  const { github } = connect();
  const error = await failure(
    github.rest.issues.listComments({ ...PLACE, issue_number: 7, baseUrl: 'http://127.0.0.2:9' }),
  );
  t.match(error.explain?.(), /http:\/\/127\.0\.0\.2:9 is not http:\/\/127\.0\.0\.1:\d+/);
  for (const apiUrl of ['http://api.github.com', 'ftp://x', 'https://u:p@x', 'no']) {
    t.throws(() => openGithub({ token: TOKEN, say: () => undefined, apiUrl }), { code: 'bad-address' }, apiUrl);
  }
  const own = { token: TOKEN, say: () => undefined, apiUrl: 'https://me:secret@example.org' };
  t.throws(() => openGithub(own), { message: /"https:\/\/example\.org"$/ }, 'a password in an address is not told');
  const env: Record<string, string | undefined> = { GITHUB_TOKEN: ` ${TOKEN}\n`, GH_TOKEN: 'other', PATH: '/bin' };
  t.equal(takeToken(env), TOKEN);
  t.same(env, { PATH: '/bin' });
  t.throws(() => takeToken({}), { code: 'github-no-token' });
  t.throws(() => takeToken({ GITHUB_TOKEN: 'a\r\nX-Evil: b' }), { code: 'github-token-bad' });
  t.throws(() => takeToken({}, 999), { code: 'github-no-token' });
  t.equal(redact('a token: none, gho_abc', TOKEN), 'a token: none, [hidden]');
});

t.test('asking is ended by the signal, in the middle of a wait too', async (t) => {
  server.reset();
  server.fail(LIST, { line: 'silent' });
  const controller = new AbortController();
  const { github } = connect({ signal: controller.signal });
  const asked = failure(github.rest.issues.listComments({ ...PLACE, issue_number: 7 }));
  setTimeout(() => controller.abort(), 20);
  t.equal((await asked).code, 'interrupted');

  const waiting = new AbortController();
  const waited = failure(connect({ signal: waiting.signal, secondMs: 1000 }).github.pause(600, 'a wait'));
  waiting.abort();
  t.equal((await waited).code, 'interrupted');
});
