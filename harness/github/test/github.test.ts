import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import './client-tests.ts';
import './comment-tests.ts';
import './check-tests.ts';
import './artifact-tests.ts';
import './publish-tests.ts';
import { description, server, spoken, TOKEN } from './stage.ts';

t.test("every request in all of these tests follows GitHub's own description, and so do the answers", (t) => {
  t.same(server.complaints.splice(0), []);
  t.end();
});

t.test('the stand-in finds what does not follow the description', async (t) => {
  const headers = {
    authorization: `token ${TOKEN}`,
    accept: 'application/vnd.github+json',
    'user-agent': 'ksym-matrix',
    'x-github-api-version': '2022-11-28',
  };
  const ask = async (path: string, init: RequestInit = {}): Promise<string> => {
    const response = await fetch(`${server.url}${path}`, { ...init, headers: { ...headers, ...init.headers } });
    await response.text();
    return server.complaints.splice(0).join('\n');
  };
  server.reset();
  const post = (body: object): RequestInit => ({
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  const check = { name: 'a', head_sha: 'b', status: 'in_progress' };
  const output = { title: 'a', summary: 'b', annotations: [] };
  t.equal(await ask('/repos/o/r/pulls?state=open'), '');
  t.equal(await ask('/repos/o/r/check-runs', post({ ...check, output })), '');
  t.match(await ask('/repos/o/r/no-such-thing'), 'has no GET');
  t.match(await ask('/repos/o/r/pulls?state=opened'), 'pulls/list state');
  t.match(await ask('/repos/o/r/pulls?stat=open'), 'no parameter stat');
  t.match(await ask('/repos/o/r/pulls', { headers: { authorization: 'Bearer x' } }), 'header authorization');
  t.match(await ask('/repos/o/r/pulls', { headers: { accept: '*/*' } }), 'header accept');
  t.match(await ask('/repos/o/r/check-runs', post({ ...check, status: 'done', output })), '/status');
  t.match(await ask('/repos/o/r/check-runs', post({ ...check, ouput: {}, output })), 'ouput');
  t.match(await ask('/repos/o/r/check-runs', post({ ...check, output: { ...output, summary: undefined } })), 'summary');
  const many = Array.from({ length: 51 }, () => ({
    path: 'a',
    start_line: 1,
    end_line: 1,
    annotation_level: 'notice',
    message: 'x',
  }));
  t.match(await ask('/repos/o/r/check-runs', post({ ...check, output: { ...output, annotations: many } })), '50 items');
  t.match(await ask('/repos/o/r/issues/7/comments', post({})), "required property 'body'");
  t.match(await ask('/repos/o/r/issues/x/comments'), 'issue_number');
  t.match(await ask('/repos/o/r/issues/7/comments', post({ body: 'x'.repeat(65_537) })), 'too long');
  t.not(description.checkEvent('push', {}).length, 0);
});

t.test('no text that anybody was shown holds the token, nor does any command line', async (t) => {
  t.ok(spoken.length > 40, 'there was something to look at');
  t.notOk(spoken.some((text) => text.includes(TOKEN) || text.includes('CANARY')));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let text = '';
    try {
      text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      // It ended meanwhile.
    }
    if (text.includes(TOKEN)) t.fail(`process ${pid} has it: ${text.slice(0, 50)}`);
  }
});
