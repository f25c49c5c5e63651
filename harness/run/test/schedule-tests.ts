import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cellName } from '../../results/cell-name.ts';
import { BootLedger } from '../boot-ledger.ts';
import { chooseCapacity, type Host } from '../capacity.ts';
import { Durations } from '../durations.ts';
import { type BootGroup, type Cell, planGroups } from '../select.ts';
import { type Isolation, planStints, type Stint } from '../stints.ts';
import { sampleMatrix, sampleProgram, selected } from './samples.ts';

/** A group of `count` cells on a kernel. */
function group(kernel: string, count: number): BootGroup {
  const programs = Array.from({ length: count }, (_, index) => sampleProgram(`p${index}`));
  return (
    planGroups([selected(kernel, '6.1.1')], programs, sampleMatrix(programs))[0] ?? {
      ...EMPTY,
      kernel: selected(kernel, '6.1.1'),
    }
  );
}

const EMPTY: Omit<BootGroup, 'kernel'> = { boot: [], cpus: null, modules: [], cells: [] };

const nameOf = (cell: Cell): string => `${cell.kernel.name} ${cellName(cell.program.name, cell.variant.name)}`;

/** As the engine plans them: every kernel is saved, and every cell takes 30 ms, unless something else is said. */
function plan(
  groups: readonly BootGroup[],
  isolation: Isolation,
  jobs: number,
  expected: { cell?: (cell: Cell) => number; cold?: readonly string[] } = {},
): Stint[] {
  return planStints(groups, isolation, jobs, {
    cell: expected.cell ?? (() => 30),
    firstMachine: ({ kernel }) => (expected.cold?.includes(kernel.name) === true ? 4500 : 150),
  });
}

t.test('every cell is in exactly one stint, in its own group, however many there are', (t) => {
  for (const counts of [[0], [1], [7], [8], [9], [15, 1], [16, 17], [40, 0, 3], [1000], [91, 91, 91, 91, 91]]) {
    const groups = counts.map((count, index) => group(`6.${index}`, count));
    const all = groups.flatMap((one) => one.cells.map(nameOf)).sort();
    for (const isolation of ['cell', 'kernel'] as const) {
      for (const jobs of [1, 2, 3, 64]) {
        const stints = plan(groups, isolation, jobs);
        const what = `${counts} cells, ${isolation}, ${jobs} at a time`;
        const cells = stints.flatMap((stint) => stint.cells);
        if (JSON.stringify(cells.map(nameOf).sort()) !== JSON.stringify(all)) t.fail(`cells lost or doubled: ${what}`);
        if (stints.some((stint) => stint.cells.some((cell) => cell.kernel !== stint.group.kernel))) t.fail(what);
        if (stints.some((stint) => stint.cells.length === 0)) t.fail(`a stint of nothing: ${what}`);
        const lengths = stints.map((stint) => stint.cells.length);
        if (isolation === 'cell' && lengths.some((length) => length !== 1)) t.fail(`one cell each: ${what}`);
        const few = stints.filter((stint) => stint.cells.length < Math.min(8, stint.group.cells.length));
        if (isolation === 'kernel' && few.length > 0)
          t.fail(`stints that are not worth a machine: ${what}: ${lengths}`);
      }
    }
  }
  t.pass('none was lost');
  t.end();
});

t.test('a thousand cells are divided so that the last machines end together', (t) => {
  const lengths = plan([group('6.12', 1000)], 'kernel', 2).map((stint) => stint.cells.length);
  t.same(lengths, [125, 125, 125, 125, 125, 125, 125, 125]);
  // Where there are many kernels, each is a stint of its own: no machine more than needed.
  const groups = Array.from({ length: 11 }, (_, index) => group(`6.${index}`, 40));
  t.equal(plan(groups, 'kernel', 2).length, 11);
  t.equal(plan(groups, 'kernel', 22).length, 55, 'and more machines get smaller stints');
  t.end();
});

