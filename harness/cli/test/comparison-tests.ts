import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Kernel } from '../../../kernels/store.ts';
import type { Matrix, Program } from '../../config/load.ts';
import { DEFAULT_LOADERS } from '../../config/loader-entries.ts';
import { renderComparison } from '../../report/comparison.ts';
import { cell, PLAIN, results, sampleKernel } from '../../report/test/samples.ts';
import { compareResults } from '../../results/compare.ts';
import { deriveDisagreements } from '../../results/disagreements.ts';
import { toJson } from '../../results/write.ts';
import { Durations } from '../../run/durations.ts';
import { selectKernels } from '../../run/select.ts';
import { compare } from '../compare.ts';
import { diff } from '../diff.ts';
import { merge } from '../merge.ts';
import { type PlannedKernel, plannedKernels, planShards } from '../shards.ts';
import { createPlace } from './command.ts';

const KERNELS = ['5.10', '6.1', '6.12'].map((name) => sampleKernel(name));
const BASE = results(
  KERNELS.flatMap(({ name }) => [cell(name, 'reads', 'pass'), cell(name, 'old', 'xfail'), cell(name, 'gone', 'pass')]),
  { kernels: KERNELS, id: 'base' },
);
const HEAD = results(
  [
    ...KERNELS.flatMap(({ name }, index) => [
      cell(name, 'reads', index === 0 ? 'pass' : 'fail', { why: `read 0x${index} instead of 7` }),
      cell(name, 'old', index === 2 ? 'pass' : 'xfail'),
    ]),
    cell('5.10', 'fresh', 'panic', { why: 'evil \u001b[31mred\u001b[0m\u0007 text' }),
  ],
  { kernels: KERNELS.map((kernel, index) => (index === 1 ? { ...kernel, version: '6.1.9-1' } : kernel)), id: 'head' },
);

t.test('diff shows counts, then what changed alike in one line each, and the exit code is the gate', async (t) => {
  const text = renderComparison(compareResults(BASE, HEAD), PLAIN);
  t.equal(
    text,
    `2 regressed, 3 vanished, 1 changed, 1 new; 3 as before
base base, commit c0ffeec0ffee, 9 cells
head head, commit c0ffeec0ffee, 7 cells

kernels that are not the same in both runs
    6.1 6.1.1-1 (6.1.1-amd64) → 6.1.9-1 (6.1.1-amd64)

2 regressed: was as expected, or was at least tried, and is not any more
✔ pass → ✖ FAIL reads on 6.1, 6.12
    verifier-rejected in phase load: read 0x1 instead of 7

3 vanished: is in the older run alone
✔ pass → nothing gone on 5.10, 6.1, 6.12

1 changed: is neither better nor worse, and yet not the same
○ xfail → ✔ pass old on 6.12
    ok in phase check; was verifier-rejected in phase load

1 new: is in the newer run alone
nothing → ✖ PANIC fresh on 5.10
    verifier-rejected in phase load: evil ␛[31mred␛[0m␇ text
`,
  );
  const narrow = renderComparison(compareResults(BASE, HEAD), PLAIN, 30).split('\n');
  t.same(
    narrow.filter((line) => line.length > 30),
    [
      '2 regressed, 3 vanished, 1 changed, 1 new; 3 as before',
      'kernels that are not the same in both runs',
      '2 regressed: was as expected, or was at least tried, and is not any more',
      '3 vanished: is in the older run alone',
      '1 changed: is neither better nor worse, and yet not the same',
      '1 new: is in the newer run alone',
    ],
    'all but headings is broken between words',
  );
  const other = compareResults(BASE, { ...BASE, cells: BASE.cells.map((one) => ({ ...one, loader: 'libbpf' })) });
  t.match(
    renderComparison(other, PLAIN),
    /\n✔ pass, ○ xfail → nothing reads, old, gone on 5\.10, 6\.1, 6\.12 with ksym-matrix\n/,
  );
  t.match(renderComparison(compareResults(BASE, BASE), PLAIN), /^nothing changed; 9 as before\n/);
});

