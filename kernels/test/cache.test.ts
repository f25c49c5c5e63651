import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { lstat, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { unpackDeb } from '../debian/unpack.ts';
import { readIndex, rememberKernel } from '../kernel-index.ts';
import type { ResolvedKernel } from '../kernel-source.ts';
import { acquireLock, withLock } from '../lock.ts';
import { populateDirectory } from '../populate.ts';
import { type Member, makeDeb } from './archive.ts';

const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Runs a module's text in a process of its own and waits for its first line. */
async function inProcess(text: string): Promise<ChildProcess & { firstLine: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return Object.assign(child, { firstLine: String(line).trim() });
}

t.test('a lock keeps others out, names its holder, and goes with it', async (t) => {
  const file = join(t.testdir({}), 'a.lock');
  const child = await inProcess(
    `import { acquireLock } from ${module('../lock.js')}; await acquireLock(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1000);`,
  );
  t.equal(await acquireLock(file, { noWait: true }), null);
  let holder: number | null = null;
  const waiting = acquireLock(file, {
    onWait: (pid) => {
      holder = pid;
    },
  });
  const early = await Promise.race([waiting, sleep(200).then(() => 'waiting')]);
  t.equal(early, 'waiting');
  t.equal(holder, child.pid);
  // SIGKILL: the holder cannot tidy up.
  child.kill('SIGKILL');
  const lock = await waiting;
  t.equal(await acquireLock(file, { noWait: true }), null, 'it is held by this process now');
  await lock.release();
  await withLock(file, {}, async () => {});
  t.pass('a released lock can be taken again');
});

t.test('two processes that populate one folder at once fill it once', async (t) => {
  const root = t.testdir({});
  const path = join(root, 'tree');
  const text = `import { populateDirectory } from ${module('../populate.js')};
    import { appendFileSync, writeFileSync } from 'node:fs'; import { setTimeout as sleep } from 'node:timers/promises';
    console.log('up');
    await populateDirectory(${JSON.stringify(path)}, async (temporary) => {
      appendFileSync(${JSON.stringify(join(root, 'fills'))}, 'x'); writeFileSync(temporary + '/half', ''); await sleep(300); writeFileSync(temporary + '/whole', '');
    });`;
  const children = await Promise.all([inProcess(text), inProcess(text)]);
  const codes = await Promise.all(children.map(async (child) => child.exitCode ?? (await once(child, 'exit'))[0]));
  t.same(codes, [0, 0]);
  t.equal(readFileSync(join(root, 'fills'), 'utf8'), 'x');
  t.same(readdirSync(path).sort(), ['half', 'whole']);
});

t.test('a run that was killed leaves nothing that is taken for whole, and its leftovers are removed', async (t) => {
  const root = t.testdir({});
  const path = join(root, 'tree');
  const child = await inProcess(
    `import { populateDirectory } from ${module('../populate.js')};
    await populateDirectory(${JSON.stringify(path)}, async (temporary) => { console.log(temporary); await new Promise((end) => setTimeout(end, 60000)); });`,
  );
  t.ok(existsSync(child.firstLine));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notOk(existsSync(path));
  // The killed run's lock goes a moment after it.
  await withLock(join(root, '.locks', 'tree.lock'), {}, async () => {});
  // Another folder beside it, so that it is not the same lock that cleans.
  await populateDirectory(join(root, 'other'), async () => {});
  t.same(
    readdirSync(root).filter((name) => name !== '.locks'),
    ['other'],
  );

  await t.rejects(
    populateDirectory(path, async () => {
      throw new Error('no');
    }),
    { message: 'no' },
  );
  t.same(
    readdirSync(root).filter((name) => name !== '.locks'),
    ['other'],
    'a fill that failed leaves nothing',
  );
  let told = '';
  const mend = {
    damageOf: async () => (existsSync(join(root, 'other', 'good')) ? null : 'bad'),
    onDamage: (damage: string) => {
      told = damage;
    },
  };
  writeFileSync(join(root, 'other', 'old'), '');
  await t.rejects(
    populateDirectory(
      join(root, 'other'),
      async () => {
        throw new Error('no network');
      },
      mend,
    ),
    { message: 'no network' },
  );
  t.same(readdirSync(join(root, 'other')), ['old'], 'what cannot be made anew stays as it was');
  t.equal(
    await populateDirectory(join(root, 'other'), async (temporary) => writeFileSync(join(temporary, 'good'), ''), mend),
    true,
  );
  t.equal(told, 'bad');
  t.equal(await populateDirectory(join(root, 'other'), async () => void t.fail(), mend), false);
});

t.test('packages are unpacked without root, and links stay inside', async (t) => {
  const root = t.testdir({});
  const deb = join(root, 'good.deb');
  const long = `${'long-'.repeat(25)}name`;
  writeFileSync(
    deb,
    makeDeb('Package: x\nVersion: 1\n', [
      { path: './', flag: '5', mode: 0o755 },
      { path: './usr/bin/', flag: '5', mode: 0o777 },
      { path: './usr/bin/tool', mode: 0o755, content: 'x'.repeat(70000) },
      { path: './usr/bin/other', flag: '1', target: './usr/bin/tool' },
      { path: './etc/link', flag: '2', target: '/usr/bin/tool', mode: 0o777 },
      { path: './etc/relative', flag: '2', target: '../usr/bin/tool', mode: 0o777 },
      { path: '././@LongLink', flag: 'L', content: `./usr/${long}\0` },
      { path: 'cut off', content: 'long' },
      { path: './usr/share/doc/x', content: 'doc' },
    ]),
  );
  const target = join(root, 'out');
  await unpackDeb(deb, target, (path) => path.startsWith('usr/share/'));
  t.equal((await stat(join(target, 'usr/bin/tool'))).size, 70000);
  t.equal((await stat(join(target, 'usr/bin/tool'))).mode & 0o7777, 0o755);
  t.equal((await stat(join(target, 'usr/bin/other'))).size, 70000);
  t.equal(await readlink(join(target, 'etc/link')), '../usr/bin/tool', 'as if the target were the root');
  t.equal((await stat(join(target, 'etc/relative'))).size, 70000);
  t.equal(readFileSync(join(target, 'usr', long), 'utf8'), 'long');
  t.notOk(existsSync(join(target, 'usr/share')), 'skipped');
});

t.test('entries that leave the target, or are no plain files, are refused', async (t) => {
  const root = t.testdir({});
  mkdirSync(join(root, 'outside'));
  const cases: [string, Member[]][] = [
    ['dots', [{ path: './a/../../outside/x' }]],
    ['absolute', [{ path: join(root, 'outside/x') }]],
    ['through a link', [{ path: './d', flag: '2', target: 'e' }, { path: './d/x' }]],
    ['onto a link', [{ path: './d', flag: '2', target: 'e' }, { path: './d' }]],
    ['link out', [{ path: './d/l', flag: '2', target: '../../outside' }]],
    ['absolute link out', [{ path: './l', flag: '2', target: '/../outside' }]],
    ['hard link out', [{ path: './l', flag: '1', target: '../outside/x' }]],
    ['hard link to nothing', [{ path: './l', flag: '1', target: './x' }]],
    ['long name out', [{ path: 'l', flag: 'L', content: '../outside/x\0' }, { path: 'harmless' }]],
    ['set-user-id', [{ path: './x', mode: 0o4755 }]],
    ['set-group-id', [{ path: './x', mode: 0o2755 }]],
    ['character device', [{ path: './x', flag: '3' }]],
    ['pipe', [{ path: './x', flag: '6' }]],
    ['twice', [{ path: './x' }, { path: './x' }]],
  ];
  for (const [name, members] of cases) {
    const deb = join(root, 'bad.deb');
    writeFileSync(deb, makeDeb('Package: x\nVersion: 1\n', members));
    await t.rejects(unpackDeb(deb, join(root, 'target', name)), { code: 'deb-entry-refused', where: deb }, name);
  }
  t.same(readdirSync(join(root, 'outside')), []);
});

t.test('a truncated package is an error, not half a tree', async (t) => {
  const root = t.testdir({});
  const whole = makeDeb('Package: x\nVersion: 1\n', [{ path: './x', content: 'x'.repeat(5000) }]);
  for (const length of [0, 50, whole.length - 4000]) {
    const deb = join(root, `cut-${length}.deb`);
    writeFileSync(deb, whole.subarray(0, length));
    await t.rejects(unpackDeb(deb, join(root, `out-${length}`)), {
      code: 'deb-unreadable',
      where: deb,
      fix: /damaged/,
    });
  }
  await t.rejects(unpackDeb(join(root, 'nothing.deb'), join(root, 'out')), { code: 'deb-unreadable' });
  await t.rejects(lstat(join(root, 'out', 'x')), { code: 'ENOENT' });
});

t.test('an index that was damaged costs a look-up, not the run: what can be read of it is used', async (t) => {
  const file = join(t.testdir({}), 'kernels', 'index.json');
  const kernel: ResolvedKernel = {
    ...{ source: 'debian', line: '6.12', flavour: 'cloud', release: '6.12.1', version: '6.12.1-1', origin: 'Debian s' },
    ...{ folder: 'debian-6.12', files: [], extra: {} },
  };
  const nothing = { kernels: {}, lines: {} };
  t.same(await readIndex(file), nothing, 'it is not there yet');
  await rememberKernel(file, 'debian 6.12 cloud', { kernel, resolvedAt: 1 });
  t.same(await readIndex(file), { kernels: { 'debian 6.12 cloud': { kernel, resolvedAt: 1 } }, lines: {} });
  for (const text of [
    '',
    '{{',
    'null',
    '[]',
    '{"schemaVersion":2,"kernels":[1],"lines":{}}',
    '{"schemaVersion":1,"kernels":{}}',
  ]) {
    writeFileSync(file, text);
    t.same(await readIndex(file), nothing, text);
  }
  const kernels = { '6.1': {}, '6.12': { kernel, resolvedAt: 1 } };
  writeFileSync(file, JSON.stringify({ schemaVersion: 2, kernels, lines: { cloud: ['6.12'] } }));
  const index = await readIndex(file);
  t.same(Object.keys(index.kernels), ['6.12'], 'an entry without a kernel is left out');
  t.same(index.lines, { cloud: ['6.12'] });
});
