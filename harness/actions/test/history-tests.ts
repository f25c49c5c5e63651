import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
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
  const run = (id: string) =>
    place.run(
      {
        github: {
          event_name: 'workflow_run',
          event: { workflow_run: { id: 5 }, repository: { default_branch: 'main' } },
        },
        environment: { GITHUB_SERVER_URL: `file://${place.temporary}` },
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
  t.match(first.used.at(-1), { action: 'actions/upload-pages-artifact', inputs: { path: first.outputs.site } });
  t.same(readdirSync(first.outputs.site ?? ''), ['index.html'], 'the history is not in the site');
  t.match(readFileSync(join(first.outputs.site ?? '', 'index.html'), 'utf8'), /--history \S+\/history\/runs/);

  t.equal(run('run-2').failed, false);
  t.equal(git('ls-tree', '-r', '--name-only', branch), 'runs/run-1.json\nruns/run-2.json');
  t.equal(git('rev-list', '--count', branch), '1', 'the repository grows by what is kept, and no more');
  const before = git('rev-parse', branch);
  t.equal(run('run-2').failed, false, 'a run that is published again');
  t.equal(git('rev-parse', branch), before, 'changes nothing');

  const nothing = run('');
  t.equal(nothing.failed, false);
  t.match(nothing.outputs, { written: 'false', site: '' });
  t.equal(git('rev-parse', branch), before);
});
