import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type CorpusResults, readBaseline } from '../baseline.ts';
import { compareWithBaseline } from '../compare.ts';
import { objectsIn } from '../find-objects.ts';
import { judgeResults } from '../judge-results.ts';
import { LibbpfMemory } from '../libbpf-memory.ts';
import { LOADED } from '../verdict.ts';

/** One object that libbpf loads and we do not, although each of its programs loads alone. */
const RESULTS: CorpusResults = {
  ...(await readBaseline()),
  sources: { tools: { package: 'tools', version: '1', objects: 1 } },
  kernels: { '6.1': '6.1.1-1' },
  coreCases: { agrees: 75, disagrees: {}, notRun: { probed: 'it needs a module' } },
  objects: {
    'tools/together': {
      parsed: 'ok',
      byteOrder: 'little',
      programs: 2,
      verdicts: { '6.1': { libbpf: 'loaded', ours: 'map-rejected EINVAL' } },
    },
  },
};

t.test('a cause that is about some programs does not explain that a whole object is refused', (t) => {
  const cause = { objects: ['tools/*'], loads: 'libbpf' as const, why: 'known' };
  const causeOf = (causes: (typeof cause & { programs?: string[] })[]) =>
    judgeResults(RESULTS, { mustFail: [], tooHeavy: { objects: ['x'], why: '' }, causes }).disagreements[0]?.cause;
  t.equal(causeOf([{ ...cause, programs: ['one'] }]), null);
  t.equal(causeOf([cause]), 'known');
  t.end();
});

t.test('a case for CO-RE that is not run any more is told', (t) => {
  const coreCases = {
    agrees: 74,
    disagrees: {},
    notRun: { probed: 'it needs a module', arrays: 'it does not compile' },
  };
  t.same(compareWithBaseline({ ...RESULTS, coreCases }, RESULTS, true), [
    'CO-RE case arrays: not run any more: it does not compile',
    '75 cases for CO-RE agreed, now 74',
  ]);
  t.same(compareWithBaseline({ ...RESULTS, coreCases }, RESULTS, false), [], 'a part of the corpus runs none');
  t.end();
});

t.test('the header of a BPF object, with nothing behind it, is no object', (t) => {
  const header = Buffer.alloc(64);
  // <elf.h>: ELFCLASS64, ELFDATA2LSB, and EM_BPF in e_machine; no section table.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  header.writeUInt16LE(247, 18);
  t.same(objectsIn(Buffer.concat([Buffer.from('text'), header, header])), []);
  t.same(objectsIn(header), []);
  t.end();
});

t.test('what libbpf says while its earlier words are written down is not lost', async (t) => {
  const cache = await mkdtemp(join(tmpdir(), 'ksym-matrix-memory-'));
  t.teardown(() => rm(cache, { recursive: true }));
  const memory = await LibbpfMemory.open(cache, ['a kernel'], false);
  await memory.get('one', async () => LOADED);
  const saving = memory.save();
  await memory.get('two', async () => ({ loaded: false, reason: 'read EACCES', detail: '' }));
  await saving;
  await memory.save();
  const again = await LibbpfMemory.open(cache, ['a kernel'], false);
  for (const [name, loaded] of [
    ['one', true],
    ['two', false],
  ] as const) {
    const verdict = await again.get(name, async () => {
      t.fail(`${name} was asked for again`);
      return LOADED;
    });
    t.equal(verdict.loaded, loaded, name);
  }
});
