import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { createActionPlace, type Job, NOTING_LAUNCH, pullRequest, readCalls } from './action-place.ts';
import { type StandIn, TOKEN } from './composite-runner.ts';
import { readWorkflowCommands } from './workflow-commands.ts';
import './history-tests.ts';
import './workflow-tests.ts';

/**
 * The steps of the actions in bash, as a runner goes through them, with a stand-in for the command line; harness/cli/test/action.test.ts has the real
 * one.
 */
const GREEN = results({ pass: 3 });
const RED = results({ pass: 1, fail: 2 });
/** The command that looks whether a base can be read. */
const UNREADABLE = 'report badge';

t.test('a pull request from a fork: everything is shown, nothing is kept, and the job fails last', async (t) => {
  const job = runJob(t, { github: pullRequest('stranger/project'), inputs: { comment: 'always' } });
  t.equal(job.failed, true);
  t.equal(job.steps.at(-1)?.name, 'Gate');
  t.same(job.steps.at(-1)?.commands, [error('red cells: 2; they are in the summary')]);
  t.match(job.step('Report'), { outcome: 'success', summary: 'output of report github-summary\n' });
  t.match(job.step('Report').log, 'output of report github-annotations');
  const uploads = job.used.filter(({ action }) => action === 'actions/upload-artifact');
  t.same(
    uploads.map(({ inputs }) => inputs.name),
    ['ksym-matrix-results', 'ksym-matrix-site'],
  );
  t.notOk(job.actions.includes('actions/cache/save'), 'a pull request fills no cache');
  t.match(job.step('Comment').commands, [{ command: 'notice', message: /workflow that runs after this one/ }]);
  t.match(job.outputs, { red: '2', results: /ksym-matrix\/results\/results\.json$/, changed: '' });
  t.same(job.step('Run').commands, [], 'what a log says is no command to the runner');
  t.match(job.step('Run').log, '::error file=planted', 'and is in the log all the same');
  t.same(new Set(job.calls.map(({ token }) => token)), new Set([null]), 'no command had the token');
});

t.test('a pull request of the repository is commented on, and that command alone has the token', async (t) => {
  const job = runJob(t, { github: pullRequest(), inputs: { comment: 'changes', 'fail-on': 'never' } });
  t.equal(job.failed, false, 'fail-on: never');
  const [comment, ...others] = job.calls.filter(({ token }) => token !== null);
  t.equal(comment?.token, TOKEN);
  t.same(others, []);
  t.same(comment?.args.slice(0, 2), ['github', 'publish']);
  t.match(comment?.args.join(' '), /--results \S+\/results --event \S+ --comment changes --name ksym-matrix$/);
  const said = JSON.stringify([job.calls.map(({ args }) => args), job.steps.map(({ log, summary }) => [log, summary])]);
  t.notOk(said.includes(TOKEN), 'it is in no argument, log or summary');
  const bot = pullRequest();
  const ofBot = {
    ...bot,
    event: { ...bot.event, pull_request: { ...bot.event.pull_request, user: { login: 'dependabot[bot]' } } },
  };
  const updated = runJob(t, { github: ofBot, inputs: { comment: 'always', report: 'false' } });
  t.ok(
    updated.calls.some(({ args }) => args[0] === 'github'),
    "Dependabot's token has the rights that the job asks for",
  );
  const published = runJob(t, { found: GREEN, inputs: { publish: 'true' } });
  const [pages] = published.used.filter(({ action }) => action === 'actions/upload-pages-artifact');
  t.match(pages?.inputs, { name: 'github-pages', path: published.outputs.site });
  t.equal(published.outputs['pages-artifact'], 'github-pages');
  const refused = runJob(t, {
    github: pullRequest(),
    inputs: { comment: 'always' },
    exits: { github: 3 },
    found: GREEN,
  });
  t.equal(refused.failed, false, 'a comment that cannot be written decides nothing');
  t.match(refused.step('Comment').commands, [{ command: 'warning', message: /pull-requests: write/ }]);
});

