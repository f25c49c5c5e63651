import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { BASELINE_PATH, type CorpusResults, formatBaseline, readBaseline } from '../baseline.ts';
import { compareWithBaseline } from '../compare.ts';
import { CORPUS_DOCUMENT } from '../document-path.ts';
import { type Expectations, readExpectations } from '../expectations.ts';
import { findObjects, objectsIn } from '../find-objects.ts';
import { judgeResults } from '../judge-results.ts';
import { verdictOf } from '../oracle.ts';
import { redLines, renderDocument } from '../render.ts';
import { testModuleRecipe } from '../test-module-packages.ts';
import { testCoreCases } from './core-case-tests.ts';

/** An ELF header of a BPF object (<elf.h>) with a section table of one entry behind it. */
function bpfObject(order: 'little' | 'big', filling: number): Buffer {
  const bytes = Buffer.alloc(64 + 64, filling);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, order === 'little' ? 1 : 2]);
  const put = (value: number, offset: number): number =>
    order === 'little' ? bytes.writeUInt16LE(value, offset) : bytes.writeUInt16BE(value, offset);
  put(247, 18);
  if (order === 'little') bytes.writeBigUInt64LE(64n, 40);
  else bytes.writeBigUInt64BE(64n, 40);
  put(64, 58);
  put(1, 60);
  return bytes;
}

