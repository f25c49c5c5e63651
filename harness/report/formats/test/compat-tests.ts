import t from 'tap';
import type { CellResult } from '../../../results/results.ts';
import { cell, results, sampleKernel } from '../../test/samples.ts';
import { compatOf } from '../compat.ts';

const CLOUD = ['5.10', '6.1', '6.6', '6.12', '7.3'];
const KERNELS = [
  ...CLOUD.map((name) => sampleKernel(name)),
  ...['6.1-generic', '6.12-generic'].map((name) => sampleKernel(name)),
  sampleKernel('mine', { kind: 'tree', flavour: null }),
];

/** A program's cells on kernels: works, fails with a class, or is flaky. */
function cells(
  program: string,
  outcomes: Readonly<Record<string, string>>,
  more: Partial<CellResult> = {},
): CellResult[] {
  return Object.entries(outcomes).map(([kernel, outcome]) => {
    if (outcome === 'works') return cell(kernel, program, 'pass', more);
    if (outcome === 'flaky') return cell(kernel, program, 'flaky', more);
    const kind = outcome === 'wrong-value' ? outcome : 'btf-has-no-vars';
    const failure = { phase: kind === 'wrong-value' ? 'check' : 'resolve', class: kind, message: 'it fails' } as const;
    const expected = { outcome: failure, reason: `that is ${kind}`, source: 'x.yaml expect[0]' };
    return cell(kernel, program, 'xfail', { ...more, outcome: failure, expected });
  });
}

const support = (all: readonly CellResult[], program: string, variant = 'default', loader = 'ksym-matrix') =>
  compatOf(results(all, { kernels: KERNELS })).programs[program]?.variants[variant]?.loaders[loader];

t.test('a range says what was seen, and between which kernels it changed', (t) => {
  const all = cells('typed', {
    '5.10': 'btf-has-no-vars',
    '6.1': 'btf-has-no-vars',
    '6.6': 'works',
    '6.12': 'works',
    '7.3': 'wrong-value',
  });
  const nothing = { class: null, phase: null, cause: null };
  t.same(support(all, 'typed')?.axes['Debian cloud'], [
    {
      works: false,
      class: 'btf-has-no-vars',
      phase: 'resolve',
      cause: 'no VARs',
      notes: ['that is btf-has-no-vars'],
      since: '5.10',
      until: '6.1',
      after: null,
      before: '6.6',
      kernels: ['5.10', '6.1'],
    },
    {
      ...nothing,
      works: true,
      notes: ['it works everywhere'],
      since: '6.6',
      until: '6.12',
      after: '6.1',
      before: '7.3',
      kernels: ['6.6', '6.12'],
    },
    {
      works: false,
      class: 'wrong-value',
      phase: 'check',
      cause: 'wrong value',
      notes: ['that is wrong-value'],
      since: '7.3',
      until: '7.3',
      after: '6.12',
      before: null,
      kernels: ['7.3'],
    },
  ]);
  t.end();
});

t.test('what is not known stands by itself, and bounds nothing', (t) => {
  const all = cells('gaps', { '5.10': 'btf-has-no-vars', '6.1': 'flaky', '6.12': 'works' });
  const ranges = support(all, 'gaps')?.axes['Debian cloud'];
  t.same(
    ranges?.map(({ works, since, until, after, before, cause }) => [works, since, until, after, before, cause]),
    [
      [false, '5.10', '5.10', null, '6.12', 'no VARs'],
      [null, '6.1', '6.1', null, null, 'flaky'],
      [null, '6.6', '6.6', null, null, 'not run'],
      [true, '6.12', '6.12', '5.10', null, null],
      [null, '7.3', '7.3', null, null, 'not run'],
    ],
  );
  t.same(ranges?.[1]?.notes, [], 'no reason is given for what was not as expected');
  const both = support(cells('both', { '5.10': 'works', '6.6': 'works' }), 'both')?.axes['Debian cloud'];
  t.same(
    both?.filter(({ works }) => works === true).map(({ since, after, before }) => [since, after, before]),
    [
      ['5.10', null, null],
      ['6.6', null, null],
    ],
    'nothing says that it ever changed',
  );
  t.end();
});

t.test('each axis has its own ranges, and kernels by themselves are by name', (t) => {
  const all = [
    ...cells('typed', { '5.10': 'btf-has-no-vars', '6.1': 'works', '6.12-generic': 'works', mine: 'wrong-value' }),
    ...cells('typed', { '5.10': 'works' }, { variant: 'weak', loader: 'libbpf' }),
  ];
  const own = support(all, 'typed');
  t.same(Object.keys(own?.axes ?? {}), ['Debian cloud', 'Debian generic']);
  t.same(
    own?.axes['Debian generic']?.map(({ works, since, after }) => [works, since, after]),
    [
      [null, '6.1-generic', null],
      [true, '6.12-generic', null],
    ],
  );
  t.match(own?.apart, { mine: { works: false, class: 'wrong-value' } });
  t.equal(support(all, 'typed', 'weak', 'libbpf')?.axes['Debian cloud']?.[0]?.works, true);
  const { kernels, axes } = compatOf(results(all, { kernels: KERNELS }));
  t.match(kernels, { mine: { axis: null }, '6.1': { axis: 'Debian cloud' } });
  t.same(axes['Debian cloud'], CLOUD);
  t.end();
});

t.test('a program whose name means something to JavaScript is a program', (t) => {
  const compat = compatOf(results([cell('5.10', '__proto__', 'pass')]));
  t.same(Object.keys(JSON.parse(JSON.stringify(compat)).programs), ['__proto__']);
  t.end();
});