t.test('what takes longest begins first, and a kernel that must be booted begins before one that is saved', (t) => {
  const groups = [group('saved', 9), group('cold', 3), group('slow', 9)];
  const cell = (one: Cell): number => (one.kernel.name === 'slow' ? 40 : 30);
  const kernels = plan(groups, 'kernel', 2, { cell, cold: ['cold'] }).map((stint) => stint.group.kernel.name);
  t.same(kernels, ['cold', 'slow', 'saved']);
  const named: Readonly<Record<string, number>> = { 'saved p3': 900, 'slow p1': 700 };
  const alone = plan(groups, 'cell', 2, { cell: (one) => named[nameOf(one)] ?? 30, cold: ['cold'] });
  const order = alone.flatMap((stint) => stint.cells.map(nameOf));
  t.same(order.slice(0, 3), ['cold p0', 'saved p3', 'slow p1'], 'one cell boots the cold kernel for the others');
  const kept = plan([group('6.12', 4)], 'kernel', 2, { cell: (one) => named[nameOf(one)] ?? 30 });
  t.same(kept[0]?.cells.map(nameOf), ['6.12 p0', '6.12 p1', '6.12 p2', '6.12 p3'], 'in one machine, order stays');
  t.end();
});

t.test(
  'durations are kept from run to run, and whatever is wrong with their file costs nothing but order',
  async (t) => {
    const cache = t.testdir({});
    const path = join(cache, 'durations.json');
    const [first, second] = group('6.12', 2).cells;
    if (first === undefined || second === undefined) throw new TypeError('there are two cells');
    const empty = await Durations.read(cache);
    t.equal(empty.expected(first), 30);
    empty.add(first, 123.4);
    empty.add(second, 0);
    await empty.write();
    const known = await Durations.read(cache);
    t.equal(known.expected(first), 123);
    t.equal(known.expected(second), 30, 'a cell that was not run took no time, which says nothing');
    for (const damage of ['', '{', '[]', 'null', '{"6.12 p0": "long"}', '{"6.12 p0": -5}', '\u0000\u0000']) {
      writeFileSync(path, damage);
      t.equal((await Durations.read(cache)).expected(first), 30, JSON.stringify(damage));
    }
    await (await Durations.read(join(cache, 'no', 'such', 'folder'))).write();
    t.notOk(existsSync(join(cache, 'no')), 'a folder that cannot be written to is no error');
  },
);

t.test('the file of durations is bounded, and the ones that were seen last stay', async (t) => {
  const cache = t.testdir({});
  const path = join(cache, 'durations.json');
  const old = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`old ${index}`, index]));
  writeFileSync(path, JSON.stringify(old));
  const durations = await Durations.read(cache);
  const { cells } = group('6.12', 3);
  for (const cell of cells) durations.add(cell, 50);
  const again: Cell = { ...group('old', 1).cells[0], program: sampleProgram('0') } as Cell;
  durations.add(again, 70);
  await durations.write();
  const names = Object.keys(JSON.parse(readFileSync(path, 'utf8')));
  t.equal(names.length, 20_000);
  t.same(names.slice(-4), ['6.12 p0', '6.12 p1', '6.12 p2', 'old 0']);
  t.notOk(names.includes('old 1'), 'the oldest went');
  t.ok(names.includes('old 4'));
});

/** A host with these files. */
function host(processors: number, files: Readonly<Record<string, string>>): Host {
  return { processors, read: async (path) => files[path] ?? '' };
}

const MEMINFO = (mebibytes: number): Readonly<Record<string, string>> => ({
  '/proc/meminfo': `MemTotal:       99999999 kB\nMemFree:  1 kB\nMemAvailable:   ${mebibytes * 1024} kB\n`,
});

t.test('as many machines run as cores and memory carry, whichever is less', async (t) => {
  const choose = chooseCapacity;
  t.same(await choose(7, 'restored', undefined, host(1, {})), { jobs: 7, reason: 'asked for with --jobs' });
  t.match(await choose(undefined, 'restored', undefined, host(4, MEMINFO(8192))), {
    jobs: 4,
    reason: /each of 4 cores/,
  });
  t.match(await choose(undefined, 'restored', undefined, host(1, MEMINFO(8192))), {
    jobs: 1,
    reason: /each of 1 core$/,
  });
  // 512 MiB stay free; a restored machine is taken to need 96 MiB, a booted one 320.
  const little = host(16, MEMINFO(512 + 4 * 256));
  t.match(await choose(undefined, 'restored', undefined, little), {
    jobs: 10,
    reason: /^1536 MiB of memory are free$/,
  });
  t.match(await choose(undefined, 'booted', undefined, little), { jobs: 3 });
  t.match(await choose(undefined, 'booted', 100 * 2 ** 20, little), { jobs: 6 }, 'measured, with headroom of a half');
  t.equal((await choose(undefined, 'booted', undefined, host(8, MEMINFO(100)))).jobs, 1, 'one always runs');
  t.equal((await choose(undefined, 'booted', undefined, host(8, {}))).jobs, 1, 'nothing is known of the memory');
  const here = await chooseCapacity(undefined, 'restored', undefined);
  t.ok(Number.isSafeInteger(here.jobs) && here.jobs >= 1, 'this host');
});

