import t from 'tap';
import { ExplainedError } from '../../../loader/errors.ts';
import { cell, results, sampleKernel } from '../../report/test/samples.ts';
import { mergeResults } from '../merge.ts';
import { mergeOrders } from '../merge-orders.ts';
import { deriveRanges } from '../ranges.ts';
import type { KernelResult, RunResults } from '../results.ts';
import { resultsSchema } from '../schema.ts';

const KERNELS = ['5.10', '6.1', '6.12', '7.1'].map((name) => sampleKernel(name, { facts: { name } }));
/** Built here, and so on no axis. */
const BUILT = sampleKernel('vars', { kind: 'build', version: '6.13.1', flavour: null });

function cellsOf({ name }: KernelResult): RunResults['cells'] {
  return [
    cell(name, 'b', name === '5.10' ? 'xfail' : 'pass'),
    cell(name, 'b', 'pass', { variant: 'strict' }),
    cell(name, 'a', name === '6.12' ? 'fail' : 'pass'),
    // Other boot parameters: after all others of its kernel.
    cell(name, 'b', 'pass', { variant: 'nokaslr' }),
  ];
}

/** A run of some of the kernels, which knows of the others. */
function shardOf(kernels: readonly KernelResult[], more: Partial<RunResults> = {}): RunResults {
  const cells = kernels.flatMap(cellsOf);
  const rest = [...KERNELS, BUILT].filter((kernel) => !kernels.includes(kernel));
  // What is not run is known by the version that the matrix names.
  const dated = rest.filter(({ kind }) => kind !== 'build').map((kernel) => ({ ...kernel, version: kernel.name }));
  return results(cells, { kernels: [...kernels], ranges: deriveRanges([...kernels, ...dated], cells), ...more });
}

const whole = shardOf([...KERNELS.slice(0, 3), BUILT, ...KERNELS.slice(3)]);
const pieces = [KERNELS.slice(0, 2).reverse(), KERNELS.slice(3), [...KERNELS.slice(2, 3), BUILT]].map(
  (kernels, index) =>
    shardOf(kernels, {
      id: `shard-${index}`,
      startedAt: `2026-01-31T12:00:0${3 - index}.000Z`,
      timings: { compile: index, total: 10 - index },
    }),
);

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`the sample has no item ${index}`);
  return item;
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}

t.test('shards are merged to what one run would have found, in whatever order they come', (t) => {
  const all = permutations(pieces);
  t.equal(all.length, 6);
  const merged = mergeResults(pieces);
  for (const shards of all) t.equal(JSON.stringify(mergeResults(shards)), JSON.stringify(merged));
  const { id, startedAt, shards, timings, directory, ...rest } = merged;
  const { id: _id, startedAt: _at, shards: _shards, timings: _timings, directory: _folder, ...expected } = whole;
  t.same(rest, expected, 'kernels, cells, programs, ranges and totals are those of the whole');
  t.same(rest.cells, whole.cells, 'in its order');
  t.same(
    { id, startedAt, shards, directory },
    { id: 'shard-2', startedAt: '2026-01-31T12:00:01.000Z', shards: 3, directory: '' },
  );
  t.same(timings, { compile: 2, total: 10 }, 'the slowest of each part, because shards run side by side');
  t.ok(resultsSchema.safeParse(merged).success);
  t.same(
    mergeResults([mergeResults(pieces.slice(1)), ...pieces.slice(0, 1)]),
    merged,
    'what was merged can be merged again',
  );
  t.end();
});

t.test('a kernel that no shard ran keeps its place on the axis, as one that nothing is known of', (t) => {
  const merged = mergeResults(pieces.slice(1));
  t.same(
    merged.kernels.map(({ name }) => name),
    ['6.12', 'vars', '7.1'],
  );
  t.same(merged.ranges.axes, [{ name: 'Debian cloud', kernels: ['5.10', '6.1', '6.12', '7.1'] }]);
  t.same(merged.ranges.apart, ['vars']);
  const ranges = merged.ranges.programs.find(({ program, variant }) => program === 'a' && variant === 'default');
  t.same(
    ranges?.ranges.map(({ kernels, outcome, cause }) => [kernels.join(' '), outcome, cause]),
    [
      ['5.10 6.1', 'unknown', 'not run'],
      ['6.12', 'fails', 'verifier refuses'],
      ['7.1', 'works', null],
      ['vars', 'works', null],
    ],
  );
  t.end();
});