t.test('diff, merge and history on the command line: streams, files, exit codes, mistakes', async (t) => {
  const place = createPlace();
  t.teardown(() => place.end());
  const at = (name: string): string => join(place.folder, name);
  const write = (name: string, text: string): string => {
    writeFileSync(at(name), text);
    return at(name);
  };
  const [base, head] = [write('base.json', toJson(BASE)), write('head.json', toJson(HEAD))];
  mkdirSync(at('run'));
  write('run/results.json', toJson(HEAD));
  const old = write('old.json', toJson({ ...BASE, schemaVersion: 1 }));
  const only = (name: string) => ({ ...BASE, cells: BASE.cells.filter((one) => one.kernel === name) });
  const shards = KERNELS.map((kernel, index) =>
    write(`shard-${index}.json`, toJson({ ...only(kernel.name), kernels: [kernel], id: `shard-${index}` })),
  );
  const merged = at('merged.json');
  const odd = write(
    'odd.json',
    toJson({ ...only('6.1'), id: 'odd', ranges: { axes: [], apart: ['x\u001b[2J'], programs: [] } }),
  );
  const [gated, open, wrong, missing, joined, added, toFile, left] = await Promise.all([
    place.run(['diff', base, at('run'), '--fail-on', 'regressed,new-red,flaky']),
    place.run(['diff', base, head, '--fail-on', 'flaky', '--format', 'markdown', '--output', at('diff.md')]),
    place.run(['diff', base, head, '--fail-on', 'regresed']),
    place.run(['diff', old, head]),
    place.run(['merge', ...[...shards].reverse(), '--shards', '3', '--output', merged]),
    place.run(['history', 'add', base, '--to', at('history')]),
    place.run(['history', 'add', base, '--to', base]),
    place.run(['merge', odd, '--output', at('odd-merged.json')]),
  ]);
  t.match(left, { code: 0, stderr: /no shard ran: x␛\[2J\n/ }, 'names in results do not steer a terminal');
  t.match(gated, { code: 1, stderr: 'ksym-matrix: --fail-on regressed,new-red,flaky: 2 regressed, 1 new-red\n' });
  t.match(gated.stdout, /^2 regressed, 3 vanished, .*\n/);
  t.match(open, { code: 0, stdout: '', stderr: '' });
  t.match(readFileSync(at('diff.md'), 'utf8'), /regressed.* \| `reads` \| `6\.1`, `6\.12` \|/);
  t.match(wrong, { code: 2, stdout: '', stderr: /'regresed' is invalid\. one or several of regressed, flaky/ });
  t.match(missing, { code: 2, stdout: '', stderr: /old\.json: .*an older version of this program wrote it/ });
  t.match(joined, { code: 0, stdout: '', stderr: '9 cells on 3 kernels from 3 shards\n' });
  t.match(JSON.parse(readFileSync(merged, 'utf8')), { shards: 3, id: 'shard-0', totals: BASE.totals, complete: true });
  t.match(added, { code: 0, stdout: `${at('history')}/base.json\n`, stderr: '' });
  t.match(toFile, { code: 3, stderr: /the run cannot be kept: E/ });
  t.notMatch([gated, wrong, missing, toFile].map(({ stderr }) => stderr).join(), /defect|at .*\.js:/);

  t.equal(await diff(head, base, { format: 'json', output: at('diff.json') }), 0);
  const comparison = JSON.parse(readFileSync(at('diff.json'), 'utf8'));
  t.match(comparison, {
    counts: { fixed: 2 },
    changes: [{ kind: 'vanished', base: { verdict: 'panic' }, head: null }],
  });
  const nowhere = at('no/such/folder.json');
  await t.rejects(diff(base, head, { format: 'json', output: nowhere }), { code: 'output-has-no-place' });
  await t.rejects(merge([base], { output: nowhere }), { code: 'output-has-no-place' });
  await t.rejects(diff(at('nothing.json'), head, { format: 'json' }), { code: 'no-results' });
  const output = at('left.json');
  await t.rejects(merge([base, base], { output }), { code: 'shard-given-twice', where: base });
  await t.rejects(merge(shards.slice(1), { output, shards: 3 }), { code: 'shards-missing', where: '--shards 3' });
  t.notOk(readdirSync(place.folder).includes('left.json'), 'a merge that fails leaves nothing');

  write('history/foreign.json', '[]');
  const listed = await place.run(['history', 'list', at('history')]);
  t.match(listed.stdout, /^run +commit +kernels +cells +red\nbase +c0ffeec0ffee +3 +9 +0\n$/);
  t.match(listed, { code: 0, stderr: /foreign\.json is left out/ });
});

t.test('kernels are divided among shards that take about as long, each kernel once', async (t) => {
  const kernel = (name: string, expectedMs: number, names = [name]): PlannedKernel => ({
    name,
    names,
    cells: 10,
    expectedMs,
  });
  const divided = (kernels: readonly PlannedKernel[], most: number): string[] =>
    planShards(kernels, most).map(({ kernels: own }) => own.join(' '));
  const equal = ['a', 'b', 'c', 'd', 'e'].map((name) => kernel(name, 1));
  t.same(divided(equal, 2), ['a c e', 'b d']);
  t.same(divided(equal, 9), ['a', 'b', 'c', 'd', 'e'], 'no shard is empty');
  t.same(divided(equal, 1), ['a b c d e']);
  const uneven = [kernel('a', 2), kernel('b', 9), kernel('c', 3), kernel('d', 3), kernel('e', 1)];
  t.same(divided(uneven, 2), ['a c d e', 'b']);
  t.same(planShards(uneven, 2), [
    { shard: 1, shards: 2, kernels: ['a', 'c', 'd', 'e'], cells: 40, expectedMs: 9 },
    { shard: 2, shards: 2, kernels: ['b'], cells: 10, expectedMs: 9 },
  ]);
  const tied = [
    kernel('6.12', 1),
    kernel('6.1', 1),
    kernel('mine', 1, ['mine', '6.12']),
    kernel('other', 1, ['other', 'mine']),
  ];
  t.same(divided(tied, 4), ['6.12 mine other', '6.1'], 'what --kernel cannot tell apart');
});

t.test(
  'a shard of the plan runs exactly its kernels, whatever the matrix calls them, and none is fetched',
  async (t) => {
    const matrix: Pick<Matrix, 'kernels' | 'loaders' | 'path'> = {
      loaders: DEFAULT_LOADERS,
      path: 'matrix.yaml',
      kernels: [
        { request: { debian: 'all' }, name: undefined },
        { request: { debian: '6.12', flavour: 'generic' }, name: undefined },
        { request: { debian: '6.1', flavour: 'rt' }, name: 'real-time' },
        { request: { debian: 'latest', flavour: 'rt' }, name: undefined },
        { request: { oci: 'example.org/kernels/a:6.6' }, name: undefined },
        { request: { host: true }, name: 'here' },
      ],
    };
    const expand: Parameters<typeof plannedKernels>[3]['expand'] = async (request) =>
      'debian' in request && request.debian === 'all'
        ? ['5.10', '6.1', '6.12'].map((debian) => ({ debian }))
        : [request];
    const programs = [
      { name: 'p', variants: ['default', 'strict'] },
      { name: 'q', variants: ['default'] },
    ] as Program[];
    const folder = t.testdir({ 'durations.json': JSON.stringify({ '6.12 p': 10_000, '6.12 p@strict': 2000 }) });
    const planned = (...patterns: readonly string[]) =>
      Durations.read(folder).then((durations) => plannedKernels(matrix, programs, patterns, { expand }, durations));
    const kernels = await planned();
    t.same(
      kernels.map(({ name, cells, expectedMs }) => `${name} ${cells} ${expectedMs}`),
      [
        ...['5.10 3 5090', '6.1 3 5090', '6.12 3 17030', '6.12-generic 3 5090'],
        ...['real-time 3 5090', 'latest-rt 3 5090', 'a-6.6 3 5090', 'here 3 5090'],
      ],
    );
    t.same(
      (await planned('6.1*')).map(({ name }) => name),
      ['6.1', '6.12', '6.12-generic', 'real-time'],
    );
    await t.rejects(planned('5.1'), { code: 'no-such-kernel', where: '--kernel 5.1' });

    const get = async (request: object): Promise<Kernel> => {
      const debian = String(Reflect.get(request, 'debian') ?? '9.9');
      const line = debian === 'latest' ? '7.3' : debian;
      return { line, version: `${line}.1`, release: `${line}.1` } as Kernel;
    };
    const all = await selectKernels(matrix, { kernels: [], programs: [] }, { get, expand });
    for (const most of [1, 2, 3, 5, 8]) {
      const shards = planShards(kernels, most);
      const run = await Promise.all(
        shards.map(({ kernels: own }) => selectKernels(matrix, { kernels: own, programs: [] }, { get, expand })),
      );
      t.same(
        run.map((each) => each.length),
        shards.map(({ kernels: own }) => own.length),
      );
      t.same(
        run
          .flat()
          .map(({ name }) => name)
          .sort(),
        all.map(({ name }) => name).sort(),
        `${most} shards`,
      );
    }
  },
);

t.test(
  'plan prints a table, JSON, or the line that strategy.matrix takes; GitHub makes 256 jobs at most',
  async (t) => {
    const place = createPlace();
    t.teardown(() => place.end());
    mkdirSync(join(place.folder, 'programs'));
    writeFileSync(join(place.folder, 'programs/p.bpf.c'), '');
    writeFileSync(
      join(place.folder, 'programs/p.yaml'),
      'title: A program\nrun: [{program: p}]\nexpect: [{outcome: works, reason: written for this test}]\n',
    );
    const matrix = join(place.folder, 'matrix.yaml');
    writeFileSync(matrix, 'kernels: [{debian: "5.10"}, {debian: "6.1"}, {image: /boot/x, name: x+y}]\nprograms: [p]\n');
    const plan = (...more: readonly string[]) => place.run(['plan', '-m', matrix, '--shards', ...more]);
    const [github, table, many] = await Promise.all([plan('2', '--github'), plan('256'), plan('257', '--github')]);
    t.equal(
      github.stdout,
      '{"include":[{"shard":1,"shards":2,"kernels":"5.10 x+y","cells":2},{"shard":2,"shards":2,"kernels":"6.1","cells":1}]}\n',
    );
    t.match(table.stdout, /^shard +cells +about +kernels\n +1 +1 +5 s +5\.10\n +2 +1 +5 s +6\.1\n +3 +1 +5 s +x\+y\n$/);
    t.match(many, { code: 2, stdout: '', stderr: /--shards 257: a workflow's matrix makes 256 jobs at most/ });
  },
);

t.test('compare ends with 1 where a disagreement is unexplained, and refuses the results of one loader', async (t) => {
  const folder = t.testdir();
  const known = { id: 'old', loader: 'old', versions: null, what: 'It cannot.', why: 'It is old.', source: ['x'] };
  const write = (name: string, difference: string | undefined): string => {
    const refused = { phase: 'resolve', class: 'loader-lacks-feature', message: 'old: no' } as const;
    const cells = KERNELS.flatMap(({ name: kernel }) => [
      cell(kernel, 'reads', 'pass'),
      cell(kernel, 'reads', kernel === '6.12' ? 'pass' : 'xfail', {
        loader: 'old-0.1',
        ...(kernel === '6.12' ? {} : { outcome: refused, ...(difference === undefined ? {} : { difference }) }),
      }),
    ]);
    const run = results(cells, { kernels: KERNELS });
    const differences = deriveDisagreements(run, [{ ...known, from: 'matrix' }]);
    const path = join(folder, name);
    writeFileSync(path, toJson({ ...run, ...(differences === undefined ? {} : { differences }) }));
    return path;
  };
  const output = join(folder, 'out');
  const explained = write('explained.json', 'old');
  t.equal(await compare(explained, { format: 'text', output }), 0);
  t.match(readFileSync(output, 'utf8'), /^reads {7}all {10}6\.12\+ ≠$/m);
  const bare = write('bare.json', undefined);
  t.equal(await compare(bare, { format: 'json', output }), 1);
  t.match(JSON.parse(readFileSync(output, 'utf8')), { compared: 3, disagreements: 2, unexplained: 2 });
  t.equal(await compare(bare, { format: 'markdown', output, kernel: ['6.12'] }), 0, 'they agree on this one');
  await t.rejects(compare(bare, { format: 'text', output, loader: ['old-*'] }), {
    code: 'one-loader',
    message: /--loader leaves old-0\.1 alone/,
  });
  await t.rejects(compare(bare, { format: 'text', output, program: ['raeds'] }), {
    code: 'no-such-program',
    message: /did you mean "reads"/,
  });
});
