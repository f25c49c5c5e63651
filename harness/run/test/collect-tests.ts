import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { MatrixException } from '../../config/schema.ts';
import { MachineError } from '../../vm/errors.ts';
import { ResultCollector } from '../collect.ts';
import type { RunEvent } from '../events.ts';
import { EvidenceFolder, toJson, writeWhole } from '../evidence.ts';
import type { GuestFacts } from '../facts.ts';
import type { Outcome } from '../outcome.ts';
import { runGroup } from '../run-group.ts';
import { planGroups } from '../select.ts';
import { compiled, OK, STRICT, sampleMatrix, sampleProgram, selected } from './samples.ts';
import { failure, REFUSED } from './verdict-table.ts';

const GUEST: GuestFacts = {
  values: { 'btf.vars': 0 },
  kernel: {
    kallsyms: null,
    vmlinuxBtf: null,
    moduleBtfs: [],
    moduleBtfsUnavailable: null,
    btfIdLoads: null,
  },
};

const RUN = {
  startedAt: '2026-01-31T12:00:00.000Z',
  timings: { total: 1 },
  complete: true,
  toolVersion: '0.1.0',
  host: {
    clang: 'clang',
    qemu: 'qemu',
    virtmeNg: '1.35',
    accelerator: 'tcg',
    acceleratorReason: 'no /dev/kvm',
    node: '20',
    cpus: 2,
  },
} as const;

t.test('results come out in the order of the matrix, whatever order they came in', async (t) => {
  const programs = [sampleProgram('a'), sampleProgram('b', ['default', 'strict'])];
  const unused: MatrixException = { kernel: '4.19', outcome: 'works', reason: 'for a kernel that went away' };
  const used: MatrixException = {
    kernel: '5.10',
    program: 'a',
    facts: { 'btf.vars': false },
    outcome: 'works',
    reason: 'as the facts have it',
  };
  const matrix = sampleMatrix(programs, [STRICT], [unused, used], [{ debian: '5.10' }, { debian: '6.12' }]);
  const kernels = [selected('5.10'), selected('6.12')];
  const groups = planGroups(kernels, programs, matrix);
  const events: RunEvent[] = [];
  const evidence = await EvidenceFolder.create(t.testdir({}), 'run');
  const collector = new ResultCollector({
    matrix,
    kernels,
    compiled: programs.map((program) => compiled(program)),
    evidence,
    listener: (event) => events.push(event),
    groups,
  });
  const boot = await collector.startBoot('6.12', ['nosmp']);
  boot.ready(4000);
  collector.addFacts('6.12', ['nosmp'], { ...GUEST, values: { of: 'a boot with parameters' } });
  collector.addFacts('6.12', [], GUEST);
  collector.addFacts('6.12', ['nosmp'], { ...GUEST, values: { of: 'a boot with parameters' } });
  for (const cell of groups.flatMap((group) => group.cells).reverse()) {
    await collector.addCell(cell, cell.program.name === 'a' ? OK : REFUSED, GUEST, 5, null);
  }
  const results = collector.finish(RUN);
  t.same(
    results.cells.map((cell) => [cell.kernel, cell.program, cell.variant, cell.verdict]),
    [
      ['5.10', 'a', 'default', 'pass'],
      ['5.10', 'b', 'default', 'fail'],
      ['5.10', 'b', 'strict', 'fail'],
      ['6.12', 'a', 'default', 'pass'],
      ['6.12', 'b', 'default', 'fail'],
      ['6.12', 'b', 'strict', 'fail'],
    ],
  );
  t.equal(results.schemaVersion, 1);
  t.match(results.totals, { pass: 2, fail: 4, infra: 0 });
  t.match(results.cells[0], { expected: { source: 'matrix.yaml exceptions[1]', reason: 'as the facts have it' } });
  t.match(results.kernels[1], { facts: { 'btf.vars': 0 }, boots: [{ parameters: ['nosmp'], bootMs: 4000 }] });
  t.equal(results.kernels[1]?.facts.of, undefined, 'the facts are those of a boot without parameters');
  t.notOk('verifierLog' in (results.cells[1]?.outcome ?? {}), 'a log is a file, and not part of the JSON');
  const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.text] : []));
  t.equal(warnings.length, 1);
  t.match(warnings[0], /exceptions\[0\] applies to no cell any more: for a kernel that went away/);
  const counts = events.flatMap((event) => (event.kind === 'cell' ? [`${event.done}/${event.total}`] : []));
  t.same(counts, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
  // What --json writes must survive JSON: addresses are bigints inside.
  t.same(JSON.parse(toJson(results)).cells.length, 6);
});

