import t from 'tap';
import { cell, results, sampleKernel } from '../../report/test/samples.ts';
import { comparedLoaders, deriveDisagreements } from '../disagreements.ts';
import { mergeResults } from '../merge.ts';
import { parseResults } from '../read.ts';
import type { CellResult, Disagreement, KnownDifferenceResult, RunResults } from '../results.ts';
import { resultsJson } from '../results-json.ts';

const LOADERS: RunResults['loaders'] = [
  { name: 'ksym-matrix', version: '0.1.0', family: 'ksym-matrix' },
  { name: 'libbpf-1.1', version: '1.1.2', family: 'libbpf' },
  { name: 'libbpf-1.5', version: '1.5.0', family: 'libbpf' },
  { name: 'cilium/ebpf-0.22', version: '0.22.0', family: 'cilium/ebpf' },
];

const KNOWN: KnownDifferenceResult = {
  id: 'known',
  loader: 'libbpf',
  versions: null,
  what: 'libbpf does otherwise.',
  why: 'It was written so.',
  source: ['lib.c'],
  from: 'built-in',
};

/** One that is about what a loader makes of externs. */
const SEES: KnownDifferenceResult = { ...KNOWN, id: 'sees', resolves: 'null' };

function refused(kind: CellResult['outcome']['class']): CellResult['outcome'] {
  return { phase: 'resolve', class: kind, message: 'it says so' };
}

/** A cell of the program `one` on 6.12. */
function by(loader: string, more: Partial<CellResult> = {}): CellResult {
  const works = more.outcome === undefined || more.outcome.class === 'ok';
  return cell('6.12', 'one', works ? 'pass' : 'xfail', { loader, boot: 'a', ...more });
}

function disagreements(...cells: readonly CellResult[]): readonly Disagreement[] {
  const loaders = LOADERS.filter(({ name }) => cells.some((one) => one.loader === name));
  return deriveDisagreements({ cells, loaders }, [KNOWN, SEES, { ...KNOWN, id: 'alone' }])?.disagreements ?? [];
}

const [OURS, OLD, NEW, GO] = ['ksym-matrix', 'libbpf-1.1', 'libbpf-1.5', 'cilium/ebpf-0.22'] as const;

t.test('loaders that answer alike agree, however they word it', (t) => {
  t.same(disagreements(by(OURS), by(NEW)), []);
  t.same(
    disagreements(by(OURS, { outcome: refused('btf-has-no-vars') }), by(NEW, { outcome: refused('ksym-not-in-btf') })),
    [],
  );
  t.same(disagreements(by(OURS), by(NEW, { outcome: refused('infra'), verdict: 'infra' })), [], 'nothing was learnt');
  t.equal(deriveDisagreements({ cells: [by(OURS)], loaders: LOADERS.slice(0, 1) }, []), undefined);
  t.end();
});

t.test('one that stands apart is explained by its known difference, if that says what happened', (t) => {
  const apart = { outcome: refused('ksym-ambiguous'), difference: 'known' };
  t.same(disagreements(by(OURS), by(OLD), by(NEW, apart)), [
    {
      kernel: '6.12',
      program: 'one',
      variant: 'default',
      answers: [
        { kind: 'works', class: 'ok', loaders: [OURS, OLD] },
        { kind: 'ksym-ambiguous', class: 'ksym-ambiguous', loaders: [NEW] },
      ],
      values: [],
      causes: [{ difference: 'known', loaders: [NEW] }],
      explained: true,
    },
  ]);
  t.match(disagreements(by(OURS), by(NEW, { ...apart, verdict: 'fail' })), [
    { causes: [{ difference: null, loaders: [NEW] }], explained: false },
  ]);
  t.match(disagreements(by(OURS), by(NEW, { outcome: refused('ksym-ambiguous') })), [{ explained: false }]);
  t.match(disagreements(by(OURS), by(NEW, { ...apart, difference: 'made-up' })), [{ explained: false }]);
  t.match(
    disagreements(by(OURS), by(NEW, { verdict: 'fail' })),
    [{ causes: [{ difference: null, loaders: [NEW] }] }],
    'what is red with one loader alone, though the answer is the same',
  );
  t.same(disagreements(by(OURS, { verdict: 'fail' }), by(NEW, { verdict: 'fail' })), [], 'they are red together');
  t.end();
});

