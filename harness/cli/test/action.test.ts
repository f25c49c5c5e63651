import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createActionPlace, PUSH, pullRequest } from '../../actions/test/action-place.ts';
import { TOKEN } from '../../actions/test/composite-runner.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { RunResults } from '../../results/results.ts';
import { createPlace } from './command.ts';

/**
 * The action as a project uses it that has followed docs/github.md and then got a program wrong: with the real command line, on a real kernel. How the
 * steps decide is tested apart, in harness/actions/test/.
 */
const LAUNCH = `
const { main } = await import(${JSON.stringify(new URL('../main.js', import.meta.url).href)});
process.exitCode = await main(process.argv.slice(2));
`;
const WRONG = readFileSync(join(PACKAGE_ROOT, 'examples/github/programs/first.bpf.c'), 'utf8').replaceAll(
  'bpf_prog_active',
  'ksym_matrix_nowhere',
);
const EXPECTATION = 'run: [{program: first, returns: 0}]\nexpect: [{outcome: works, reason: written by mistake}]\n';

t.test('a pull request with a mistake in it', async (t) => {
  const shared = createPlace();
  const place = createActionPlace(LAUNCH);
  t.teardown(() => {
    shared.end();
    place.end();
  });
  const environment = { KSYM_MATRIX_CACHE: shared.cache };
  const project = join(place.workspace, 'bpf');
  cpSync(join(PACKAGE_ROOT, 'examples', 'github'), project, { recursive: true });
  writeFileSync(join(project, 'matrix.yaml'), 'kernels: [{debian: "6.12"}]\nprograms: [first, wrong]\n');
  writeFileSync(join(project, 'programs', 'wrong.bpf.c'), WRONG);
  writeFileSync(join(project, 'programs', 'wrong.yaml'), `title: A mistake\n${EXPECTATION}`);
  commit(place.workspace);

  const job = place.run({
    github: pullRequest('stranger/project'),
    inputs: { 'working-directory': 'bpf', kernels: '6.*', comment: 'changes' },
    environment,
  });
  const step = (name: string) => job.steps.find((one) => one.name === name);
  t.equal(job.failed, true, { logs: job.steps.map(({ name, log }) => [name, log]) });
  const bad = job.steps.filter(({ outcome }) => outcome === 'failure').map(({ name }) => name);
  t.same(bad, ['Gate'], 'nothing but the last step');
  t.match(job.outputs, { red: '1', changed: '', totals: /"pass":1,.*"fail":1/ });

  const annotations = step('Report')?.commands.filter(({ command }) => command === 'error') ?? [];
  t.equal(annotations.length, 1);
  const line = WRONG.split('\n').findIndex((text) => text.startsWith('extern')) + 1;
  t.match(annotations[0]?.properties, { file: 'bpf/programs/wrong.bpf.c', line: String(line) }, 'the line of C');
  t.match(annotations[0]?.message, /6\.12/);
  t.match(step('Report')?.summary, /wrong/);
  t.match(readFileSync(join(job.outputs.site ?? '', 'index.html'), 'utf8'), /<title>/);
  const uploads = job.used.filter(({ action }) => action === 'actions/upload-artifact').map(({ inputs }) => inputs);
  t.same(
    uploads.map(({ name }) => name),
    ['ksym-matrix-results', 'ksym-matrix-evidence', 'ksym-matrix-site'],
  );
  t.same(readdirSync(uploads[0]?.path ?? ''), ['results.json']);
  t.ok(readdirSync(uploads[1]?.path ?? '').includes('results.json'));
  t.notOk(job.used.some(({ action }) => action === 'actions/cache/save'));

  // Two shards, one of them with the mistake on a kernel more, are held against that run: of them only what is new is told.
  const found = JSON.parse(readFileSync(job.outputs.results ?? '', 'utf8')) as RunResults;
  const shards = join(place.workspace, 'shards');
  for (const [name, results] of [['one', found] as const, ['two', onKernel(found, '6.13')] as const]) {
    mkdirSync(join(shards, name), { recursive: true });
    writeFileSync(join(shards, name, 'results.json'), JSON.stringify(results));
  }
  const base = join(place.temporary, 'base.json');
  cpSync(job.outputs.results ?? '', base);
  const merged = place.run({ inputs: { shards: 'shards', base, 'fail-on': 'regressed' }, github: PUSH, environment });
  const gate = merged.steps.at(-1);
  t.equal(merged.failed, true, { logs: merged.steps.map(({ name, log }) => [name, log]) });
  t.match(merged.outputs, { red: '2', changed: '2' });
  t.match(gate?.log, /6\.13/);
  t.match(gate?.commands, [{ command: 'error', message: /^worse than the base run/ }]);
  const again = { shards: 'shards/one', base, 'fail-on': 'regressed', report: 'false' };
  const same = place.run({ inputs: again, github: PUSH, environment });
  t.match(same, { failed: false, outputs: { red: '1' } }, 'what was red before fails nobody');

  // The same results on the default branch: the site, and its history on a branch.
  execFileSync('git', ['init', '--quiet', '--bare', join(place.temporary, 'owner', 'project')]);
  const download = (action: string, { path = '' }: Readonly<Record<string, string>>) => {
    if (action === 'actions/download-artifact')
      cpSync(join(job.outputs.results ?? '', '..'), path, { recursive: true });
    return {};
  };
  const event = { workflow_run: { id: 5 }, repository: { default_branch: 'main' } };
  const address = { GITHUB_SERVER_URL: `file://${place.temporary}` };
  const site = place.run(
    { github: { event_name: 'workflow_run', event }, environment: address, uses: download },
    'actions/site',
  );
  t.match(
    site,
    { failed: false, outputs: { written: 'true' } },
    { logs: site.steps.map(({ name, log }) => [name, log]) },
  );
  t.match(readFileSync(join(site.outputs.site ?? '', 'history.html'), 'utf8'), found.id, 'the run is in the history');

  const said = [job, merged, same, site].flatMap(({ steps }) => steps.flatMap(({ log, summary }) => [log, summary]));
  t.notOk(said.join('\n').includes(TOKEN));
  const files = ['--exclude-dir=action', place.temporary, shared.folder];
  const { status, stdout } = spawnSync('grep', ['-rlF', TOKEN, ...files], { encoding: 'utf8' });
  t.same([status, stdout], [1, ''], 'the token is in no file');
});

/** The results of a shard that ran another kernel, with the same outcomes. */
function onKernel(results: RunResults, name: string): RunResults {
  return {
    ...results,
    id: `${results.id}-${name}`,
    kernels: results.kernels.map((kernel) => ({ ...kernel, name })),
    cells: results.cells.map((cell) => ({ ...cell, kernel: name })),
  };
}

function commit(folder: string): void {
  const git = (...args: readonly string[]): void => {
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'init.defaultBranch=main'];
    execFileSync('git', ['-C', folder, ...who, ...args], { stdio: 'ignore' });
  };
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'A mistake');
}
