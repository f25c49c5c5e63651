import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { describeRepository } from '../origin.ts';

const NOTHING = { repository: null, commit: null, modified: null, url: null };

/** Without the user's own configuration, and without GitHub's variables if this runs there. */
const ENVIRONMENT = { PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };

t.test(
  'a run says which repository, commit and address it is of, as far as git and the environment know',
  async (t) => {
    const folder = t.testdir({ repository: { 'matrix.yaml': 'a', bpf: { 'matrix.yaml': 'b' } }, plain: {} });
    const repository = join(folder, 'repository');
    const git = (...words: string[]): string =>
      execFileSync('git', ['-C', repository, '-c', 'user.name=x', '-c', 'user.email=x@example.org', ...words], {
        encoding: 'utf8',
        env: ENVIRONMENT,
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    const matrix = join(repository, 'bpf', 'matrix.yaml');
    git('init', '--quiet', '--initial-branch=main');
    const empty = await describeRepository(matrix, ENVIRONMENT);
    t.same(empty, { root: repository, origin: NOTHING }, 'a repository without a commit');

    git('add', '.');
    git('commit', '--quiet', '--message=one', '--no-gpg-sign');
    const commit = git('rev-parse', 'HEAD');
    const describe = async (changes: Record<string, string> = {}): Promise<object> =>
      (await describeRepository(matrix, { ...ENVIRONMENT, ...changes })).origin;
    t.same(await describe(), { ...NOTHING, commit, modified: false });
    writeFileSync(join(repository, 'report.html'), 'untracked');
    t.match(await describe(), { modified: false }, 'what is not tracked is no change');
    writeFileSync(join(repository, 'matrix.yaml'), 'changed');
    t.match(await describe(), { commit, modified: true });
    t.match(await describe({ GIT_DIR: '/nonexistent' }), { commit }, 'also in a hook of git');

    git('remote', 'add', 'origin', 'https://github.com/example/bpf.git');
    for (const [address, name] of [
      ['https://github.com/example/bpf.git', 'example/bpf'],
      ['https://x-access-token:secret@github.com/example/bpf', 'example/bpf'],
      ['git@github.com:example/b.p-f.git', 'example/b.p-f'],
      ['ssh://git@github.com/example/bpf/', 'example/bpf'],
      ['https://example.org/example/bpf', null],
      ['https://github.com/example/bpf/../../<b>', null],
    ] as const) {
      git('remote', 'set-url', 'origin', address);
      t.match(await describe(), { repository: name }, address);
    }
    const actions = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'a/b', GITHUB_RUN_ID: '12' };
    t.match(await describe(actions), { repository: 'a/b', url: 'https://github.com/a/b/actions/runs/12' });
    for (const odd of [
      { GITHUB_SERVER_URL: 'javascript:alert(1)' },
      { GITHUB_RUN_ID: '1/../2' },
      { GITHUB_REPOSITORY: '"><b>' },
    ]) {
      t.match(await describe({ ...actions, ...odd }), { url: null }, JSON.stringify(odd));
    }

    git('worktree', 'add', '--quiet', join(folder, 'tree'), 'HEAD');
    const tree = await describeRepository(join(folder, 'tree', 'bpf', 'matrix.yaml'), ENVIRONMENT);
    t.match(
      tree,
      { root: join(folder, 'tree'), origin: { commit, modified: false } },
      'a worktree is a root of its own',
    );
    symlinkSync(repository, join(folder, 'link'));
    const linked = await describeRepository(join(folder, 'link', 'bpf', 'matrix.yaml'), ENVIRONMENT);
    t.match(linked, { root: join(folder, 'link'), origin: { commit } }, 'the root is named as the matrix is');
  },
);

t.test('a run needs neither git nor a repository', async (t) => {
  const folder = t.testdir({ plain: { 'matrix.yaml': '' } });
  // The folder may lie in a repository, such as this one.
  const ceiling = { ...ENVIRONMENT, GIT_CEILING_DIRECTORIES: folder };
  const plain = join(folder, 'plain');
  t.same(await describeRepository(join(plain, 'matrix.yaml'), ceiling), { root: plain, origin: NOTHING });
  mkdirSync(join(folder, 'bin'));
  t.same(
    await describeRepository(join(plain, 'matrix.yaml'), { PATH: join(folder, 'bin') }),
    { root: plain, origin: NOTHING },
    'git is not there',
  );
  rmSync(plain, { recursive: true });
  t.same(await describeRepository(join(plain, 'matrix.yaml'), ceiling), { root: plain, origin: NOTHING });
});
