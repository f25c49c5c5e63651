import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { takeInventory } from '../../../kernels/inventory.ts';
import type { MatrixLoader } from '../../config/loader-entries.ts';
import { loaderKey, readLoaderIndex, rememberLoaders } from '../../loaders/loader-index.ts';
import type { PreparedLoader } from '../../loaders/prepared-loader.ts';
import { imageOfMachine } from '../../vm/cached-machines.ts';
import { collectUnused } from '../loaders-gc.ts';

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
/** Whatever the time is. */
const NOW = Date.UTC(2026, 0, 15);

t.test('what loaders were made of is remembered for 30 days after their last use', async (t) => {
  const cache = t.testdir({});
  const one = libbpf('1.5', cache, 'libbpf/key-1');
  t.same(await readLoaderIndex(cache), {}, 'nothing before the first');
  await rememberLoaders(cache, [one, OURS], NOW);
  const entry = { version: '1.5.0', about: 'packages', builds: ['libbpf/key-1'], used: NOW };
  t.same(await readLoaderIndex(cache), { 'libbpf 1.5': entry }, 'ours needs no build');

  const text = readFileSync(join(cache, 'loaders/index.json'), 'utf8');
  await rememberLoaders(cache, [one], NOW + HOUR);
  t.equal(readFileSync(join(cache, 'loaders/index.json'), 'utf8'), text, 'the next run writes nothing');

  await rememberLoaders(cache, [libbpf('1.5', cache, 'libbpf/key-2')], NOW + HOUR);
  t.same((await readLoaderIndex(cache))['libbpf 1.5']?.builds, ['libbpf/key-2'], 'a newer package takes its place');
  await rememberLoaders(cache, [libbpf('0.3', cache, 'libbpf/old')], NOW + 40 * DAY);
  t.same(Object.keys(await readLoaderIndex(cache)), ['libbpf 0.3']);

  writeFileSync(join(cache, 'loaders/index.json'), '{ "cut');
  t.same(await readLoaderIndex(cache), {}, 'a damaged index is as good as none');
});

t.test('requests are told apart by what they want', async (t) => {
  const command = (...words: [string, ...string[]]) =>
    loaderKey({ kind: 'command', command: words, directory: '/here' });
  const keys = [
    loaderKey({ kind: 'ksym-matrix' }),
    loaderKey({ kind: 'libbpf', version: '1.5' }),
    loaderKey({ kind: 'cilium/ebpf', version: '1.5' }),
    loaderKey({ kind: 'libbpf', path: '/1.5' }),
    command('a', 'b c'),
    command('a', 'b', 'c'),
  ];
  t.equal(new Set(keys).size, keys.length);
});

t.test('gc removes builds that nobody asks for any more; with --parts also what only building needs', async (t) => {
  const cache = t.testdir({});
  const loaders = join(cache, 'loaders');
  const make = (path: string, idleMs: number): void => {
    const place = join(loaders, path);
    mkdirSync(path.endsWith('.deb') ? join(place, '..') : place, { recursive: true });
    const file = path.endsWith('.deb') ? place : join(place, 'file');
    writeFileSync(file, 'x'.repeat(5000));
    const time = (Date.now() - idleMs) / 1000;
    utimesSync(file, time, time);
    utimesSync(place, time, time);
  };
  for (const path of [
    'libbpf/used',
    'libbpf/old',
    'cilium/old',
    'packages/go-1',
    'packages/sysroot-1',
    'debian/pool/a.deb',
  ]) {
    make(path, 2 * HOUR);
  }
  make('observer/built', 9 * DAY);
  make('debian/lists', 9 * DAY);
  make('libbpf/fresh', 0);
  // Noted long ago, so that only the note keeps it.
  await rememberLoaders(cache, [libbpf('1.5', cache, 'libbpf/used')], Date.now() - 3 * HOUR);
  utimesSync(join(loaders, 'libbpf/used'), new Date(Date.now() - 2 * HOUR), new Date(Date.now() - 2 * HOUR));

  const names = async (parts: boolean, dryRun: boolean): Promise<string[]> =>
    (await collectUnused(cache, parts, dryRun)).removed.map(({ path }) => path.slice(loaders.length + 1)).sort();
  t.same(await names(false, true), ['cilium/old', 'libbpf/old']);
  t.ok(existsSync(join(loaders, 'libbpf/old')), 'a dry run removes nothing');
  const before = await takeInventory(cache, imageOfMachine);
  const report = await collectUnused(cache, true, false);
  t.same(report.removed.map(({ path }) => path.slice(loaders.length + 1)).sort(), [
    ...['cilium/old', 'debian/pool/a.deb', 'libbpf/old', 'packages/go-1'],
  ]);
  for (const path of ['libbpf/used', 'libbpf/fresh', 'observer/built', 'packages/sysroot-1', 'debian/lists']) {
    t.ok(existsSync(join(loaders, path, 'file')), `${path} stays`);
  }
  const freed = report.removed.reduce((sum, { bytes }) => sum + bytes, 0);
  t.ok(freed >= 4 * 5000);
  const left = before.items.filter(({ part }) => part === 'loaders').reduce((sum, { bytes }) => sum + bytes, 0) - freed;
  t.equal(report.left, left, 'as kernels gc counts it');
  t.same(await names(true, false), []);
});

const OURS: { loader: MatrixLoader; prepared: PreparedLoader } = {
  loader: { name: 'ksym-matrix', request: { kind: 'ksym-matrix' } },
  prepared: {
    ...{ name: 'ksym-matrix', version: '0.1.0', family: 'ksym-matrix', about: '' },
    program: null,
    unavailable: null,
  },
};

/** libbpf of a version, with a build in the cache. */
function libbpf(version: string, cache: string, build: string): { loader: MatrixLoader; prepared: PreparedLoader } {
  const source = join(cache, 'loaders', build, 'adapter');
  return {
    loader: { name: `libbpf-${version}`, request: { kind: 'libbpf', version } },
    prepared: {
      ...{ name: `libbpf-${version}`, version: `${version}.0`, family: 'libbpf', about: 'packages', unavailable: null },
      program: {
        files: [{ kind: 'file', path: '/run/adapter', source }],
        argv: () => ['/run/adapter'],
        speaks: 'protocol',
        classify: () => null,
      },
    },
  };
}
