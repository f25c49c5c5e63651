import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { endUse, usedKernels } from '../../../kernels/in-use.ts';
import { belongingsOf, takeInventory } from '../../../kernels/inventory.ts';
import { readLockFile } from '../../../kernels/lock-file.ts';
import type { KernelStore } from '../../../kernels/store.ts';
import { paintFor } from '../../report/paint.ts';
import { imageOfMachine } from '../../vm/cached-machines.ts';
import { findCached } from '../cached-names.ts';
import { findKernels } from '../kernel-names.ts';
import { collectInfo } from '../kernels-info.ts';
import { listAll, renderList } from '../kernels-list.ts';
import { removeAll } from '../kernels-rm.ts';
import { renderUpdate, update } from '../kernels-update.ts';
import { addMachines, kernel, setUp } from './kernel-cache.ts';
import './comparison-tests.ts';
import './gc-tests.ts';
import './loader-tests.ts';
import './progress-tests.ts';

const PLAIN = paintFor(process.stderr);

t.afterEach(() => endUse());

t.test('update finds new versions, new lines and lines that are gone; the lock has them to the byte', async (t) => {
  const root = t.testdir({});
  const { archive, cache, serve, open, matrix: all, lockPath } = setUp(root);
  const mine = { request: { debian: '6.16.12-1' }, name: 'mine' };
  const matrix = { ...all, kernels: [...all.kernels, mine, { request: { host: true } as const, name: undefined }] };
  const kinds = (report: Awaited<ReturnType<typeof update>>) =>
    report.kernels.map(({ name, kind, before, now }) => [name, kind, before, now]);
  serve(kernel('6.1.192-2'), kernel('6.16.12-1'));
  t.match(await update(open(), matrix, { lock: true }), { changed: true, lock: { state: 'written', path: lockPath } });
  t.equal(lockPath, join(root, 'kernels/kernels.lock.yaml'));
  const locked = readFileSync(lockPath, 'utf8');
  t.notMatch(locked, archive, 'a mirror has no place in it');
  t.match(locked, /path: pool\/linux-image-6\.1\.192\S+_6\.1\.192-2_amd64\.deb\n +size: \d+\n +sha256: [0-9a-f]{64}\n/);
  const again = await update(open(), matrix, { check: true });
  t.same(kinds(again), [
    ['6.1', 'unchanged', '6.1.192-2', '6.1.192-2'],
    ['6.16', 'unchanged', '6.16.12-1', '6.16.12-1'],
    ['mine', 'unchanged', '6.16.12-1', '6.16.12-1'],
    ['host', 'local', null, null],
  ]);
  t.match(again, { changed: false, lock: { state: 'unchanged' } });

  serve(kernel('6.1.200-1'), kernel('7.3.4-1'));
  const index = readFileSync(join(cache, 'kernels/index.json'), 'utf8');
  const seen = await update(open(), matrix, { check: true });
  t.same(kinds(seen), [
    ['6.16', 'vanished', '6.16.12-1', null],
    ['6.1', 'changed', '6.1.192-2', '6.1.200-1'],
    ['7.3', 'added', null, '7.3.4-1'],
    ['mine', 'vanished', '6.16.12-1', null],
    ['host', 'local', null, null],
  ]);
  t.match(seen, { changed: true, lock: { state: 'outdated' } });
  t.match(
    seen.kernels.map(({ advice }) => advice),
    [/^It is left out from now on/, null, null, /^It runs as long as/, null],
  );
  const text = renderUpdate(seen, true, PLAIN);
  t.match(text, /6\.16 +6\.16\.12-1 +vanished from Debian stable\n +→ .*debian-snapshot: "6\.16\.12-1"/);
  t.match(text, /6\.1 +6\.1\.192-2 → 6\.1\.200-1 +changed\n/);
  t.match(text, /kernels\.lock\.yaml is out of date\./);
  t.equal(readFileSync(lockPath, 'utf8'), locked);
  t.equal(readFileSync(join(cache, 'kernels/index.json'), 'utf8'), index);

  t.match(await update(open(), matrix, {}), { lock: { state: 'written' } }, 'a lock that is there is kept up to date');
  t.same(await open().expand({ debian: 'all' }), [{ debian: '6.1' }, { debian: '7.3' }]);
  const lock = await readLockFile(lockPath);
  t.same(
    Object.keys(lock.kernels),
    ['debian 6.1 cloud', 'debian 6.16.12-1 cloud', 'debian 7.3 cloud'],
    'what the matrix names itself stays',
  );
  serve(kernel('6.1.192-2'), kernel('6.16.12-1'));
  await update(open(), matrix, {});
  t.equal(readFileSync(lockPath, 'utf8'), locked, 'the same kernels, the same bytes');

  rmSync(archive, { recursive: true });
  await t.rejects(update(open(), matrix, {}), { code: 'apt-update-failed' });
  t.equal(readFileSync(lockPath, 'utf8'), locked, 'a mirror that is away changes nothing');
});