t.test('where ours was not run, those are the measure that do what the program expects', (t) => {
  const apart = { outcome: refused('ksym-ambiguous'), difference: 'known' };
  t.match(disagreements(by(OLD, apart), by(GO)), [{ causes: [{ difference: 'known', loaders: [OLD] }] }]);
  t.end();
});

t.test('ours needs a reason of its own where two families agree with each other and not with it', (t) => {
  const apart = { outcome: refused('ksym-ambiguous'), difference: 'known' };
  t.match(disagreements(by(OURS), by(NEW, apart), by(GO, apart)), [
    {
      causes: [
        { difference: 'known', loaders: [NEW, GO] },
        { difference: null, loaders: [OURS] },
      ],
      explained: false,
    },
  ]);
  t.match(disagreements(by(OURS, { difference: 'alone' }), by(NEW, apart), by(GO, apart)), [{ explained: true }]);
  t.match(disagreements(by(OURS), by(OLD, apart), by(NEW, apart)), [{ explained: true }], 'one family is one opinion');
  t.match(
    disagreements(
      by(OURS),
      by(OLD, { outcome: refused('loader-crashed'), difference: 'known' }),
      by(NEW, apart),
      by(GO, apart),
    ),
    [{ explained: false }],
    'a third answer does not help it',
  );
  t.match(disagreements(by(OURS), by(OLD), by(NEW, apart), by(GO, apart)), [{ explained: true }], 'one is with it');
  const unable = { outcome: refused('loader-lacks-feature'), difference: 'known' };
  t.match(disagreements(by(OURS), by(NEW, unable), by(GO, unable)), [{ explained: true }], 'who cannot has no opinion');
  t.end();
});

t.test('addresses must agree within one boot, BTF ids on every one', (t) => {
  const at = (address: `0x${string}`): Partial<CellResult> => ({
    externs: [{ name: 'x', kind: 'typeless', weak: false, result: 'address', address }],
  });
  const id = (btfId: number, module?: string): Partial<CellResult> => ({
    externs: [{ name: 'x', kind: 'typed', weak: false, result: 'btf-id', btfId, ...(module && { module }) }],
  });
  t.same(disagreements(by(OURS, at('0x10')), by(NEW, at('0x10'))), []);
  t.match(disagreements(by(OURS, at('0x10')), by(NEW, at('0x20'))), [
    {
      values: [
        {
          name: 'x',
          seen: [
            { value: '0x10', loaders: [OURS] },
            { value: '0x20', loaders: [NEW] },
          ],
        },
      ],
      explained: false,
    },
  ]);
  t.same(disagreements(by(OURS, at('0x10')), by(NEW, { ...at('0x20'), boot: 'b' })), [], 'KASLR moves them');
  t.match(disagreements(by(OURS, at('0x10')), by(NEW, { ...at('0x0'), boot: 'b' })), [{ explained: false }]);
  t.match(disagreements(by(OURS, id(7)), by(NEW, { ...id(8), boot: 'b' })), [{ explained: false }]);
  t.match(
    disagreements(by(OURS, id(7)), by(NEW, id(7, 'dummy'))),
    [{ explained: false }],
    "a module's ids are its own",
  );
  t.same(disagreements(by(OURS, id(7)), by(NEW)), [], 'what is not known is not compared');
  const none: Partial<CellResult> = { externs: [{ name: 'x', kind: 'typeless', weak: true, result: 'null' }] };
  t.same(disagreements(by(OURS, none), by(NEW, at('0x0'))), [], 'an address of 0 is NULL to the program');
  t.match(disagreements(by(OURS, at('0x10')), by(NEW, { ...none, difference: 'sees' })), [{ explained: true }]);
  t.match(
    disagreements(by(OURS, at('0x10')), by(NEW, { ...none, difference: 'known' })),
    [{ causes: [{ difference: null, loaders: [NEW] }], explained: false }],
    'a difference that says nothing of values explains none',
  );
  const apart = { outcome: { phase: 'check', class: 'wrong-value', message: 'v' } as const, difference: 'known' };
  t.match(
    disagreements(by(OURS), by(OLD, { ...apart, ...at('0x10') }), by(NEW, { ...apart, ...at('0x20') })),
    [{ values: [{ name: 'x' }], causes: [{ difference: 'known' }, { difference: null, loaders: [NEW] }] }],
    'those that agree with each other alone have to see the same, too',
  );
  t.end();
});

