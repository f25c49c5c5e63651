import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { ObjectError } from '../../../loader/errors.ts';
import { inputOf, runBatch } from '../batch.ts';
import { elfFields } from '../fields.ts';
import { repeatFinding, writeFinding } from '../findings.ts';
import { mutate, OPERATIONS } from '../mutation.ts';
import { batchSeed, planAt, plans } from '../plan.ts';
import { runFuzz } from '../run-fuzz.ts';
import { readSeeds } from '../seeds.ts';
import { type Refusals, type Target, Violation } from '../target.ts';
import { SHARES } from '../targets/all.ts';
import { tryInput } from '../try-input.ts';
import { testRegressions } from './regressions.ts';

/** What npm test gives the fuzzer, in seconds. */
const SECONDS = 30;

const seeds = await readSeeds({ programs: false });
const BATCH = { target: 'planted', seed: 5, batch: 0, inputs: 400 };

/** A target with a defect of the test's choice. */
function planted(run: (bytes: Uint8Array, refusals: Refusals) => void): Target {
  const bytes = new Uint8Array(64).map((_, index) => index);
  return { name: 'planted', seeds: [{ name: 'numbers', bytes, fields: [] }], words: [], run };
}

function findingOf(run: (bytes: Uint8Array, refusals: Refusals) => void) {
  return runBatch(BATCH, planted(run), new Set(), { starting: () => undefined }).findings[0];
}

t.test('An error that is not of the library is found, and its input made as small as it can be', (t) => {
  const finding = findingOf((bytes, refusals) =>
    refusals.attempt(() => {
      if (bytes.length < 40) throw new RangeError('too short');
    }),
  );
  t.match(finding, { target: 'planted', kind: 'foreign-error', message: 'RangeError: too short', seed: 'numbers' });
  t.equal(finding?.plan.mutations.length, 1, 'one mutation is enough to cut it off');
  t.ok((finding?.input.length ?? 64) < 40);
  t.end();
});

t.test("The library's own errors are answers, whole ones", (t) => {
  const refuse = (code: string) => (_: Uint8Array, refusals: Refusals) =>
    void refusals.attempt(() => {
      throw new ObjectError(code, 'refused', {});
    });
  t.equal(findingOf(refuse('object-refused')), undefined);
  t.match(findingOf(refuse('Object Refused')), { kind: 'unexplained-error' });
  t.end();
});

t.test('What was refused must be refused again', (t) => {
  let calls = 0;
  const finding = findingOf((_, refusals) => {
    refusals.attemptTwice(() => {
      calls += 1;
      if (calls % 2 === 1) throw new ObjectError('refused', 'refused', {});
    });
  });
  t.match(finding, { kind: 'half-result' });
  t.end();
});

t.test('Inputs that are written to, that take too long or too much memory, are found', (t) => {
  const bytes = new Uint8Array(8);
  const kind = (run: (input: Uint8Array) => void) => tryInput(planted(run), bytes, 50).violation?.kind;
  t.equal(
    kind((input) => input.fill(1)),
    'input-changed',
  );
  t.strictSame(bytes, new Uint8Array(8), 'on a copy');
  t.equal(
    kind(() => void new Uint8Array(256 * 1024 * 1024)),
    'memory',
  );
  let times = 0;
  const busy = (always: boolean) => () => {
    times += 1;
    const [start, before, wanted] = [performance.now(), process.cpuUsage(), always || times === 1 ? 60 : 0];
    const used = (): number => Object.values(process.cpuUsage(before)).reduce((sum, part) => sum + part, 0) / 1000;
    while (Math.min(used(), performance.now() - start) < wanted);
  };
  t.equal(kind(busy(true)), 'slow');
  times = 0;
  t.equal(kind(busy(false)), undefined, 'but not if it was slow only once');
  t.end();
});

