import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import type { MatrixException } from '../../config/schema.ts';
import { results } from '../../report/test/samples.ts';
import { toJson, writeWhole } from '../../results/write.ts';
import type { OpenedMachine } from '../../vm/machine-source.ts';
import { ResultCollector } from '../collect.ts';
import type { RunEvent } from '../events.ts';
import { EvidenceFolder } from '../evidence.ts';
import type { Outcome } from '../outcome.ts';
import type { Attempt } from '../run-stint.ts';
import { type BootGroup, planGroups } from '../select.ts';
import { STATE } from './fake-machine.ts';
import { compiled, OK, STRICT, sampleMatrix, sampleProgram, selected } from './samples.ts';
import { failure, REFUSED } from './verdict-table.ts';

/** A cell that ran once. */
function attempt(outcome: Outcome, more: Partial<Attempt> = {}): Attempt {
  return {
    outcome,
    state: STATE,
    durationMs: 5,
    console: null,
    consoleLines: [],
    splats: [],
    leftovers: [],
    ...more,
  };
}

/** A machine that came up. */
function opened(
  key: string,
  boot: OpenedMachine['boot'],
  machine: { beginning: 'booted' | 'restored'; readyMs: number; console: string },
): OpenedMachine {
  const { console, ...rest } = machine;
  return {
    machine: { ...rest, console: { path: console } } as unknown as OpenedMachine['machine'],
    observations: { key, read: () => Promise.reject(new TypeError('nothing was observed')) },
    boot,
  };
}

const RUN = {
  startedAt: '2026-01-31T12:00:00.000Z',
  timings: { total: 1 },
  complete: true,
  toolVersion: '0.1.0',
  loaders: [{ name: 'ksym-matrix', version: '0.1.0' }],
  host: {
    clang: 'clang',
    qemu: 'qemu',
    virtmeNg: '1.35',
    accelerator: 'tcg',
    acceleratorReason: 'no /dev/kvm',
    node: '20',
    cpus: 2,
  },
  origin: { repository: null, commit: null, modified: null, url: null },
  engine: {
    isolation: 'kernel',
    isolationReason: 'they share',
    jobs: 2,
    jobsReason: 'two cores',
    machineBytes: 0,
    templates: true,
    retries: 0,
  },
} as const;