t.test('values may move from run to run, and yet both be true', (t) => {
  const read = (value: `0x${string}`, holds: boolean): Partial<CellResult> => ({
    values: [{ program: 'p', cpu: 0, variable: 'v', value, relation: 'equals', truth: holds ? value : '0x1', holds }],
  });
  t.same(disagreements(by(OURS, read('0x10', true)), by(NEW, read('0x20', true))), []);
  t.match(disagreements(by(OURS, read('0x10', true)), by(NEW, read('0x20', false))), [
    { values: [{ name: 'v after p on CPU 0' }], causes: [{ difference: null, loaders: [NEW] }] },
  ]);
  t.end();
});

t.test(
  'merged results say what the loaders of all shards disagree about, and are read again as they were written',
  (t) => {
    const shard = (kernel: string): RunResults => {
      const apart = { outcome: refused('ksym-ambiguous'), difference: 'known' };
      const cells = [by(OURS), by(NEW, apart)].map((one) => ({ ...one, kernel }));
      const loaders = [LOADERS[0], LOADERS[2]].flatMap((one) => one ?? []);
      const differences = deriveDisagreements({ cells, loaders }, [KNOWN, { ...KNOWN, id: 'not needed' }]);
      const more = differences === undefined ? {} : { differences };
      return results(cells, { kernels: [sampleKernel(kernel)], loaders, id: kernel, ...more });
    };
    const merged = mergeResults([shard('6.12'), shard('6.1')]);
    t.same(merged.differences?.known, [KNOWN], 'those that cells fall under');
    t.equal(merged.differences?.compared, 2);
    t.same(
      merged.differences?.disagreements.map(({ kernel, explained }) => [kernel, explained]),
      [
        ['6.1', true],
        ['6.12', true],
      ],
    );
    t.same(parseResults([...resultsJson(merged)].join(''), 'here').differences, merged.differences);
    t.end();
  },
);

t.test(
  'shards by loader keep what is known of theirs: merged, they say the same as one run of all; ours comes first',
  (t) => {
    const apart = { outcome: refused('ksym-ambiguous'), difference: 'known' };
    const shard = (loader: string, one: CellResult): RunResults => {
      const loaders = LOADERS.filter(({ name }) => name === loader);
      const differences = deriveDisagreements({ cells: [one], loaders }, [KNOWN, SEES]);
      const more = differences === undefined ? {} : { differences };
      return results([one], { kernels: [sampleKernel('6.12')], loaders, id: loader.replace(/\W/g, '-'), ...more });
    };
    const theirs = shard(NEW, by(NEW, apart));
    t.same(theirs.differences, { compared: 0, known: [KNOWN], disagreements: [] });
    t.equal(comparedLoaders(theirs), undefined, 'one loader is no comparison');
    t.equal(shard(OURS, by(OURS)).differences, undefined);
    const merged = mergeResults([shard(GO, by(GO)), theirs, shard(OURS, by(OURS))]);
    t.equal(merged.loaders[0]?.name, OURS);
    t.match(comparedLoaders(merged), {
      compared: 1,
      known: [KNOWN],
      disagreements: [{ causes: [{ difference: 'known', loaders: [NEW] }], explained: true }],
    });
    t.end();
  },
);