t.test('the limits of the control group hold, and those of every group above it', async (t) => {
  const above = { '/proc/self/cgroup': '0::/user.slice/job.scope\n', ...MEMINFO(64 * 1024) };
  const folder = '/sys/fs/cgroup/user.slice';
  const choose = (files: Readonly<Record<string, string>>) =>
    chooseCapacity(undefined, 'restored', undefined, host(32, { ...above, ...files }));
  t.equal((await choose({})).jobs, 32);
  t.equal((await choose({ [`${folder}/job.scope/cpu.max`]: 'max 100000\n' })).jobs, 32);
  t.equal((await choose({ [`${folder}/job.scope/cpu.max`]: '350000 100000\n' })).jobs, 3, 'three and a half cores');
  t.equal((await choose({ [`${folder}/cpu.max`]: '50000 100000\n' })).jobs, 1, 'half a core, of the group above');
  const limit = (bytes: number): string => `${bytes}\n`;
  const memory = {
    [`${folder}/job.scope/memory.max`]: 'max\n',
    [`${folder}/memory.max`]: limit(2048 * 2 ** 20),
    [`${folder}/memory.current`]: limit(1600 * 2 ** 20),
    [`${folder}/memory.stat`]: `anon 1\ninactive_file ${1000 * 2 ** 20}\nactive_file 5\n`,
  };
  t.match(
    await choose(memory),
    { jobs: 9, reason: '1448 MiB of memory are free' },
    'cached files do not count as used',
  );
  t.match(
    await choose({ ...memory, '/sys/fs/cgroup/memory.max': limit(700 * 2 ** 20) }),
    { jobs: 1 },
    'in a container',
  );
  t.equal((await choose({ ...memory, '/proc/self/cgroup': '0::/../../other\n' })).jobs, 32, 'a group out of sight');
  t.equal((await choose({ ...memory, '/proc/self/cgroup': '2:cpu:/x\n1:name=systemd:/x\n' })).jobs, 32, 'cgroup v1');
  t.equal((await choose({ [`${folder}/memory.max`]: 'rubbish', [`${folder}/cpu.max`]: '0 0' })).jobs, 32);
});

t.test('boots are told apart, in the order they were first needed, with what came of each', (t) => {
  const ledger = new BootLedger();
  const plain = { boot: [], cpus: null, modules: [] };
  const origin = { milliseconds: 4000, log: '/saved.log', when: 'earlier' } as const;
  const restored = { key: 'a', origin, console: '/boot-1.log' };
  t.same(ledger.of('6.12'), []);
  for (const milliseconds of [300, 100, 120]) ledger.add('6.12', plain, restored, milliseconds);
  ledger.add(
    '6.12',
    { ...plain, boot: ['nosmp'], cpus: 1 },
    { key: 'b', origin: { ...origin, when: 'this-run' }, console: '/own.log' },
    null,
  );
  ledger.addFailure('6.12', { ...plain, modules: ['x'] }, '/failed-1.log');
  ledger.addFailure('6.12', { ...plain, modules: ['x'] }, '/failed-2.log');
  ledger.add('5.10', plain, restored, 200);
  const failed = {
    parameters: [],
    cpus: null,
    modules: ['x'],
    bootMs: null,
    when: 'this-run',
    machine: null,
    restored: 0,
    restoreMs: null,
  };
  t.same(ledger.of('6.12'), [
    {
      parameters: [],
      cpus: null,
      modules: [],
      bootMs: 4000,
      console: '/boot-1.log',
      when: 'earlier',
      machine: 'a',
      restored: 3,
      restoreMs: 120,
    },
    {
      parameters: ['nosmp'],
      cpus: 1,
      modules: [],
      bootMs: 4000,
      console: '/own.log',
      when: 'this-run',
      machine: null,
      restored: 0,
      restoreMs: null,
    },
    { ...failed, console: '/failed-1.log' },
    { ...failed, console: '/failed-2.log' },
  ]);
  t.equal(ledger.of('5.10')[0]?.restored, 1, 'each kernel has its own');
  t.same([ledger.next('6.12'), ledger.next('6.12'), ledger.next('5.10')], [1, 2, 1], 'no number is given twice');
  t.end();
});