t.test('a run with cells left out says nothing about exceptions that were not needed', async (t) => {
  const programs = [sampleProgram('a')];
  const matrix = sampleMatrix(programs, [], [{ kernel: '4.19', outcome: 'works', reason: 'went away' }]);
  const events: RunEvent[] = [];
  const collector = new ResultCollector({
    matrix,
    kernels: [],
    compiled: programs.map((program) => compiled(program)),
    evidence: await EvidenceFolder.create(t.testdir({}), 'run'),
    listener: (event) => events.push(event),
    groups: [],
  });
  t.equal(collector.finish({ ...RUN, complete: false }).complete, false);
  t.same(events, []);
});

t.test('the evidence of a cell is written whole, with addresses in hex, and old runs go', async (t) => {
  const parent = t.testdir({});
  const name = (day: number): string => `2026-01-${String(day).padStart(2, '0')}T00-00-00.000Z`;
  for (let day = 1; day <= 25; day++) mkdirSync(join(parent, name(day)));
  mkdirSync(join(parent, 'mine'));
  const folder = await EvidenceFolder.create(parent, name(26));
  const kept = readdirSync(parent).sort();
  // harness/run/evidence.ts keeps twenty; what it did not make it does not touch.
  t.same(kept, [...Array.from({ length: 20 }, (_, index) => name(index + 7)), 'mine']);
  const outcome: Outcome = {
    ...REFUSED,
    resolutions: [
      { name: 'a', kind: 'typeless', weak: false, outcome: { result: 'address', address: 0xffffffff81000001n } },
    ],
    values: [{ program: 'read', cpu: 0, variable: 'v', value: '0x1', relation: 'equals', truth: '0x2', holds: false }],
  };
  const written = await folder.writeCell('6.12', 'a@strict', outcome, '/console.log');
  t.equal(written.console, '/console.log');
  t.equal(written.verifierLog, join(folder.path, '6.12/a@strict/verifier.log'));
  t.equal(readFileSync(written.verifierLog ?? '', 'utf8'), REFUSED.verifierLog);
  t.equal(JSON.parse(readFileSync(written.resolution ?? '', 'utf8'))[0].outcome.address, '0xffffffff81000001');
  t.equal(JSON.parse(readFileSync(written.values ?? '', 'utf8'))[0].holds, false);
  t.same(await folder.writeCell('6.12', 'b', OK, null), {
    console: null,
    resolution: null,
    verifierLog: null,
    values: null,
  });
  t.same(readdirSync(join(folder.path, '6.12', 'a@strict')).sort(), ['resolution.json', 'values.json', 'verifier.log']);
  await t.rejects(writeWhole(join(folder.path, 'no', 'folder'), 'x'), { code: 'ENOENT' });
  t.notOk(existsSync(join(folder.path, 'no')));
  // A file where a folder should be: nothing can be made below it, not even by root.
  const file = written.verifierLog ?? '';
  await t.rejects(EvidenceFolder.create(file, 'x'), { code: 'evidence-not-writable', where: join(file, 'x') });
});

t.test(
  'a program without an object costs no boot, and a machine that does not come up is charged to each cell',
  async (t) => {
    const [broken, fine] = [sampleProgram('broken'), sampleProgram('fine')];
    const [group] = planGroups([selected('6.12')], [broken, fine], sampleMatrix([broken, fine]));
    t.ok(group);
    if (group === undefined) return;
    const play = async (error: Error, programs = [broken, fine]): Promise<{ boots: number; seen: string[] }> => {
      const seen: string[] = [];
      let boots = 0;
      const cells = group.cells.filter((cell) => programs.includes(cell.program));
      await runGroup(
        { ...group, cells },
        {
          boot: async () => {
            boots++;
            throw error;
          },
          compiled: new Map([
            ['broken', compiled(broken, failure('compile-failed', 'compile'))],
            ['fine', compiled(fine)],
          ]),
          onFacts: () => undefined,
          onOutcome: async (cell, outcome) => {
            seen.push(`${cell.program.name} ${outcome.phase} ${outcome.class}`);
          },
          signal: new AbortController().signal,
        },
      );
      return { boots, seen };
    };
    const dead = (code: ConstructorParameters<typeof MachineError>[0]): MachineError =>
      new MachineError(code, 'x', 'boot');
    const compileFailure = 'broken compile compile-failed';
    t.same(await play(dead('kernel-panic')), { boots: 1, seen: [compileFailure, 'fine boot kernel-panic'] });
    t.same(await play(dead('kernel-panic'), [broken]), { boots: 0, seen: [compileFailure] });
    t.same((await play(dead('boot-timeout'))).seen[1], 'fine boot vm-silent');
    // These are the host's doing: nothing is said about the kernel.
    for (const code of ['qemu-exited', 'qemu-missing', 'qemu-failed', 'plan-failed'] as const) {
      t.same((await play(dead(code))).seen[1], 'fine boot infra', code);
    }
    await t.rejects(play(new TypeError('a defect')), TypeError, 'a defect of ours is no verdict');
  },
);
