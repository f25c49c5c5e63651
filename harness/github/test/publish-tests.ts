import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { githubPublish } from '../../cli/github-publish.ts';
import { cell, results } from '../../report/test/samples.ts';
import { compareResults } from '../../results/compare.ts';
import { parseEvent } from '../event.ts';
import { concludeCheck, preparePublication, publish } from '../publish.ts';
import { findPull } from '../pull-request.ts';
import { COMMENT_LIMIT, WORKFLOW_BOT } from '../sticky-comment.ts';
import { connect, description, failure, pull, SHA, server, spoken, TOKEN, target } from './stage.ts';

const OWN = { id: 1, name: 'r', full_name: 'o/r' };
const FORK = { id: 2, name: 'r-fork', full_name: 'stranger/r-fork' };
const GREEN = results([cell('5.10', 'a', 'pass'), cell('6.12-generic', 'a', 'pass')]);
const RED = results([cell('5.10', 'a', 'pass'), cell('6.12-generic', 'a', 'fail')]);
const OPTIONS = { name: 'ksym-matrix', comment: 'changes', check: true, author: WORKFLOW_BOT } as const;

/** The payload of a run for a pull request from a fork, as GitHub describes it. */
function runEvent(changes: object = {}): Record<string, unknown> {
  return description.event('workflow-run-completed', {
    repository: OWN,
    workflow_run: {
      id: 42,
      event: 'pull_request',
      head_sha: SHA,
      head_branch: 'fix/a&b#c',
      html_url: 'https://github.com/o/r/actions/runs/42',
      head_repository: FORK,
      pull_requests: [],
      ...changes,
    },
  });
}

t.test('events as GitHub describes them say what results are for', (t) => {
  const known = { number: 7, head: { sha: SHA, ref: 'x', repo: { id: 1, url: 'https://x/', name: 'r' } } };
  const inHere = {
    ...known,
    id: 1,
    url: 'https://x/',
    base: { sha: SHA, ref: 'main', repo: { id: 1, url: 'https://x/', name: 'r' } },
  };
  const elsewhere = { ...inHere, number: 8, base: { ...inHere.base, repo: { ...inHere.base.repo, id: 9 } } };
  const older = { ...inHere, number: 9, head: { ...known.head, sha: '0'.repeat(40) } };
  const head = { sha: SHA, ref: 'fix', repo: FORK };
  const cases = [
    ['workflow-run-completed', runEvent(), target()],
    ['workflow-run-completed', runEvent({ event: 'push' }), target({ pull: null })],
    [
      'workflow-run-completed',
      runEvent({ head_repository: OWN, head_branch: 'x', pull_requests: [elsewhere, inHere, older] }),
      target({ pull: { numbers: [7], head: { repositoryId: 1, owner: 'o', branch: 'x' } } }),
    ],
    [
      'pull-request-synchronize',
      description.event('pull-request-synchronize', { repository: OWN, number: 7, pull_request: { number: 7, head } }),
      target({ run: null, pull: { numbers: [7], head: { repositoryId: 2, owner: 'stranger', branch: 'fix' } } }),
    ],
    ['push', description.event('push', { repository: OWN, after: SHA }), target({ run: null, pull: null })],
  ] as const;
  for (const [name, payload, expected] of cases) {
    t.same(description.checkEvent(name, payload).slice(0, 3), [], `${name} is as GitHub describes it`);
    t.same(parseEvent(JSON.stringify(payload), 'event.json'), expected);
  }
  for (const payload of [
    '{',
    '{}',
    '[]',
    'null',
    JSON.stringify(runEvent({ head_sha: 'main' })),
    JSON.stringify({ ...runEvent(), repository: { ...OWN, full_name: '../user' } }),
    JSON.stringify({ ...runEvent(), repository: { ...OWN, full_name: 'o/..' } }),
    JSON.stringify(description.event('push', { repository: OWN, after: '0'.repeat(40) })),
  ]) {
    t.throws(() => parseEvent(payload, 'event.json'), { code: 'github-event-bad' }, payload.slice(0, 80));
  }
  t.end();
});