t.test('on the default branch kernels and results are kept, only where they were not there before', async (t) => {
  const job = runJob(t, { found: GREEN });
  t.equal(job.failed, false);
  const saved = keysOf(job.used, 'actions/cache/save');
  const sought = keysOf(job.used, 'actions/cache/restore');
  t.equal(saved.length, 3);
  t.same(new Set(saved), new Set(sought), 'what is kept is what is looked for');
  t.match(
    saved.join('\n'),
    /^ksym-matrix-base-4711-1\nksym-matrix-kernels-Linux-X64-[0-9a-f-]+-\d{4}-\d\d\nksym-matrix-npm-/,
  );
  t.notOk(
    job.calls.some(({ args }) => /^(kernels|history|github)/.test(args.join(' '))),
    "nothing is removed from a cache, which may be somebody's own",
  );
  const hit = runJob(t, { found: RED, uses: () => ({ outputs: { 'cache-hit': 'true' } }) });
  t.same(
    keysOf(hit.used, 'actions/cache/save'),
    ['ksym-matrix-base-4711-1'],
    'red results are what the branch is like',
  );
  t.equal(hit.failed, true);

  const target = { ...pullRequest('stranger/project'), event_name: 'pull_request_target', ref: 'refs/heads/main' };
  t.notOk(runJob(t, { github: target }).actions.includes('actions/cache/save'), 'the name of the branch is not enough');
});

t.test('a run that could not find out fails the job, whatever it is to fail on, and is no base', async (t) => {
  const infra = results({ pass: 2, infra: 1 });
  const job = runJob(t, { found: infra, exits: { run: 3 }, inputs: { 'fail-on': 'regressed' }, uses: withBase });
  t.equal(job.failed, true);
  t.match(job.step('Gate').commands, [error(/exit code 3; cells that could not be tried: 1\)/)]);
  t.notOk(job.actions.includes('actions/cache/save'));
  t.match(job.step('Report'), { outcome: 'success' }, 'what is known is shown');

  const nothing = runJob(t, { found: '', exits: { run: 2 }, inputs: { 'fail-on': 'never' } });
  t.equal(nothing.failed, true);
  t.match(nothing.step('Run').commands, [error(/^there are no results: ksym-matrix ended with exit code 2/)]);
  t.notOk(nothing.actions.includes('actions/upload-artifact'));
  t.match(nothing.step('Report'), { outcome: 'skipped' });
  t.equal(job.outputs.red, '1', 'what could not be tried is red here as everywhere');
  const empty = runJob(t, { found: results({}) });
  t.match(empty.step('Gate').commands, [error(/exit code 3/)], 'nothing at all is not green');
  const broken = runJob(t, { found: 'no JSON' });
  t.same([broken.failed, broken.step('Gate').outcome], [true, 'failure'], 'nobody knows how it ended');
  t.notOk(broken.actions.includes('actions/cache/save'), 'nor is that a base');
  const interrupted = runJob(t, { found: results({ pass: 1 }, false) });
  t.match(interrupted.step('Gate').commands, [error(/exit code 3; cells that could not be tried: 0\)/)]);
});

