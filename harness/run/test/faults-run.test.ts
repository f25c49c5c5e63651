import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { endUse } from '../../../kernels/in-use.ts';
import { createPlace } from '../../cli/test/command.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { processesWith } from '../../vm/test/host.ts';
import type { Isolation } from '../stints.ts';
import './fault-names-tests.ts';
import { INJECTIONS, type Injection } from './injections.ts';
import { createRunPlace, type Ran, runReal, type TestProgram } from './real-run.ts';

/** A kernel that does not take the CPU from a task in the kernel, and whose programs may send signals and loop for ever. */
const KERNEL = '6.12';
const place = createRunPlace();
t.teardown(() => place.end());

const expectation = (outcome: string, more = ''): string =>
  `run: [{program: go, returns: 0}]\n${more}expect: [{outcome: ${outcome}, reason: written for this test}]\n`;
const WORKS =
  'extern const void bpf_link_fops __ksym;\n__u64 address;\nSEC("tc") int go(void *ctx) { address = (__u64)&bpf_link_fops; return 0; }\n';
const CHECK = 'checks: [{variable: address, equals: {kallsyms: bpf_link_fops}}]\n';

function works(name: string): TestProgram {
  return { name, code: WORKS, expect: expectation('works', CHECK) };
}

function signals(name: string, number: number): TestProgram {
  const code = `SEC("syscall") int go(void *ctx) { return bpf_send_signal(${number}); }\n`;
  return { name, code, expect: expectation('works') };
}

/** That a cell is as it should be, and that its evidence is there. */
function holds(
  t: Test,
  { directory }: RunResults,
  cell: CellResult,
  wanted: { readonly verdict: string; readonly class: string; readonly fault?: string | undefined },
  console?: RegExp,
): void {
  const { verdict, class: kind, fault } = wanted;
  t.match(
    { verdict: cell.verdict, class: cell.outcome.class },
    { verdict, class: kind },
    `${cell.program}: ${cell.why}`,
  );
  t.equal(cell.outcome.fault, fault, `${cell.program}: ${cell.why}`);
  const path = (evidence: string | null): string => join(directory, evidence ?? 'none');
  t.ok(existsSync(path(cell.evidence.console)), `${cell.program} has a console log`);
  if (console === undefined) return;
  t.match(readFileSync(path(cell.evidence.console), 'utf8'), console);
  t.match(readFileSync(path(cell.evidence.cellConsole), 'utf8'), console, 'what was printed meanwhile is kept apart');
}

// The boot, which must not run into the short deadlines below.
await t.test('a kernel on which nothing happens', async (t) => {
  const { results } = await runReal(place, place.write('warm', KERNEL, [works('fine')]));
  t.match(results.totals, { pass: 1 });
});

t.jobs = 3;
const tests: Promise<unknown>[] = [];
function test(title: string, run: (t: Test) => Promise<void>): void {
  tests.push(t.test(title, { buffered: true }, run).then(() => undefined));
}

const LOOP = `static long inner(__u32 i, void *n) { (*(__u64 *)n)++; return 0; }
static long outer(__u32 i, void *n) { bpf_loop(1 << 23, inner, n, 0); return 0; }
SEC("syscall") int go(void *ctx) { __u64 n = 0; bpf_loop(1 << 23, outer, &n, 0); return 0; }
`;

test('programs that kill the agent, stop it or starve the kernel are charged, alone, whoever shares machines', async (t) => {
  const path = place.write(
    'harmful',
    KERNEL,
    [
      works('fine-1'),
      signals('kills', 9),
      works('fine-2'),
      signals('stops', 19),
      works('fine-3'),
      { name: 'starved', code: WORKS, expect: `variants: [starved]\n${expectation('works', CHECK)}` },
    ],
    // Nearly all memory is set aside, and the kernel panics when it runs out.
    'variants:\n  starved: {sysctl: {vm.panic_on_oom: 2, vm.min_free_kbytes: 500000}}\n' + 'deadlines: {request: 3}\n',
  );
  const isolations: readonly Isolation[] = ['kernel', 'cell'];
  const runs = await Promise.all(isolations.map((isolation) => runReal(place, path, { isolation })));
  const answers = runs.map(({ results }) =>
    results.cells.map(({ program, verdict, outcome }) => [program, verdict, outcome.class]),
  );
  t.same(answers[0], answers[1], 'a machine of their own changes no verdict');
  for (const { cell, events, results } of runs) {
    for (const name of ['fine-1', 'fine-2', 'fine-3']) holds(t, results, cell(name), { verdict: 'pass', class: 'ok' });
    holds(t, results, cell('kills'), { verdict: 'fail', class: 'agent-killed' }, /agent ended with status 137/);
    holds(t, results, cell('stops'), { verdict: 'timeout', class: 'agent-hung' });
    holds(
      t,
      results,
      cell('starved'),
      { verdict: 'panic', class: 'kernel-panic' },
      /Kernel panic - not syncing: .*[Oo]ut of memory/,
    );
    const machines = events.filter(({ kind }) => kind === 'ready').length;
    t.equal(
      machines,
      results.engine.isolation === 'cell' ? 6 : 3,
      'each of them cost a machine, and no other cell did',
    );
  }
});