t.test('with a lock exactly its kernels are taken, as long as anybody has them', async (t) => {
  const { cache, serve, open, matrix, lockPath } = setUp(t.testdir({}));
  await t.rejects(readLockFile(lockPath), { code: 'lock-file-missing', fix: /kernels update --lock/ });
  serve(kernel('6.1.192-2'));
  await update(open(), matrix, { lock: true });
  await open().get({ debian: '6.1' });
  serve(kernel('6.1.200-1'), kernel('7.3.4-1'));
  await update(open(), { ...matrix, path: join(cache, 'matrix.yaml') }, {});
  const locked = (): Promise<KernelStore> => readLockFile(lockPath).then(open);

  t.match(await open().get({ debian: '6.1' }), { version: '6.1.200-1' }, 'without it the newest');
  const kept = await (await locked()).get({ debian: '6.1' });
  t.match(kept, { version: '6.1.192-2' }, 'with it the one that was locked');
  t.same(await (await locked()).expand({ debian: 'all' }), [{ debian: '6.1' }]);
  await t.rejects((await locked()).get({ debian: '7.3' }), { code: 'not-locked', fix: /kernels update/ });

  rmSync(kept.directory, { recursive: true });
  t.match(await (await locked()).get({ debian: '6.1' }), { sha256: kept.sha256 }, 'from the package, if it is kept');
  rmSync(kept.directory, { recursive: true });
  rmSync(join(cache, 'debian/pool'), { recursive: true });
  await t.rejects((await locked()).get({ debian: '6.1' }), {
    code: 'locked-kernel-gone',
    where: lockPath,
    fix: /kernels update.*debian-snapshot: "6\.1\.192-2"/,
  });

  serve(kernel('6.1.192-2', 'somebody else built this'));
  await update(open(), { ...matrix, path: join(cache, 'matrix.yaml') }, {});
  await t.rejects((await locked()).get({ debian: '6.1' }), { code: 'digest-mismatch', where: lockPath });
  t.match(await open().get({ debian: '6.1' }), { version: '6.1.192-2' });
  await t.rejects(
    (await locked()).get({ debian: '6.1' }),
    { code: 'digest-mismatch' },
    'nor is the unpacked one taken',
  );

  writeFileSync(lockPath, readFileSync(lockPath, 'utf8').replace(/sha256: .*/, 'sha256: 5'));
  await t.rejects(readLockFile(lockPath), { code: 'lock-file-invalid', why: /kernels\.debian 6\.1 cloud\.files/ });
});