t.test('held against a base, only what is worse fails the job', async (t) => {
  const inputs = { 'fail-on': 'regressed' };
  const same = runJob(t, { inputs, uses: withBase });
  t.equal(same.failed, false, 'two cells are red, as before');
  t.equal(same.outputs.changed, '2');
  const base = same.calls.find(({ args }) => args.includes('github-summary'))?.args.join(' ');
  t.match(base, /--base \S+\/results\/base\.json/);
  const worse = runJob(t, { inputs, uses: withBase, exits: { diff: 1 }, found: RED });
  t.match(worse.step('Gate').commands, [error(/^worse than the base run/)]);
  const broken = runJob(t, { inputs, uses: withBase, exits: { diff: 2 } });
  t.match(broken.step('Gate').commands, [error(/^the base run could not be compared with \(exit code 2/)]);
  const alone = runJob(t, { inputs });
  t.equal(alone.failed, true, 'without a base every red cell counts');
  t.match(alone.step('Gate').commands[0], { command: 'notice', message: /no base run/ });
});

t.test('a base that another version of this program wrote is none', async (t) => {
  const job = runJob(t, { uses: withBase, found: GREEN, exits: { [UNREADABLE]: 2 } });
  t.equal(job.failed, false);
  t.match(job.step('Run').commands, [{ command: 'notice', message: /default branch cannot be read/ }]);
  t.notOk(
    job.calls.some(({ args }) => args.includes('--base') || args[0] === 'diff'),
    'nothing is compared with it',
  );
  t.ok(keysOf(job.used, 'actions/cache/save').includes('ksym-matrix-base-4711-1'), 'the next one finds another');
  const own = { inputs: { base: 'main.json' }, files: { 'main.json': '{"schemaVersion": 1}' }, found: GREEN };
  const named = runJob(t, { ...own, exits: { [UNREADABLE]: 2 } });
  t.equal(named.failed, true);
  t.match(named.step('Run').commands, [error(/^input base: main\.json cannot be read/)]);
  t.match(named.step('Report').outcome, 'success', 'what was found is shown');
});

t.test('shards are merged in place of a run, whatever order their folders come in', async (t) => {
  const job = runJob(t, {
    inputs: { shards: 'shards' },
    found: GREEN,
    files: { 'shards/shard-2-results/results.json': RED, 'shards/shard-1-results/results.json': RED },
  });
  t.equal(job.failed, false);
  const [merge] = job.calls.filter(({ args }) => args[0] === 'merge');
  t.match(merge?.args.slice(1, 3), [/shard-1-results\/results\.json$/, /shard-2-results\/results\.json$/]);
  t.notOk(keysOf(job.used, 'actions/cache/restore').some((key) => key.includes('kernels')));
  t.match(job.step('Allow KVM'), { outcome: 'skipped' });
  t.match([job.step('Install').outcome, job.step('Install what merging needs').outcome], ['skipped', 'success']);
  const none = runJob(t, { inputs: { shards: 'empty' }, files: { 'empty/other.txt': '' } });
  t.match(none.step('Run').commands, [error(/no results\.json below empty/)]);
});

t.test('inputs are words, never commands', async (t) => {
  const evil = '$(touch pwned) `touch pwned` "; touch pwned; \' 6.*';
  const job = runJob(t, {
    inputs: {
      kernels: evil,
      programs: '["a b", "c=--json"]',
      loaders: 'libbpf-1.5 cilium/*',
      matrix: "it's $(touch pwned).yaml",
      jobs: '2',
    },
    files: { "it's $(touch pwned).yaml": 'kernels: []\n' },
  });
  const run = job.calls.find(({ args }) => args[0] === 'run')?.args ?? [];
  t.same(run.slice(run.indexOf('--kernel') + 1, run.indexOf('--program')), evil.split(' '));
  t.same(run.slice(run.indexOf('--program') + 1, run.indexOf('--loader')), ['a b', 'c=--json']);
  t.same(
    run.slice(run.indexOf('--loader') + 1),
    ['libbpf-1.5', 'cilium/*'],
    'a wildcard is for the matrix, not for files',
  );
  t.notOk(existsSync(join(job.place.workspace, 'pwned')), 'no shell has run them');

  const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ name: '../x' }, /^input name: "\.\.\/x" is no name for artifacts/],
    [{ 'fail-on': 'redd' }, /^input fail-on: "redd" is none of: red regressed never$/],
    [{ jobs: '2; rm' }, /^input jobs: "2; rm" is no number$/],
    [{ matrix: 'none.yaml' }, /^input matrix: there is no file none\.yaml/],
    [{ base: 'main' }, /^input base: there is no file main/],
  ];
  for (const [inputs, message] of wrong) {
    const { steps, calls, failed } = runJob(t, { inputs });
    t.match(steps[0]?.commands, [error(message)], message.source);
    t.same([failed, calls], [true, []], 'nothing else happens');
  }
  const list = runJob(t, { inputs: { kernels: '["6.1", 5]' } });
  t.match(list.step('Run').commands, [error(/^input kernels: it begins like a JSON array/)]);
  const option = runJob(t, { inputs: { programs: 'first --json=x' } });
  t.match(option.step('Run').commands, [error(/^input programs: no name begins with a dash: --json=x$/)]);
  t.notOk(option.calls.some(({ args }) => args[0] === 'run'));
});

t.test('a runner without KVM goes on, and says what that means', async (t) => {
  const script = join(PACKAGE_ROOT, 'harness', 'actions', 'allow-kvm.sh');
  const allow = (device: string) =>
    spawnSync('bash', [script, device], { encoding: 'utf8', env: { PATH: process.env.PATH } });
  const absent = allow('/nowhere/kvm');
  t.equal(absent.status, 0);
  t.match(readWorkflowCommands(absent.stdout), [{ command: 'notice', message: /no \/nowhere\/kvm .* emulated/ }]);
  const usable = allow('/dev/null');
  t.same([usable.status, usable.stdout], [0, '/dev/null can be used as it is\n']);
});