t.test('a kernel in two shards, each with other programs, is one kernel; hosts that differ are told', (t) => {
  const boot = {
    parameters: [],
    cpus: null,
    modules: [],
    bootMs: 1,
    console: 'c',
    when: 'this-run',
    restored: 0,
    restoreMs: null,
  } as const;
  const one = results([cell('5.10', 'a', 'pass')], { kernels: [sampleKernel('5.10', { boots: [boot] })] });
  const other = results([cell('5.10', 'c', 'pass'), cell('5.10', 'b', 'pass')], {
    kernels: [sampleKernel('5.10', { facts: { x: 1 }, boots: [boot, { ...boot, bootMs: 2 }] })],
    startedAt: '2026-01-31T13:00:00.000Z',
    complete: false,
    host: { ...one.host, accelerator: 'kvm', acceleratorReason: '/dev/kvm works', qemu: 'QEMU 10', cpus: 4 },
    engine: { ...one.engine, isolation: 'cell', jobs: 4, machineBytes: 7, templates: false, retries: 2 },
    origin: { ...one.origin, modified: true, url: 'https://example.org/2' },
  });
  const merged = mergeResults([one, other]);
  t.same(mergeResults([other, one]), merged);
  t.match(merged.kernels, [{ name: '5.10', facts: { x: 1 }, boots: [{ bootMs: 1 }, { bootMs: 2 }] }]);
  t.equal(merged.kernels.length, 1);
  t.same(
    merged.cells.map(({ program }) => program),
    ['a', 'c', 'b'],
  );
  t.equal(merged.complete, false);
  t.match(merged.host, { accelerator: 'tcg', qemu: 'QEMU 10; QEMU 7.2', clang: 'clang 14', cpus: 4 });
  t.equal(merged.host.acceleratorReason, 'in 1 of 2 shards (kvm: /dev/kvm works; tcg: there is no /dev/kvm)');
  t.match(merged.engine, { isolation: 'kernel', jobs: 4, machineBytes: 60 * 2 ** 20, templates: false, retries: 2 });
  t.match(merged.origin, { modified: true, url: null, commit: one.origin.commit });
  t.end();
});

t.test('what cannot be parts of one run is refused, with what differs', (t) => {
  const [one, other] = [at(pieces, 0), at(pieces, 1)];
  const refused = (...shards: readonly RunResults[]): string => {
    try {
      mergeResults(
        shards,
        shards.map((_, index) => `${index}.json`),
      );
    } catch (error) {
      return error instanceof ExplainedError ? `${error.code}: ${error.explain()}` : String(error);
    }
    return 'merged';
  };
  const changed = (change: (run: RunResults) => Partial<RunResults>): string =>
    refused(one, { ...other, ...change(other) });
  const program = (change: object): string =>
    changed(({ programs }) => ({
      programs: programs.map((each) => (each.name === 'a' ? { ...each, ...change } : each)),
    }));
  t.match(refused(), /^no-shards: there is nothing to merge/);
  t.match(
    refused(one, structuredClone(one)),
    /^shard-given-twice: [01].json and [01].json: two of the shards are the same run: both are run shard-0/,
  );
  t.match(
    changed(({ origin }) => ({ origin: { ...origin, commit: null } })),
    /^shards-differ: 1.json and 0.json: .*the commit differs: none and c0ffee/,
  );
  t.match(
    changed(({ matrix }) => ({ matrix: { ...matrix, path: 'm.yaml' } })),
    /the matrix differs: m.yaml and matrix.yaml/,
  );
  t.match(
    changed(({ tool }) => ({ tool: { ...tool, version: '9' } })),
    /the version of ksym-matrix differs: 9 and 0.1.0/,
  );
  t.match(
    changed(({ loaders }) => ({ loaders: loaders.map(({ name }) => ({ name, version: '9' })) })),
    /the version of loader ksym-matrix differs/,
  );
  t.match(program({ objectSha256: 'ab' }), /the object file of a differs: ab and none/);
  t.match(program({ text: '// b\n' }), /the C source of a differs: 5 characters and 5 characters/);
  t.equal(program({ compilerWarnings: 'of this machine' }), 'merged');
  const clash = { ...at(one.cells, 0), why: 'for another reason' };
  t.match(
    changed(({ cells, kernels }) => ({ cells: [...cells, clash], kernels: [...kernels, ...one.kernels] })),
    /^cell-in-two-shards: 1.json and 0.json: two shards ran the same cell: b \(variant default, loader ksym-matrix\) on 6.1: both say pass, though not the same of it/,
  );
  t.match(
    changed(({ kernels }) => ({
      kernels: [...kernels, ...one.kernels.map((kernel) => ({ ...kernel, sha256: '11' }))],
    })),
    /kernel 6.1 is not the same in two shards: sha256 differs: 11 and 00/,
  );
  t.equal(
    changed(({ cells, kernels }) => ({ cells: [...cells, ...one.cells], kernels: [...kernels, ...one.kernels] })),
    'merged',
    'the same to the last byte is no contradiction',
  );
  t.end();
});

t.test('orders are merged into one that keeps each of them, as far as they agree', (t) => {
  for (const lists of permutations([['c', 'a'], ['a', 'z', 'b'], ['c', 'b'], ['d']])) {
    t.same(mergeOrders(lists), ['c', 'a', 'd', 'z', 'b']);
  }
  t.same(mergeOrders([]), []);
  t.same(
    mergeOrders([
      ['b', 'a'],
      ['b', 'a'],
    ]),
    ['b', 'a'],
  );
  t.same(
    mergeOrders([
      ['b', 'a'],
      ['a', 'b'],
    ]),
    mergeOrders([
      ['a', 'b'],
      ['b', 'a'],
    ]),
    'a contradiction is decided by name',
  );
  t.end();
});