test('a program that locks the kernel up ends when the kernel says so, and not with its deadline', async (t) => {
  const programs = [
    { name: 'spins', code: LOOP, expect: `variants: [watched]\n${expectation('works')}` },
    { ...works('after'), expect: `variants: [watched]\n${expectation('works', CHECK)}` },
  ];
  const more = 'variants: {watched: {sysctl: {kernel.watchdog_thresh: 1}}}\n';
  const { cell, results } = await runReal(place, place.write('spinning', KERNEL, programs, more));
  holds(t, results, cell('spins'), { verdict: 'timeout', class: 'kernel-lockup' }, /soft lockup - CPU#\d stuck/);
  t.match(cell('spins').splats, [{ rule: 'soft-lockup' }]);
  t.ok(cell('spins').durationMs < 45_000, 'a request has a minute');
  holds(t, results, cell('after'), { verdict: 'pass', class: 'ok' });
  t.not(cell('after').evidence.console, cell('spins').evidence.console);
});

/** Each injection happens when a cell that ends red on purpose has ended, and hits the one after it. */
async function runInjections(name: string, injections: readonly Injection[]): Promise<Ran> {
  const programs = injections.flatMap((injection): TestProgram[] => [
    { name: `before-${injection.name}`, code: WORKS, expect: expectation('{phase: load, class: verifier-rejected}') },
    { name: injection.name, code: WORKS, expect: expectation('works', `${CHECK.slice(0, -2)}, ${READS_VERSION}]\n`) },
  ]);
  const path = place.write(name, KERNEL, [...programs, works('last')], 'deadlines: {request: 3}\n');
  return runReal(place, path, {
    onRed: async ({ program }, _attempt, machine) => {
      await injections.find((injection) => program.name === `before-${injection.name}`)?.inject(machine);
      return false;
    },
  });
}

/** A check that reads /proc/version in the guest, whose length is no address. */
const READS_VERSION = '{variable: address, differs: {file-size: /proc/version}}';

for (const [index, injections] of INJECTIONS.entries()) {
  const names = injections.map(({ name }) => name);
  test(`a fault from outside is charged as what it is, and nobody else: ${names.join(', ')}`, async (t) => {
    const { cell, events, results } = await runInjections(`injected-${index}`, injections);
    for (const injection of injections) {
      const before = cell(`before-${injection.name}`);
      const hit = cell(injection.name);
      holds(t, results, before, { verdict: 'xpass', class: 'ok' });
      t.equal(hit.evidence.console, before.evidence.console, 'both ran on the machine that was tampered with');
      holds(t, results, hit, injection, injection.console);
      if (injection.leftovers === undefined) t.same(hit.leftovers, []);
      else t.match(hit.leftovers[0], injection.leftovers);
      const said = events.some((event) => event.kind === 'leftovers' && event.cell === injection.name);
      t.equal(said, hit.leftovers.length > 0, 'what is left behind is said');
      const next = results.cells[results.cells.indexOf(hit) + 1];
      t.equal(next?.evidence.console !== hit.evidence.console, injection.replaced, 'the machine is replaced');
    }
    holds(t, results, cell('last'), { verdict: 'pass', class: 'ok' });
  });
}

test('a cell that depends on what ran before it is flaky when it is run again, which is red unless that is asked for', async (t) => {
  const code = `struct bpf_map { __u32 id; } __attribute__((preserve_access_index));
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } own SEC(".maps");
SEC("tc") int go(void *ctx)
{
  __u32 key = 0;
  bpf_map_lookup_elem(&own, &key);
  /* The kernel counts its maps: this is the third or a later one if other programs ran before. */
  return ((struct bpf_map *)(void *)&own)->id > 2;
}
`;
  const programs = [works('first'), works('second'), { name: 'depends', code, expect: expectation('works') }];
  const path = place.write('flaky', KERNEL, programs);
  const runs = await Promise.all(
    [['--flaky-ok'], []].map(async (more) => {
      const command = createPlace();
      t.teardown(() => command.end());
      const json = join(command.folder, 'results.json');
      const words = ['run', '-m', path, '--retries', '2', '--json', json, ...more];
      const ended = await command.run(words);

      t.ok(existsSync(json), 'there are results', ended);
      return { ended, results: JSON.parse(readFileSync(json, 'utf8')) as RunResults };
    }),
  );
  t.same(
    runs.map(({ ended }) => ended.code),
    [0, 1],
  );
  for (const { results, ended } of runs) {
    t.match(results.totals, { pass: 2, flaky: 1, fail: 0 });
    const depends = results.cells.find(({ program }) => program === 'depends');
    t.match(depends?.attempts, [
      { verdict: 'fail', class: 'wrong-return-value' },
      { verdict: 'pass', class: 'ok' },
    ]);
    t.equal(depends?.attempts?.length, 2, 'it is not run a third time');
    t.not(depends?.attempts?.[0]?.console, depends?.attempts?.[1]?.console, 'it is run again on a new machine');
    t.match(ended.stdout, /FLAKY/i, 'it is shown');
  }
});

await Promise.all(tests);

t.test('nothing is left of all these machines', async (t) => {
  t.same(place.leftovers(), []);
  // This process keeps its notes on the kernels that it uses until it ends.
  await endUse();
  t.same(processesWith(place.folder), []);
});