t.test('a pull request is spoken to only if it is the one that was tested', async (t) => {
  const find = async (pulls: object[], of = target()) => {
    server.reset();
    server.pulls.push(...pulls);
    return findPull(connect().github, of);
  };
  const byNumber = target({ pull: { numbers: [7], head: { repositoryId: 2, owner: 'stranger', branch: 'x' } } });
  t.same(await find([pull(7)]), { number: 7 }, 'a fork, by owner and branch');
  t.same(await find([pull(6, { state: 'closed' }), pull(7)]), { number: 7 });
  t.same(await find([pull(7)], byNumber), { number: 7 }, 'the same repository, by number');
  for (const of of [target(), byNumber]) {
    t.match(await find([], of), { none: /no open pull request has c0ffee0123c0/ });
    for (const other of [{ state: 'closed' }, { sha: 'f'.repeat(40) }, { from: 3 }, { into: 9 }]) {
      t.match(await find([pull(7, other)], of), { none: /closed, or has newer commits/ }, JSON.stringify(other));
    }
  }
  t.match(await find([pull(7), pull(8)]), { none: /several.*#7, #8/ });
  t.match(await find([pull(7)], target({ pull: null })), { none: /no pull request/ });
  t.match(await find([pull(7)], target({ pull: { numbers: [], head: null } })), { none: /gone/ });
});

t.test('a gate closes for red cells, or for what it was told to watch', (t) => {
  const worse = compareResults(GREEN, RED);
  const same = compareResults(RED, RED);
  t.equal(concludeCheck(GREEN, undefined, []), 'success');
  t.equal(concludeCheck(RED, undefined, []), 'failure');
  t.equal(concludeCheck(RED, same, []), 'failure');
  t.equal(concludeCheck(RED, worse, ['regressed']), 'failure');
  t.equal(concludeCheck(RED, same, ['regressed']), 'neutral', 'red as before');
  t.equal(concludeCheck(GREEN, compareResults(RED, GREEN), ['regressed']), 'success');
  t.equal(concludeCheck(RED, undefined, ['regressed']), 'failure', 'without a base every red cell counts');
  const broken = results([cell('5.10', 'a', 'pass'), cell('6.12-generic', 'a', 'infra')]);
  t.equal(concludeCheck(broken, compareResults(broken, broken), ['regressed']), 'failure', 'nothing is known of it');
  t.equal(concludeCheck({ ...GREEN, complete: false }, undefined, []), 'failure');
  t.equal(concludeCheck({ ...GREEN, cells: [] }, undefined, []), 'failure');
  t.end();
});

t.test("a stranger's results end up in one comment and a check run of the commit that the event names", async (t) => {
  server.reset();
  server.pulls.push(pull(7));
  const lying = { ...RED, origin: { ...RED.origin, commit: 'e'.repeat(40), url: 'https://evil.example/' } };
  const publication = preparePublication({ results: lying, base: GREEN }, target(), OPTIONS);
  const { github } = connect();
  t.match(await publish(github, target(), publication), { check: /runs/, comment: { outcome: 'created' } });
  t.match(await publish(github, target(), publication), { comment: { outcome: 'unchanged' } });
  t.equal(server.comments.length, 1);
  t.match(server.comments[0]?.body, /^<!-- ksym-matrix:ksym-matrix -->\n.*regressed/s);
  t.match(server.checks[0]?.fields, { head_sha: SHA, conclusion: 'failure', external_id: '42' });
  t.notMatch(JSON.stringify([server.comments, server.checks]), /evil|eeeeeeee/);
  // Green now: what is there is brought up to date, and where nothing is there nothing is said.
  const green = preparePublication({ results: GREEN, base: GREEN }, target(), OPTIONS);
  t.match(await publish(github, target(), green), { comment: { outcome: 'updated' } });
  server.comments = [];
  t.match(await publish(github, target(), green), { comment: { outcome: 'not-wanted' } });
  for (const unfinished of [{ complete: false }, { cells: [] }]) {
    const { comment } = preparePublication({ results: { ...GREEN, ...unfinished }, base: null }, target(), OPTIONS);
    t.equal(comment?.mayCreate, true, 'a run that was broken off is not green');
  }
  t.equal(preparePublication({ results: RED, base: null }, target(), { ...OPTIONS, comment: 'off' }).comment, null);
});

t.test('however much is red, everything that is sent fits', async (t) => {
  server.reset();
  server.pulls.push(pull(7));
  const cells = Array.from({ length: 800 }, (_, index) =>
    cell(index % 2 === 0 ? '5.10' : '6.12-generic', `program-${index}-${'ä😀'.repeat(20)}`, 'fail', {
      why: '😀'.repeat(500),
    }),
  );
  const publication = preparePublication({ results: results(cells), base: null }, target(), OPTIONS);
  await publish(connect().github, target(), publication);
  t.ok((server.comments[0]?.body.length ?? COMMENT_LIMIT + 1) <= COMMENT_LIMIT);
  t.equal(server.checks[0]?.fields.status, 'completed');
  t.equal(server.checks[0]?.annotations.length, publication.check?.output.annotations.length);
});

/** Runs the command line in a process of its own, as a workflow would, with the token in its environment. */
async function command(t: Test, args: readonly string[], env: Record<string, string> = {}) {
  const main = new URL('../../cli/main.js', import.meta.url).href;
  const script = `const { main } = await import(${JSON.stringify(main)}); process.exitCode = await main(process.argv.slice(1));`;
  const words = ['--input-type=module', '--eval', script, 'github', 'publish', ...args];
  // NODE_OPTIONS is tap's, and slows each start (harness/cli/test/command.ts).
  const child = spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, ...words], {
    env: { PATH: process.env.PATH, HOME: t.testdirName, GITHUB_TOKEN: TOKEN, GITHUB_API_URL: server.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  spoken.push(out, err);
  return { code, out, err };
}

/** A file of a process that may have ended. */
function ofProcess(pid: string, name: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Processes that another one started, by the parent that they name. */
function childrenOf(parent: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(parent)
      );
    } catch {
      return false;
    }
  });
}