t.test('objects are found where programs carry them', async (t) => {
  const [one, other] = [bpfObject('little', 1), bpfObject('big', 2)];
  const program = Buffer.concat([bpfObject('little', 3).fill(62, 18, 20), Buffer.from('text'), one, other, one]);
  t.same(
    objectsIn(program).map((bytes) => Buffer.from(bytes)),
    [one, other, one],
    'x86 programs are no BPF objects',
  );
  t.same(objectsIn(one), [one], 'a file of its own');
  t.same(objectsIn(one.subarray(0, 100)), [], 'an object that is cut off');

  const folder = await mkdtemp(join(tmpdir(), 'ksym-matrix-corpus-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'a-tool'), program);
  await writeFile(join(folder, 'b.bpf.o'), other);
  const found = await findObjects(folder);
  t.same(
    found.map(({ name }) => name),
    ['a-tool', 'a-tool-2'],
    'each once, numbered',
  );
});

t.test("bpftool's complaints are understood", async (t) => {
  const refused = verdictOf(
    "libbpf: prog 'read': BPF program load failed: Permission denied\nlibbpf: prog 'read': -- BEGIN PROG LOAD LOG --\n…\nError: failed to load object file\n",
  );
  t.match(refused, { loaded: false, reason: 'read EACCES' });
  const newer = verdictOf("libbpf: prog 'read': BPF program load failed: -EINVAL\n");
  t.equal(newer.reason, 'read EINVAL', 'libbpf 1.6 and later tell the name');
  const optional = "libbpf: prog 'later': can't pin program that wasn't loaded\nError: failed to pin all programs\n";
  t.equal(verdictOf(optional).loaded, true, 'programs that do not load by default cannot be pinned');
  const map = verdictOf(
    "libbpf: Error in bpf_create_map_xattr(outer):Invalid argument(-22). Retrying without BTF.\nlibbpf: map 'outer': failed to create: Invalid argument(-22)\n",
  );
  t.equal(map.reason, "map 'outer': failed to create: Invalid argument(-22)", 'the first complaint that is one');
});

const RESULTS: CorpusResults = {
  schemaVersion: 1,
  tools: { bpftool: '7.5.0', compiler: 'clang 19' },
  sources: { tools: { package: 'tools', version: '1', objects: 4 } },
  kernels: { '6.1': '6.1.1-1' },
  testModules: {},
  notCompiled: {},
  coreCases: { agrees: 3, disagrees: {}, notRun: {} },
  objects: {
    'tools/good': { parsed: 'ok', byteOrder: 'little', programs: 97, verdicts: { '6.1': 'loaded' } },
    'tools/less': {
      parsed: 'ok',
      byteOrder: 'little',
      programs: 3,
      verdicts: {
        '6.1': { libbpf: 'loaded', ours: 'program-rejected b EINVAL', refused: { b: 'program-rejected b EINVAL' } },
      },
    },
    'tools/neither': {
      parsed: 'ok',
      byteOrder: 'little',
      programs: 1,
      verdicts: { '6.1': { libbpf: 'x EACCES', ours: 'program-rejected x EACCES' } },
    },
    'tools/broken': {
      parsed: 'legacy-maps',
      byteOrder: null,
      programs: 0,
      verdicts: { '6.1': { libbpf: 'no', ours: 'legacy-maps' } },
    },
  },
};
const EXPECTATIONS: Expectations = {
  mustFail: [{ objects: ['tools/bro*'], code: 'legacy-maps', why: 'old' }],
  tooHeavy: { objects: ['tools/heavy'], why: 'minutes' },
  causes: [{ objects: ['*/less'], programs: ['b'], kernels: ['6.1'], loads: 'libbpf', why: 'b is special' }],
};

t.test('programs agree or do not, and every difference wants a cause', async (t) => {
  const judgement = judgeResults(RESULTS, EXPECTATIONS);
  t.match(judgement.figures, [
    { libbpfObjects: 2, libbpfPrograms: 100, agreeing: 99, libbpfRefused: 2, bothRefuse: 2, alike: 1 },
  ]);
  t.match(judgement.disagreements, [{ object: 'tools/less', programs: ['b'], cause: 'b is special' }]);
  t.same(redLines(RESULTS, judgement), []);
  t.same(judgement.unused, []);

  const nothingKnown = judgeResults(RESULTS, { ...EXPECTATIONS, mustFail: [], causes: [] });
  t.match(redLines(RESULTS, nothingKnown), [
    /^tools\/broken is not parsed: legacy-maps$/,
    /tools\/less \(b\).*nobody knows why/,
  ]);
  const stale = {
    ...EXPECTATIONS,
    causes: [...EXPECTATIONS.causes, { objects: ['gone'], loads: 'ours' as const, why: '?' }],
  };
  t.same(judgeResults(RESULTS, stale).unused, ['gone: ?'], 'a cause of nothing is said');
});

t.test('a run whose programs agree too seldom is red, whatever the causes', async (t) => {
  const good = { parsed: 'ok', byteOrder: 'little' as const, programs: 90, verdicts: { '6.1': 'loaded' as const } };
  const results = { ...RESULTS, objects: { ...RESULTS.objects, 'tools/good': good } };
  t.same(redLines(results, judgeResults(results, EXPECTATIONS)), []);
  const few = { ...RESULTS, objects: { ...RESULTS.objects, 'tools/good': { ...good, programs: 10 } } };
  t.match(redLines(few, judgeResults(few, EXPECTATIONS)), ['on 6.1 only 92.3 % of the programs agree']);
});

t.test('what differs from the baseline is told', async (t) => {
  t.same(compareWithBaseline(RESULTS, RESULTS, true), []);
  const { 'tools/good': good, ...others } = RESULTS.objects;
  t.same(compareWithBaseline({ ...RESULTS, objects: others }, RESULTS, true), ['tools/good: no longer there']);
  t.same(compareWithBaseline({ ...RESULTS, objects: others }, RESULTS, false), [], 'objects that were not asked for');
  const verdicts = { '6.1': { libbpf: 'loaded', ours: 'map-rejected EINVAL', refused: { a: 'map-rejected EINVAL' } } };
  t.ok(good);
  const worse = { ...others, 'tools/good': { parsed: 'ok', byteOrder: 'little' as const, programs: 97, verdicts } };
  t.same(compareWithBaseline({ ...RESULTS, objects: worse }, RESULTS, true), [
    'tools/good: on 6.1 our verdict was loaded, now map-rejected EINVAL',
    'tools/good: on 6.1 we refused none of its programs, now a',
  ]);
});

t.test(
  'docs/corpus.md is what the committed baseline and the expectations say, and nothing in them is red',
  async (t) => {
    const [baseline, expectations] = [await readBaseline(), await readExpectations()];
    const judgement = judgeResults(baseline, expectations);
    t.same(redLines(baseline, judgement), []);
    t.same(judgement.unused, []);
    t.equal(
      await readFile(CORPUS_DOCUMENT, 'utf8'),
      renderDocument(baseline, judgement),
      'npm run corpus -- --render writes it',
    );
    t.equal(await readFile(BASELINE_PATH, 'utf8'), formatBaseline(baseline));
  },
);

t.test(
  'bpf_testmod is compiled for Debian kernels whose headers have their types, with packages of the same release',
  async (t) => {
    const kernel = { kind: 'debian', line: '6.12', release: '6.12.9+deb13-cloud-amd64', flavour: 'cloud' } as const;
    const recipe = testModuleRecipe(kernel);
    t.same(
      recipe?.headers.map(({ name }) => name),
      ['linux-headers-6.12.9+deb13-cloud-amd64', 'linux-headers-6.12.9+deb13-common', 'linux-kbuild-6.12.9+deb13'],
    );
    t.ok(recipe?.tools.some(({ name }) => name === `gcc-${recipe.gcc}-x86-64-linux-gnu`));
    const others = [{ line: '6.1' }, { kind: 'debian-snapshot' }, { flavour: null }] as const;
    for (const other of others) t.equal(testModuleRecipe({ ...kernel, ...other }), null, JSON.stringify(other));
  },
);

testCoreCases(t);
