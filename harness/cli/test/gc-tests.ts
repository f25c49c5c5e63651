import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chooseGarbage } from '../../../kernels/garbage.ts';
import { endUse, noteUser } from '../../../kernels/in-use.ts';
import { takeInventory } from '../../../kernels/inventory.ts';
import { formatBytes, parseBytes } from '../../report/bytes.ts';
import { renderTable } from '../../report/table.ts';
import { imageOfMachine } from '../../vm/cached-machines.ts';
import { collect } from '../kernels-gc.ts';
import { addMachines, kernel, setUp } from './kernel-cache.ts';

const HOUR = 3600 * 1000;

t.test('gc removes packages of unpacked kernels, then what was used least recently, and nothing in use', async (t) => {
  const { cache, serve, open } = setUp(t.testdir({}));
  serve(kernel('6.1.192-2'), kernel('6.16.12-1'));
  const { image, directory } = await open().get({ debian: '6.1' });
  const other = await open().get({ debian: '6.16' });
  addMachines(cache, image);
  const runs = join(cache, 'runs');
  for (const name of ['2026-01-01', '2026-01-02']) {
    mkdirSync(join(runs, name), { recursive: true });
    writeFileSync(join(runs, name, 'results.json'), '{}');
  }
  symlinkSync('2026-01-02', join(runs, 'latest'));
  mkdirSync(join(cache, 'builds/tree'), { recursive: true });
  const age = (path: string, hours: number): void => {
    const used = new Date(Date.now() - hours * HOUR);
    if (statSync(path).isDirectory())
      for (const name of readdirSync(path)) if (name.endsWith('.json')) utimesSync(join(path, name), used, used);
    utimesSync(path, used, used);
  };
  const pool = join(cache, 'debian/pool');
  for (const name of readdirSync(pool)) age(join(pool, name), 2);
  age(join(runs, '2026-01-01'), 30);
  age(join(runs, '2026-01-02'), 29);
  age(join(cache, 'templates/saved'), 20);
  age(join(cache, 'builds/tree'), 10);
  age(directory, 5);
  age(other.directory, 4);
  const inventory = await takeInventory(cache, imageOfMachine);
  const chosen = (keep: number, used: ReadonlyMap<string, string>): string[] =>
    chooseGarbage(inventory, keep, used).map(({ path }) => path.slice(cache.length + 1));
  const debs = readdirSync(pool)
    .map((name) => `debian/pool/${name}`)
    .sort();
  const rest = [
    'runs/2026-01-01',
    'templates/saved',
    'builds/tree',
    'kernels/debian-6.1-cloud-6.1.192-2',
    'kernels/debian-6.16-cloud-6.16.12-1',
  ];
  const all = chosen(0, new Map());
  t.same(all.slice(0, 2).sort(), debs);
  t.same(all.slice(2), rest, 'the last run stays, and the machine that was prepared just now');
  t.same(chosen(inventory.bytes, new Map()), []);
  t.equal(chosen(inventory.bytes - 1, new Map()).length, 1);

  const dry = await collect(cache, 0, true);
  t.ok(
    dry.removed.length > 0 && existsSync(join(cache, dry.removed[0]?.path.slice(cache.length + 1) ?? '')),
    'a dry run removes nothing',
  );
  t.match(await collect(cache, 0, false), { removed: { length: 2 } }, 'this process uses both kernels');
  await endUse();
  await noteUser(other.directory);
  age(other.directory, 4);
  const report = await collect(cache, 0, false);
  t.match(report, { keep: 0, dryRun: false, before: Number, after: Number });
  t.ok(report.after < report.before);
  t.notOk(existsSync(directory));
  t.ok(existsSync(other.image), 'what a process uses stays');
  t.ok(existsSync(join(runs, '2026-01-02')));
  t.notOk(existsSync(join(cache, 'builds/tree')));
});

t.test('sizes are read and written with their units, and tables keep to the terminal', async (t) => {
  const sizes: readonly (readonly [string, number | null])[] = [
    ['5GB', 5e9],
    ['500MB', 5e8],
    ['1GiB', 2 ** 30],
    ['2gib', 2 ** 31],
    ['1.5 kB', 1500],
    ['0B', 0],
    ['5', null],
    ['-1GB', null],
    ['5 bananas', null],
    ['', null],
  ];
  for (const [text, bytes] of sizes) t.equal(parseBytes(text), bytes, text);
  t.same([1, 99_000, 2_340_000, 34_600_000, 1_250_000_000].map(formatBytes), [
    '1 kB',
    '99 kB',
    '2.3 MB',
    '35 MB',
    '1.3 GB',
  ]);
  const columns = [
    { title: 'name' },
    { title: 'long', spare: 1 },
    { title: 'size', align: 'right' },
    { title: 'none' },
  ] as const;
  const rows = [
    ['a', 'something', '1', ''],
    ['bcdef', 'else', '100', ''],
  ];
  t.same(renderTable(columns, rows), ['name   long       size', 'a      something     1', 'bcdef  else        100']);
  t.same(renderTable(columns, rows, 15), ['name   size', 'a         1', 'bcdef   100']);
});