t.test('results come out in the order of the matrix, whatever order they came in', async (t) => {
  const programs = [sampleProgram('a'), sampleProgram('b', ['default', 'strict'])];
  const unused: MatrixException = { when: { kernel: '4.19' }, outcome: 'works', reason: 'for a kernel that went away' };
  const used: MatrixException = {
    when: { kernel: '5.10', 'btf.vars': 0 },
    program: 'a',
    outcome: 'works',
    reason: 'as the facts have it',
  };
  const matrix = sampleMatrix(
    programs,
    [STRICT],
    [unused, used],
    [
      { request: { debian: '5.10' }, name: undefined },
      { request: { debian: '6.12' }, name: undefined },
    ],
  );
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
    root: '/',
  });
  const plain = groups.find((group) => group.kernel.name === '6.12');
  t.ok(plain);
  if (plain === undefined) return;
  const nosmp: BootGroup = { ...plain, boot: ['nosmp'] };
  const booted = { milliseconds: 4000, log: '/a.log', when: 'this-run' } as const;
  const machine = (key: string) => opened(key, booted, { beginning: 'booted', readyMs: 4000, console: `/${key}.log` });
  await collector.addMachine(nosmp, machine('one'), { of: 'a boot with parameters' });
  await collector.addMachine(plain, machine('two'), STATE.values);
  await collector.addMachine(nosmp, machine('three'), { of: 'a boot with parameters' });
  for (const cell of groups.flatMap((group) => group.cells).reverse()) {
    await collector.addCell(cell, [attempt(cell.program.name === 'a' ? OK : REFUSED)]);
  }
  const results = await collector.finish(RUN);
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
  t.equal(results.schemaVersion, 2);
  t.match(results.totals, { pass: 2, fail: 4, infra: 0 });
  t.match(results.cells[0], { expected: { source: 'matrix.yaml exceptions[1]', reason: 'as the facts have it' } });
  t.match(results.kernels[1], {
    facts: { 'btf.vars': 0 },
    boots: [{ parameters: ['nosmp'], bootMs: 4000, console: '/one.log' }, {}, {}],
  });
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
  const matrix = sampleMatrix(programs, [], [{ when: { kernel: '4.19' }, outcome: 'works', reason: 'went away' }]);
  const events: RunEvent[] = [];
  const collector = new ResultCollector({
    matrix,
    kernels: [],
    compiled: programs.map((program) => compiled(program)),
    evidence: await EvidenceFolder.create(t.testdir({}), 'run'),
    listener: (event) => events.push(event),
    groups: [],
    root: '/',
  });
  t.equal((await collector.finish({ ...RUN, complete: false })).complete, false);
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
  await folder.writeResults(results([]));
  t.equal(readlinkSync(join(parent, 'latest')), name(26), 'the newest with results is easy to find');
  t.same(JSON.parse(readFileSync(join(parent, 'latest', 'results.json'), 'utf8')), results([]));
  const outcome: Outcome = {
    ...REFUSED,
    resolutions: [
      { name: 'a', kind: 'typeless', weak: false, outcome: { result: 'address', address: 0xffffffff81000001n } },
    ],
    values: [{ program: 'read', cpu: 0, variable: 'v', value: '0x1', relation: 'equals', truth: '0x2', holds: false }],
  };
  const written = await folder.writeCell('6.12', 'a@strict', outcome, '/console.log', ['one', 'two']);
  t.equal(resolve(folder.path, written.console ?? ''), '/console.log');
  t.equal(written.cellConsole, '6.12/a@strict/console.log', 'relative to the folder of the run');
  t.equal(written.verifierLog, '6.12/a@strict/verifier.log');
  const read = (path: string | null): string => readFileSync(join(folder.path, path ?? ''), 'utf8');
  t.equal(read(written.cellConsole), 'one\ntwo\n');
  t.equal(read(written.verifierLog), REFUSED.verifierLog);
  t.equal(JSON.parse(read(written.resolution))[0].outcome.address, '0xffffffff81000001');
  t.equal(JSON.parse(read(written.values))[0].holds, false);
  t.same(await folder.writeCell('6.12', 'b', OK, null, []), {
    console: null,
    cellConsole: null,
    resolution: null,
    verifierLog: null,
    values: null,
  });
  t.same(readdirSync(join(folder.path, '6.12', 'a@strict')).sort(), [
    'console.log',
    'resolution.json',
    'values.json',
    'verifier.log',
  ]);
  await t.rejects(writeWhole(join(folder.path, 'no', 'folder'), 'x'), { code: 'ENOENT' });
  t.notOk(existsSync(join(folder.path, 'no')));
  // A file where a folder should be: nothing can be made below it, not even by root.
  const file = join(folder.path, written.verifierLog ?? '');
  await t.rejects(EvidenceFolder.create(file, 'x'), { code: 'evidence-not-writable', where: join(file, 'x') });
});

/** A collector for cells of 6.12 and 5.10, one program each. */
async function sampleCollector(directory: string): Promise<{
  collector: ResultCollector;
  groups: readonly BootGroup[];
  events: RunEvent[];
  evidence: EvidenceFolder;
}> {
  const programs = [sampleProgram('a')];
  const matrix = sampleMatrix(
    programs,
    [],
    [],
    [
      { request: { debian: '5.10' }, name: undefined },
      { request: { debian: '6.12' }, name: undefined },
    ],
  );
  const kernels = [selected('5.10'), selected('6.12')];
  const groups = planGroups(kernels, programs, matrix);
  const events: RunEvent[] = [];
  const listener = (event: RunEvent): void => void events.push(event);
  const evidence = await EvidenceFolder.create(directory, 'run');
  const all = programs.map((program) => compiled(program));
  const collector = new ResultCollector({ matrix, kernels, compiled: all, evidence, listener, groups, root: '/' });
  return { collector, groups, events, evidence };
}

