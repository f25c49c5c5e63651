import t from 'tap';
import { type DatedKernel, groupByAxis, oldestFirst } from '../kernel-axes.ts';
import { deriveRanges } from '../ranges.ts';
import type { CellResult } from '../results.ts';

type RangeCell = Parameters<typeof deriveRanges>[1][number];

function kernel(name: string, version: string, more: Partial<DatedKernel> = {}): DatedKernel {
  return { name, kind: 'debian', flavour: 'cloud', release: null, version, source: 'Debian', ...more };
}

/** A cell of the program `p`: its class, or a verdict of its own. */
function cell(on: string, kind: CellResult['outcome']['class'], more: Partial<RangeCell> = {}): RangeCell {
  const phase = kind === 'ok' ? 'check' : 'resolve';
  const outcome = { phase, class: kind, message: '' } as const;
  return { kernel: on, loader: 'ksym-matrix', program: 'p', variant: 'default', outcome, verdict: 'pass', ...more };
}

const names = (kernels: readonly DatedKernel[]): string[] => kernels.map(({ name }) => name);

t.test('kernels are put in the order of their versions, as far as those say what came first', (t) => {
  const { axes, apart } = groupByAxis([
    kernel('7.3', '7.3.4-1~bpo13+1'),
    kernel('5.10', '5.10.262-1'),
    kernel('vars', '5.10.262', { kind: 'build', flavour: null }),
    kernel('5.9-snapshot', '5.9', { kind: 'debian-snapshot' }),
    kernel('6.12-again', '6.12.117-1'),
    kernel('6.12', '6.12.117-1'),
    kernel('6.1-rt', '6.1.192-2', { flavour: 'rt' }),
    kernel('rc', '6.7-rc3', { kind: 'ubuntu-mainline', flavour: null }),
    kernel('final', 'v6.7', { kind: 'ubuntu-mainline', flavour: null }),
    kernel('image', 'sha256:12', { kind: 'oci', flavour: null, release: '6.6.5', source: 'host:5000/a/b:6.6' }),
    kernel('older image', 'sha256:34', { kind: 'oci', flavour: null, release: '5.15.3', source: 'host:5000/a/b:5.15' }),
  ]);
  t.same(
    axes.map((axis) => [axis.name, ...names(axis.kernels)]),
    [
      ['Debian cloud', '5.9-snapshot', '5.10', '6.12-again', '7.3'],
      ['Ubuntu mainline', 'rc', 'final'],
      ['host:5000/a/b', 'older image', 'image'],
    ],
  );
  t.same(names(apart), ['vars', '6.12', '6.1-rt'], 'built ones, the same version again, one of its kind');
  const mixed = [
    kernel('b', '6.12.1'),
    kernel('vars', '5.10.9', { kind: 'build' }),
    kernel('a', '6.2'),
    kernel('c', '6.12.1'),
  ];
  t.same(names(oldestFirst(mixed)), ['vars', 'a', 'b', 'c'], 'all of them have a place in the grid');
  t.end();
});

t.test('neighbours that end alike are one range; what was not run, broke or is flaky is unknown', (t) => {
  const versions = ['5.10', '6.1', '6.12', '6.16', '6.17', '6.18', '7.0', '7.1'];
  const built = kernel('vars', '5.10.1', { kind: 'build' });
  const cells = [
    cell('7.1', 'ok'),
    cell('5.10', 'btf-has-no-vars'),
    cell('6.1', 'ok'),
    cell('6.12', 'ok', { verdict: 'xpass' }),
    cell('6.16', 'infra'),
    cell('6.17', 'ok', { verdict: 'flaky' }),
    cell('6.18', 'ok'),
    cell('vars', 'ok'),
    cell('5.10', 'ok', { variant: 'strict' }),
  ];
  const { axes, apart, programs } = deriveRanges(
    [built, ...versions.map((name) => kernel(name, `${name}.3-1`))],
    cells,
  );
  t.same(axes, [{ name: 'Debian cloud', kernels: versions }]);
  t.same(apart, ['vars']);
  const [plain, strict] = programs;
  t.same(
    plain?.ranges.map(({ axis, since, until, outcome, cause }) => [axis, since, until, outcome, cause]),
    [
      ['Debian cloud', '5.10', '5.10', 'fails', 'no VARs'],
      ['Debian cloud', '6.1', '6.12', 'works', null],
      ['Debian cloud', '6.16', '6.16', 'unknown', 'harness broke'],
      ['Debian cloud', '6.17', '6.17', 'unknown', 'flaky'],
      ['Debian cloud', '6.18', '6.18', 'works', null],
      ['Debian cloud', '7.0', '7.0', 'unknown', 'not run'],
      ['Debian cloud', '7.1', '7.1', 'works', null],
      [null, 'vars', 'vars', 'works', null],
    ],
  );
  t.match(plain?.ranges[0], { class: 'btf-has-no-vars', phase: 'resolve', kernels: ['5.10'] });
  t.match(plain?.ranges[1], { class: null, phase: null, kernels: ['6.1', '6.12'] });
  t.match(strict, {
    variant: 'strict',
    ranges: [{ outcome: 'works' }, { since: '6.1', until: '7.1', cause: 'not run' }, {}],
  });
  // The same class in another phase is another outcome.
  const early = cell('6.1', 'verifier-rejected');
  const late = { ...early, kernel: '6.12', outcome: { ...early.outcome, phase: 'run' as const } };
  const two = deriveRanges([kernel('6.1', '6.1.1'), kernel('6.12', '6.12.1')], [early, late]);
  t.equal(two.programs[0]?.ranges.length, 2);
  t.end();
});
