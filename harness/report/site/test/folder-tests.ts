import { mkdir, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { cellLink, kernelPage, slug } from '../../cell-link.ts';
import { replaceFolder, siteFolder } from '../site-folder.ts';
import { writeSite } from '../write-site.ts';
// Modules that need no browser do not wait for it: were these tests over before it runs, tap would take them for all there are.
import './shared.ts';
import { smallResults } from './sites.ts';

const empty = {
  ...smallResults(3),
  cells: [],
  programs: [],
  kernels: [],
  ranges: { axes: [], apart: [], programs: [] },
};

t.test('a site replaces a site, also behind a link, and nothing else', async (t) => {
  const place = t.testdir({ notes: { 'todo.txt': 'keep me' }, link: t.fixture('symlink', 'site') });
  const site = join(place, 'site');
  await mkdir(site);
  await writeSite(empty, site);
  const names = await readdir(site);
  await writeSite(empty, join(place, 'link'));
  t.equal(await readlink(join(place, 'link')), 'site', 'the link is one still');
  t.same(await readdir(site), names);

  const refused = async (folder: string, why: RegExp): Promise<void> => {
    await t.rejects(writeSite(empty, folder), { code: 'not-a-site', why }, folder);
  };
  await refused(join(place, 'notes'), /no \.ksym-matrix-site/);
  await refused(join(place, 'notes/todo.txt'), /not a folder/);
  await symlink('nowhere', join(place, 'dangling'));
  await refused(join(place, 'dangling'), /leads nowhere/);
  await refused('.', /started in/);
  await refused('..', /started in/);
  await mkdir(join(site, '.git'));
  await refused(site, /\.git/);
  t.same((await readdir(place)).sort(), ['dangling', 'link', 'notes', 'site'], 'nothing is left beside them');
});

t.test('below /proc, where no folder can be made, it ends', async (t) => {
  await t.rejects(writeSite(empty, '/proc/ksym-matrix/site'), { code: 'site-not-written' });
});

t.test('a place that cannot even be looked at is told like one that cannot be written', async (t) => {
  const { cwd } = process;
  t.teardown(() => Object.assign(process, { cwd }));
  const site = join(t.testdir({ site: {} }), 'site');
  // As it is where the folder that this was started in is gone.
  const gone = (): never => {
    throw Object.assign(new Error('ENOENT: uv_cwd'), { code: 'ENOENT' });
  };
  const error: unknown = await (async () => {
    Object.assign(process, { cwd: gone });
    await writeSite(empty, site);
  })().catch((reason: unknown) => reason);
  Object.assign(process, { cwd });
  t.match(error, { code: 'site-not-written', where: site, why: /uv_cwd/ });
});

t.test('what fails half-way leaves the old folder, and nothing beside it', async (t) => {
  const place = t.testdir();
  const site = join(place, 'deep/site');
  await writeSite(empty, site);
  const before = await readdir(site);
  const failing = replaceFolder(await siteFolder(site), async (folder) => {
    await mkdir(folder);
    await writeFile(join(folder, 'index.html'), 'half');
    throw new Error('disk full');
  });
  await t.rejects(failing, { message: 'disk full' });
  t.same(await readdir(site), before);
  t.same(await readdir(join(place, 'deep')), ['site']);
});

t.test('several reports into one folder at once: one of them is there, whole', async (t) => {
  const place = t.testdir();
  const site = join(place, 'site');
  const fill = async (folder: string): Promise<void> => {
    await mkdir(folder);
    await writeFile(join(folder, '.ksym-matrix-site'), '');
    await writeFile(join(folder, 'index.html'), 'whole');
  };
  const folder = await siteFolder(site);
  await Promise.all(Array.from({ length: 12 }, () => replaceFolder(folder, fill)));
  t.same((await readdir(site)).sort(), ['.ksym-matrix-site', 'index.html']);
  t.same(await readdir(place), ['site']);
  // What came to lie there meanwhile is no site.
  await rm(join(site, '.ksym-matrix-site'));
  await t.rejects(replaceFolder(folder, fill), { code: 'not-a-site' });
  t.same(await readdir(site), ['index.html']);
});

t.test('names become file names that every disk takes, and no two the same one', async (t) => {
  t.equal(slug('typed-int.5-10'), 'typed-int.5-10');
  t.equal(slug('a b/_'), 'a_20b_2f_5f');
  t.equal(slug('..'), '_2e_2e');
  t.not(slug('6.12-RT').toLowerCase(), slug('6.12-rt').toLowerCase(), 'capitals differ on every disk');
  const long = ['é'.repeat(300), `${'é'.repeat(299)}e`, '\u202e'.repeat(10_000), 'x'.repeat(120), 'x'.repeat(121)];
  const slugs = long.map(slug);
  t.equal(new Set(slugs).size, long.length);
  for (const one of slugs) t.match(one, /^[a-z0-9._-]{1,120}$/);
  t.equal(slugs[3], 'x'.repeat(120));
  t.equal(slug(long[0] ?? ''), slugs[0]);
  t.ok(kernelPage(long[0] ?? '').length < 255);
  const cell = { kernel: '6.1', loader: 'L', program: 'p', variant: 'default' };
  t.equal(cellLink(cell), 'programs/p.html#6.1~default~_4c');
});