t.test('list has what is served and cached; rm takes what belongs to a kernel, unless it is in use', async (t) => {
  const { cache, serve, open, matrix } = setUp(t.testdir({}));
  serve(kernel('6.1.192-2'), kernel('6.16.12-1'));
  const { image, directory } = await open().get({ debian: '6.1' });
  await open().get({ debian: '6.16' });
  addMachines(cache, image);
  serve(kernel('6.1.200-1'), kernel('7.3.4-1'));
  const served = new Map([['cloud', await open().list('cloud', { refresh: true })]] as const);
  const inventory = await takeInventory(cache, imageOfMachine);
  const kernels = listAll({
    inventory,
    served,
    flavour: 'cloud',
    named: new Set(['debian 7.3 cloud']),
    folders: new Map(),
  });
  t.match(kernels, [
    { name: '7.3', cached: false, state: 'served', inMatrix: true },
    { name: '6.1', cached: false, state: 'served', inMatrix: false, bytes: Number },
    { name: '6.1', version: '6.1.192-2', cached: true, state: 'superseded', inMatrix: false, savedMachines: 1 },
    { name: '6.16', folder: 'debian-6.16-cloud-6.16.12-1', cached: true, state: 'vanished' },
  ]);
  for (const width of [80, 120]) {
    const lines = renderList(kernels, PLAIN, width).split('\n');
    t.ok(
      lines.every((line) => line.length <= width),
      `${width} columns`,
    );
    t.match(lines.join('\n'), /6\.16 +6\.16\.12-1 .*gone from Debian, not in the matrix/);
  }
  const info = await collectInfo('6.1.192-2', 'cloud', { store: open(), cache, matrix: undefined });
  t.match(info, {
    version: '6.1.192-2',
    packages: [{ sha256: /^[0-9a-f]{64}$/ }],
    cached: {
      config: { 'config.BPF_SYSCALL': 'y', 'config.KALLSYMS_ALL': 'n' },
      modules: { known: 0, kept: 0 },
      savedMachines: 1,
    },
    lastBoot: null,
  });
  t.match(await collectInfo('7.3', 'cloud', { store: open(), cache, matrix: { ...matrix } as never }), {
    cached: null,
  });

  const [old] = findCached('6.1', inventory.kernels, []);
  t.equal(old?.directory, directory);
  t.same(findCached('6.*', inventory.kernels, []).length, 2);
  const folder = old?.folder ?? '';
  const items = belongingsOf(inventory, folder);
  t.same(items.map(({ part }) => part).sort(), ['downloads', 'kernels', 'machines', 'templates']);
  const refusal = await removeAll(cache, [{ folder, items }]);
  t.match(refusal, {
    removed: [],
    refused: [{ kernel: folder, why: `process ${process.pid} is using it: try again when that has ended` }],
    freed: 0,
  });
  t.ok(existsSync(image), 'nothing of it is gone');
  await endUse();
  t.same((await usedKernels(cache)).size, 0);
  const report = await removeAll(cache, [{ folder, items }]);
  t.match(report, { removed: [{ kernel: folder, savedMachines: 1, preparedMachines: 1, packages: 1 }], refused: [] });
  const names = (part: string): string[] => readdirSync(join(cache, part)).filter((name) => !name.startsWith('.'));
  t.same([names('templates'), names('machines')], [[], []]);
  t.same(
    names('kernels').filter((name) => name.startsWith('debian')),
    ['debian-6.16-cloud-6.16.12-1'],
  );
  t.same(names('debian/pool').length, 1, 'the package of the other one stays');
  t.match(
    report.freed,
    items.reduce((sum, item) => sum + item.bytes, 0),
  );
});

t.test('names stand for kernels of the matrix first, then for lines and exact versions', async (t) => {
  const known = [
    { name: 'mine', request: { debian: '6.12' } },
    { name: '6.1', request: { debian: '6.1' } },
  ];
  const found = (name: string, flavour: 'cloud' | 'generic' = 'cloud') =>
    findKernels([name], known, flavour).map(({ request }) => request);
  t.same(found('m*'), [{ debian: '6.12' }]);
  t.same(found('6.1'), [{ debian: '6.1' }]);
  t.same(found('6.1', 'generic'), [{ debian: '6.1', flavour: 'generic' }]);
  t.same(found('7.0-rt'), [{ debian: '7.0', flavour: 'rt' }]);
  t.same(found('6.12.117-1'), [{ debian: '6.12.117-1', flavour: 'cloud' }]);
  for (const wrong of ['6.x', 'mien', '6.1.0-56-cloud-amd64']) t.throws(() => found(wrong), { code: 'no-such-kernel' });
});