t.test('the job after the run publishes what it left, from the event, and says so if it left nothing', async (t) => {
  const event = { workflow_run: { id: 99 }, repository: { default_branch: 'main' } };
  const github = { event_name: 'workflow_run', event };
  const download: StandIn = (_action, inputs) => {
    mkdirSync(inputs.path ?? '', { recursive: true });
    writeFileSync(join(inputs.path ?? '', 'results.json'), RED);
    return {};
  };
  const job = runJob(t, { github, uses: download, folder: 'actions/publish' });
  t.equal(job.failed, false);
  t.match(job.used, [{ action: 'actions/download-artifact', inputs: { name: 'ksym-matrix-results', 'run-id': '99' } }]);
  t.same(
    job.calls.at(-1)?.args.filter((word) => word.startsWith('--')),
    ['--results', '--event', '--comment', '--name', '--check'],
  );
  t.equal(job.calls.at(-1)?.token, TOKEN);
  const gated = runJob(t, { github, uses: download, folder: 'actions/publish', inputs: { 'fail-on': 'regressed' } });
  t.match(gated.calls.at(-1)?.args.join(' '), / --check --fail-on regressed,new-red,flaky$/);
  const second = runJob(t, { github, uses: download, folder: 'actions/publish', inputs: { name: 'second' } });
  t.match(second.used[0]?.inputs.path, /\/second$/, 'two uses in one job do not share a folder');
  t.equal(second.calls.at(-1)?.args.at(3), second.used[0]?.inputs.path);
  const nothing = runJob(t, { github, uses: () => ({ fails: true }), folder: 'actions/publish' });
  t.equal(nothing.failed, false);
  t.match(nothing.step('Publish').commands, [{ command: 'warning', message: /left no results/ }]);
  t.notOk(nothing.calls.some(({ args }) => args[0] === 'github'));
});

interface Scene extends Job {
  /** What the run finds. */
  readonly found?: string;
  /** How commands end, by their name. */
  readonly exits?: Readonly<Record<string, number>>;
  /** Files of the workspace. */
  readonly files?: Readonly<Record<string, string>>;
  /** Of the action. */
  readonly folder?: string;
}

/** One job in a place of its own, and how the command line was called. */
function runJob(t: Test, { exits = {}, found = RED, files = {}, folder, ...job }: Scene) {
  const place = createActionPlace(NOTING_LAUNCH);
  t.teardown(() => place.end());
  for (const [path, text] of Object.entries({ 'matrix.yaml': 'kernels: []\n', ...files })) {
    mkdirSync(join(place.workspace, path, '..'), { recursive: true });
    writeFileSync(join(place.workspace, path), text);
  }
  const calls = join(place.temporary, 'calls');
  const environment = { CALLS: calls, RESULTS: found, EXITS: JSON.stringify(exits) };
  const end = place.run({ ...job, environment }, folder);
  const step = (name: string) => {
    const found = end.steps.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no step ${name}`);
    return found;
  };
  return { ...end, step, place, calls: readCalls(calls), actions: end.used.map(({ action }) => action) };
}

function results(totals: Readonly<Record<string, number>>, complete = true): string {
  const none = { pass: 0, xfail: 0, fail: 0, xpass: 0, panic: 0, timeout: 0, infra: 0, flaky: 0 };
  return JSON.stringify({ totals: { ...none, ...totals }, complete });
}

/** A cache that has the results of a base run. */
function withBase(action: string, { path = '' }: Readonly<Record<string, string>>): ReturnType<StandIn> {
  if (action === 'actions/cache/restore' && path.endsWith('/base')) writeFileSync(join(path, 'results.json'), GREEN);
  return {};
}

function keysOf(used: readonly { action: string; inputs: Readonly<Record<string, string>> }[], action: string) {
  return used
    .filter((one) => one.action === action)
    .map(({ inputs }) => inputs.key ?? '')
    .sort();
}

function error(message: string | RegExp) {
  return { command: 'error', properties: { title: 'ksym-matrix' }, message };
}