t.test('the command publishes, says where, and hands the token to nobody', async (t) => {
  const loud = results([cell('5.10', 'a', 'fail', { verifierLog: '::error::x\n  ::warning::y\n##[add-mask]z' })]);
  const folder = t.testdir({
    artifact: { 'results.json': JSON.stringify(loud) },
    evil: { 'results.json': '{}', 'run.sh': 'rm -rf /' },
    'event.json': JSON.stringify(runEvent()),
  });
  const artifact = ['--results', join(folder, 'artifact')];
  const env = { GITHUB_EVENT_PATH: join(folder, 'event.json'), GITHUB_REPOSITORY: 'O/R' };
  server.reset();
  server.pulls.push(pull(7));
  const seen: string[] = [];
  server.before = () => {
    for (const parent of childrenOf(process.pid)) {
      seen.push(ofProcess(parent, 'cmdline'));
      for (const child of childrenOf(Number(parent)))
        seen.push(ofProcess(child, 'environ'), ofProcess(child, 'cmdline'));
    }
  };
  const done = await command(t, [...artifact, '--check', '--site-url', 'https://example.org/site'], env);
  t.same({ code: done.code, err: done.err }, { code: 0, err: '' });
  t.match(done.out, /^check run: https:\/\/github.com\/o\/r\/runs\/\d+\ncomment created: https:\S+\n$/);
  t.ok(
    seen.some((text) => text.includes('publish')),
    'its command line was looked at',
  );
  t.notOk(seen.some((text) => text.includes(TOKEN)));

  server.reset();
  const [dry, gone] = await Promise.all([
    command(t, [...artifact, '--check', '--dry-run'], { ...env, GITHUB_TOKEN: '' }),
    command(t, artifact, env),
  ]);
  t.match(dry, {
    code: 0,
    out: /POST \/repos\/o\/r\/check-runs\n\| \{.*POST \/repos\/o\/r\/issues\/\{.*<!-- ksym-matrix/s,
  });
  t.match(
    gone,
    { code: 0, out: /^no comment: no open pull request has c0ffee/ },
    'a pull request that was closed is no error',
  );
  t.same([...new Set(server.requests.map(({ id }) => id))], ['pulls/list'], 'nothing else was asked for');
});

t.test('what the command was told is made sure of before anybody is asked', async (t) => {
  const folder = t.testdir({
    evil: { 'results.json': '{}', 'run.sh': 'rm -rf /' },
    good: { 'results.json': JSON.stringify(RED) },
    'event.json': JSON.stringify(runEvent()),
  });
  const options = {
    results: join(folder, 'good'),
    comment: 'changes',
    name: 'x',
    event: join(folder, 'event.json'),
  } as const;
  const before = { ...process.env };
  const code = async (changes: object, env: Record<string, string> = {}): Promise<string | undefined> => {
    server.reset();
    process.env = { GITHUB_TOKEN: TOKEN, GITHUB_API_URL: server.url, ...env };
    return (await failure(githubPublish({ ...options, ...changes }))).code;
  };
  t.teardown(() => {
    process.env = before;
  });
  t.equal(await code({}, { GITHUB_TOKEN: '' }), 'github-no-token');
  t.equal(await code({ results: join(folder, 'evil') }), 'artifact-bad');
  t.equal(await code({ base: join(folder, 'evil', 'results.json') }), 'artifact-bad');
  t.equal(await code({}, { GITHUB_REPOSITORY: 'o/other' }), 'github-event-bad');
  t.equal(await code({ event: join(folder, 'none.json') }), 'github-event-bad');
  t.equal(await code({ failOn: ['regressed', 'worse'] }), 'github-gate-unknown');
  for (const siteUrl of ['javascript:alert(1)', 'https://example.org/?a=1', 'https://example.org/#a'])
    t.equal(await code({ siteUrl }), 'bad-address', siteUrl);
  t.equal(await code({}, { GITHUB_API_URL: 'http://example.org' }), 'bad-address');
  t.equal(process.env.GITHUB_TOKEN, undefined, 'the token is gone from the environment');
  t.equal(server.requests.length, 0);
});
