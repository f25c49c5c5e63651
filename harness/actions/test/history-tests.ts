import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { createActionPlace } from './action-place.ts';

/** A command line that adds a run to the history as `history add` does, and writes a site of one page. */
const LAUNCH = `
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const args = process.argv.slice(2);
const after = (option) => args[args.indexOf(option) + 1];
if (args[0] === 'history') writeFileSync(after('--to') + '/' + readFileSync(args[2], 'utf8') + '.json', '{}');
if (args[0] === 'report') { mkdirSync(after('--output')); writeFileSync(after('--output') + '/index.html', args.join(' ')); }
`;

t.test('the history lies on a branch of its own, in one commit however many runs there were', async (t) => {
  const place = createActionPlace(LAUNCH);
  t.teardown(() => place.end());
  const remote = join(place.temporary, 'owner', 'project');
  mkdirSync(remote, { recursive: true });
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', remote, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  git('init', '--quiet', '--bare');
  const run = (id: string, attempt = '1') =>
    place.run(
      {
        github: {
          event_name: 'workflow_run',
          event: { workflow_run: { id: 5 }, repository: { default_branch: 'main' } },
        },
        environment: { GITHUB_SERVER_URL: `file://${place.temporary}`, GITHUB_RUN_ATTEMPT: attempt },
        uses: (action, { path = '' }) => {
          if (action === 'actions/download-artifact' && id !== '') {
            mkdirSync(path, { recursive: true });
            writeFileSync(join(path, 'results.json'), id);
          }
          return id === '' ? { fails: true } : {};
        },
      },
      'actions/site',
    );
  const branch = 'refs/heads/ksym-matrix-history';
  const first = run('run-1');
  t.equal(first.failed, false, { logs: first.steps.map(({ log }) => log) });
  t.match(first.outputs, { written: 'true' });
  t.match(first.used.at(-1), {
    action: 'actions/upload-pages-artifact',
    inputs: { name: 'github-pages', path: first.outputs.site },
  });
  t.same(readdirSync(first.outputs.site ?? ''), ['index.html'], 'the history is not in the site');
  t.match(readFileSync(join(first.outputs.site ?? '', 'index.html'), 'utf8'), /--history \S+\/history\/runs/);

  t.equal(run('run-2').failed, false);
  t.equal(git('ls-tree', '-r', '--name-only', branch), 'runs/run-1.json\nruns/run-2.json');
  t.equal(git('rev-list', '--count', branch), '1', 'the repository grows by what is kept, and no more');
  const before = git('rev-parse', branch);
  const again = run('run-2', '2');
  t.equal(again.failed, false, 'a run that is published again');
  t.equal(again.used.at(-1)?.inputs.name, 'github-pages-2', 'beside the artifact of the first attempt');
  t.equal(again.outputs['pages-artifact'], 'github-pages-2');
  t.equal(git('rev-parse', branch), before, 'changes nothing');

  const nothing = run('');
  t.equal(nothing.failed, false);
  t.match(nothing.outputs, { written: 'false', site: '' });
  t.equal(git('rev-parse', branch), before);
});

t.test('git has the token for the server alone: no argument and no file has it', async (t) => {
  const token = 'a-token-that-nobody-may-see';
  const folder = t.testdir();
  const asked: { readonly authorization: string | undefined; readonly shownBy: readonly string[] }[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    asked.push({ authorization, shownBy: commandLines().filter((line) => line.includes(token)) });
    if (authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    // A repository without commits (gitprotocol-http, "Smart Server Response").
    const nothing = `${'0'.repeat(40)} capabilities^{}\0agent=test\n`;
    const lines = ['# service=git-upload-pack\n', null, nothing, null].map((line) =>
      line === null ? '0000' : `${(line.length + 4).toString(16).padStart(4, '0')}${line}`,
    );
    response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' }).end(lines.join(''));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const child = spawn('bash', [join(PACKAGE_ROOT, 'harness', 'actions', 'history.sh'), 'fetch'], {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      FOLDER: folder,
      HISTORY_BRANCH: 'history',
      GITHUB_SERVER_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      GITHUB_REPOSITORY: 'owner/project',
      GITHUB_TOKEN: token,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  const [code] = (await once(child, 'close')) as [number];
  t.equal(code, 0, { said });
  t.match(said, /there is no branch history yet/);
  t.equal(asked.at(-1)?.authorization, `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`);
  t.same([...new Set(asked.flatMap(({ shownBy }) => shownBy))], []);
  t.notMatch(said, token);
  t.equal(spawnSync('grep', ['-rF', token, folder]).status, 1, 'it is in no file');
});

/** The command lines of all processes, as anybody on the machine can read them. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, 'utf8');
      } catch {
        // It has ended.
        return '';
      }
    });
}