t.test('A known finding is passed over, and the batch goes on', (t) => {
  const target = planted((bytes) => {
    if (bytes.length !== 64) throw new Violation('length', 'not 64');
  });
  const known = new Set<string>();
  const watch = { starting: () => undefined };
  t.strictSame(
    runBatch(BATCH, target, known, watch).findings.map(({ key }) => key),
    ['planted/length'],
  );
  const second = runBatch(BATCH, target, known, watch);
  t.strictSame(second.findings, []);
  t.equal(second.inputs, BATCH.inputs);
  t.end();
});

t.test('The same seed gives the same inputs, each of which can be had alone', (t) => {
  const inputs = (): string[] => {
    const found: string[] = [];
    runBatch(
      BATCH,
      planted((bytes) => void found.push(Buffer.from(bytes).toString('hex'))),
      new Set(),
      {
        starting: () => undefined,
      },
    );
    return found;
  };
  const first = inputs();
  t.strictSame(inputs(), first);
  t.ok(new Set(first).size > 300, 'hardly two are alike');
  const target = planted(() => undefined);
  for (const index of [0, 7, 399]) {
    const { bytes } = inputOf(planAt(batchSeed(BATCH.seed, BATCH.target, BATCH.batch), index), target);
    t.equal(Buffer.from(bytes).toString('hex'), first[index], `input ${index}`);
  }
  t.end();
});

t.test('Every mutation keeps the seed as it is, and the growth within bounds', (t) => {
  const object = seeds.objects[0]?.bytes ?? new Uint8Array();
  const before = object.slice();
  const source = { bytes: object, fields: elfFields(object), donors: [before], words: [new Uint8Array(9)] };
  for (const operation of new Set(OPERATIONS)) {
    const results = [1, 999, 12_345, 678_901, 0xffff_ffff].map((number) =>
      mutate(source, [{ operation, where: number, what: number + 1 }]),
    );
    t.ok(
      results.some((bytes) => Buffer.compare(bytes, before) !== 0),
      operation,
    );
  }
  fc.assert(fc.property(plans, (plan) => mutate(source, plan.mutations).length <= object.length + 64 * 1024));
  t.strictSame(object, before);
  t.end();
});

t.test(
  'An input that never ends, or takes all memory, is ended from outside, named, and the run goes on',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'ksym-matrix-fuzz-test-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const options = { seeds, seed: 3, inputs: 300, workerFile: new URL('./stuck-worker.js', import.meta.url) };
    const end = await runFuzz({ ...options, targets: ['verifier-log'], heapMiB: 48 });
    t.match(end.findings, [{ target: 'verifier-log', kind: 'memory' }]);
    const summary = await runFuzz({ ...options, targets: ['instructions'], hangMs: 1500 });
    t.match(summary.findings, [{ target: 'instructions', kind: 'hang' }]);
    t.ok(summary.inputs >= 300, 'the run goes on with a new thread');
    const [hang] = summary.findings;
    if (hang === undefined) return;
    t.strictSame(hang.plan, planAt(batchSeed(3, 'instructions', 0), 3), 'it is the fourth input of the first batch');
    const path = await writeFinding(hang, folder);
    t.equal(await repeatFinding(path, seeds), undefined, 'its bytes are in the file; the loader itself takes them');
    await t.rejects(repeatFinding(join(folder, 'nothing.json'), seeds), { code: 'finding-unreadable' });
    for (const other of ['null', '{ "target": "btf" }']) {
      writeFileSync(join(folder, 'other.json'), other);
      await t.rejects(repeatFinding(join(folder, 'other.json'), seeds), { code: 'finding-unreadable' }, other);
    }
  },
);

testRegressions(t);

t.test(`${SECONDS} seconds of mutated objects, BTF, code and text find nothing`, async (t) => {
  const { findings, inputs, targets } = await runFuzz({ seeds, seed: 1, seconds: SECONDS });
  for (const finding of findings)
    t.fail(`${finding.key}: ${finding.message}`, {
      input: Buffer.from(finding.input).toString('base64'),
      stack: finding.stack,
    });
  t.comment(`${inputs} inputs`);
  for (const name of Object.keys(SHARES)) t.ok((targets.get(name)?.accepted ?? 0) > 10, `${name} also took inputs`);
});