t.test(
  'a cell that ends differently when it is run again is flaky; one that ends the same is what it is',
  async (t) => {
    const { collector, groups, events } = await sampleCollector(t.testdir({}));
    const [changed, same] = groups.flatMap((group) => group.cells);
    if (changed === undefined || same === undefined) throw new TypeError('there are two cells');
    const wrong = failure('wrong-value', 'check');
    t.equal(collector.isRed(changed, attempt(wrong)), true);
    t.equal(collector.isRed(changed, attempt(OK)), false);
    await collector.addCell(changed, [
      attempt(wrong, { console: '/console-1.log', durationMs: 7 }),
      attempt(OK, { console: '/console-2.log' }),
    ]);
    await collector.addCell(same, [attempt(wrong), attempt(wrong), attempt(wrong)]);
    const { cells, totals } = await collector.finish(RUN);
    t.match(totals, { flaky: 1, fail: 1, pass: 0 });
    t.match(cells[0], {
      verdict: 'flaky',
      why: /^run 2 times: fail \(wrong-value\), then pass \(ok\); the last: it works everywhere$/,
      attempts: [
        { verdict: 'fail', class: 'wrong-value', why: 'it was wrong-value', durationMs: 7, console: '/console-1.log' },
        { verdict: 'pass', class: 'ok', console: '/console-2.log' },
      ],
    });
    t.match(cells[1], { verdict: 'fail', why: 'it was wrong-value (3 times out of 3)' });
    t.equal(cells[1]?.attempts?.length, 3);
    t.equal(events.filter(({ kind }) => kind === 'cell').length, 2, 'told once for each cell');
  },
);

t.test('what a cell leaves behind and what the console said of it is in the results', async (t) => {
  const { collector, groups, events } = await sampleCollector(t.testdir({}));
  const [cell] = groups.flatMap((group) => group.cells);
  if (cell === undefined) throw new TypeError('there is a cell');
  const splat = { rule: 'warn', kind: 'warning', line: 3, text: 'WARNING: x', block: ['WARNING: x'] } as const;
  await collector.addCell(cell, [
    attempt(OK, { splats: [{ ...splat, allowed: 'known' }], leftovers: ['program 7 is still there'] }),
  ]);
  t.match((await collector.finish(RUN)).cells[0], {
    verdict: 'pass',
    splats: [{ rule: 'warn', kind: 'warning', text: 'WARNING: x', allowed: 'known' }],
    leftovers: ['program 7 is still there'],
  });
  t.match(
    events.filter(({ kind }) => kind === 'leftovers'),
    [{ kernel: '5.10', cell: 'a', what: ['program 7 is still there'] }],
  );
});

t.test('the log of a boot that machines were restored from is kept once, beside those of the machines', async (t) => {
  const directory = t.testdir({ saved: { one: 'first boot', two: 'second boot' } });
  const { collector, groups, evidence } = await sampleCollector(directory);
  const [plain] = groups;
  if (plain === undefined) throw new TypeError('there is a group');
  const nosmp: BootGroup = { ...plain, boot: ['nosmp'] };
  const restored = (name: string, readyMs: number): OpenedMachine => {
    const boot = { milliseconds: 4000, log: join(directory, 'saved', name), when: 'earlier' } as const;
    return opened(name, boot, { beginning: 'restored', readyMs, console: `/${name}.log` });
  };
  // Machines of both boots come up in the same moment.
  await Promise.all([
    collector.addMachine(plain, restored('one', 90), {}),
    collector.addMachine(nosmp, restored('two', 200), {}),
  ]);
  for (const readyMs of [110, 100]) await collector.addMachine(plain, restored('one', readyMs), {});
  collector.addBootFailure(nosmp, '/dead.log');
  const { boots } = (await collector.finish(RUN)).kernels[0] ?? {};
  t.match(boots, [
    { parameters: [], bootMs: 4000, when: 'earlier', machine: 'one', restored: 3, restoreMs: 100 },
    { parameters: ['nosmp'], bootMs: 4000, when: 'earlier', restored: 1, restoreMs: 200 },
    {
      parameters: ['nosmp'],
      bootMs: null,
      when: 'this-run',
      machine: null,
      restored: 0,
      restoreMs: null,
      console: /\/dead\.log$/,
    },
  ]);
  t.same(
    boots?.slice(0, 2).map((boot) => readFileSync(join(evidence.path, boot.console), 'utf8')),
    ['first boot', 'second boot'],
  );
  t.same(readdirSync(join(evidence.path, '5.10')).sort(), ['boot-1.log', 'boot-2.log']);
  t.equal(await collector.consolePath('5.10'), join(evidence.path, '5.10/console-1.log'));
  t.equal(await collector.consolePath('5.10'), join(evidence.path, '5.10/console-2.log'));
  const lost = restored('gone', 90);
  await collector.addMachine(plain, lost, {});
  t.equal(
    resolve(evidence.path, (await collector.finish(RUN)).kernels[0]?.boots.at(-1)?.console ?? ''),
    lost.boot.log,
    'a log that cannot be copied',
  );
});
