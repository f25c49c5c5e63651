import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { buildFreestanding } from '../../../loader/freestanding-build.ts';
import { GuestKernels } from '../../cli/guest-kernels.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { CellResult } from '../../results/results.ts';
import './own-loader-tests.ts';
import { testObserver } from './observer-tests.ts';
import { createRunPlace, type Ran, type RunPlace, runReal, type TestProgram } from './real-run.ts';

const PROGRAMS = [
  'typeless-not-const',
  'typeless-and-typed',
  'typed-int-percpu',
  'typed-write-refused',
  'xdp-report-1354',
] as const;

/** Programs of the default matrix, with loaders, in a folder of their own. */
function writeMatrix(place: RunPlace, name: string, programs: readonly string[], lines: readonly string[]): string {
  const folder = join(place.folder, name);
  mkdirSync(join(folder, 'programs'), { recursive: true });
  for (const program of programs) {
    for (const ending of ['.bpf.c', '.yaml']) {
      cpSync(join(PACKAGE_ROOT, 'programs', `${program}${ending}`), join(folder, 'programs', `${program}${ending}`));
    }
  }
  const path = join(folder, 'matrix.yaml');
  writeFileSync(path, `${[...lines, `programs: [${programs.join(', ')}]`].join('\n')}\n`);
  return path;
}

const VARIANTS = `variants:
  kptr-restrict-2: {sysctl: {kernel.kptr_restrict: 2}}
  no-cap-syslog: {sysctl: {kernel.kptr_restrict: 1}, capabilities: {drop: [CAP_SYSLOG]}}`;

const cells = ({ results }: Ran, loader: string, kernel: string): CellResult[] =>
  results.cells.filter((cell) => cell.loader === loader && cell.kernel === kernel);

/** "CLASS" of each cell, with its phase unless it works. */
function answers(ran: Ran, loader: string, kernel: string): Record<string, string> {
  const entries = cells(ran, loader, kernel).map(({ program, variant, outcome }) => [
    variant === 'default' ? program : `${program}@${variant}`,
    outcome.class === 'ok' ? 'ok' : `${outcome.phase} ${outcome.class}`,
  ]);
  return Object.fromEntries(entries);
}

/** 5.10's BTF lists no variable, and libbpf says so of each. */
const NOT_IN_BTF = 'resolve ksym-not-in-btf';
/** libbpf writes the 0 into the program that kptr_restrict puts in an address's place, and the value is not the symbol's. */
const HIDDEN = 'check wrong-value';
/** libbpf 0.3 does not know all kinds of BTF of a newer kernel; cilium/ebpf 0.11 takes no variable at all in .ksyms, and 0.22 only `extern void`. */
const LACKS = 'resolve loader-lacks-feature';

const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'libbpf-1.5 5.10': {
    'typeless-not-const': 'ok',
    'typeless-not-const@kptr-restrict-2': HIDDEN,
    'typeless-and-typed': NOT_IN_BTF,
    'typeless-and-typed@no-cap-syslog': NOT_IN_BTF,
    'typed-int-percpu': NOT_IN_BTF,
    'typed-write-refused': NOT_IN_BTF,
    'xdp-report-1354': NOT_IN_BTF,
  },
  'libbpf-1.5 6.12': {
    'typeless-not-const': 'ok',
    'typeless-not-const@kptr-restrict-2': HIDDEN,
    'typeless-and-typed': 'ok',
    'typeless-and-typed@no-cap-syslog': HIDDEN,
    'typed-int-percpu': 'ok',
    'typed-write-refused': 'load verifier-rejected',
    'xdp-report-1354': 'ok',
  },
  'libbpf-0.3 5.10': {
    'typeless-not-const': 'ok',
    'typeless-not-const@kptr-restrict-2': HIDDEN,
    'typeless-and-typed': NOT_IN_BTF,
    'typeless-and-typed@no-cap-syslog': NOT_IN_BTF,
    'typed-int-percpu': NOT_IN_BTF,
    'typed-write-refused': NOT_IN_BTF,
    'xdp-report-1354': NOT_IN_BTF,
  },
  'libbpf-0.3 6.12': {
    'typeless-not-const': 'ok',
    'typeless-not-const@kptr-restrict-2': HIDDEN,
    'typeless-and-typed': LACKS,
    'typeless-and-typed@no-cap-syslog': LACKS,
    'typed-int-percpu': LACKS,
    'typed-write-refused': LACKS,
    'xdp-report-1354': LACKS,
  },
};

/** cilium/ebpf reads the section before it asks anything of the kernel: both kernels get the same answers. */
const OF_CILIUM: Readonly<Record<string, string>> = {
  'typeless-not-const@kptr-restrict-2': LACKS,
  'typeless-and-typed': LACKS,
  'typeless-and-typed@no-cap-syslog': LACKS,
  'typed-int-percpu': LACKS,
  'typed-write-refused': LACKS,
  'xdp-report-1354': LACKS,
};

t.test('the observer makes a command who it is told to be, and sees what it asks of the kernel', async (t) => {
  const { signal } = new AbortController();
  const guests = await GuestKernels.create({ accel: 'auto', templates: true }, cacheDirectory(), signal);
  const [kernel] = await guests.select(['6.12']);
  if (kernel === undefined) throw new TypeError('no kernel 6.12');
  const guest = await guests.open(kernel, false, signal);
  t.teardown(() => guest.close());
  await testObserver(t, guest.machine.agent);
});

t.test('libbpf and cilium/ebpf run beside ours on real kernels, and what they load is the same', async (t) => {
  const place = createRunPlace();
  t.teardown(() => place.end());
  const path = writeMatrix(place, 'libraries', PROGRAMS, [
    'kernels: [{debian: "5.10"}, {debian: "6.12"}]',
    'loaders: [ksym-matrix, libbpf: "1.5", libbpf: "0.3", cilium/ebpf: "0.11", cilium/ebpf: "0.22"]',
    VARIANTS,
  ]);
  const ran = await runReal(place, path);
  t.same(
    ran.results.loaders.map(({ name, family, unavailable }) => [name, family, unavailable]),
    [
      ['ksym-matrix', 'ksym-matrix', undefined],
      ['libbpf-1.5', 'libbpf', undefined],
      ['libbpf-0.3', 'libbpf', undefined],
      ['cilium/ebpf-0.11', 'cilium/ebpf', undefined],
      ['cilium/ebpf-0.22', 'cilium/ebpf', undefined],
    ],
  );
  for (const kernel of ['5.10', '6.12']) {
    for (const loader of ['libbpf-1.5', 'libbpf-0.3']) {
      const name = `${loader} ${kernel}`;
      t.same(answers(ran, loader, kernel), EXPECTED[name], name);
    }
    const without = { ...OF_CILIUM, 'typeless-not-const': LACKS };
    t.same(answers(ran, 'cilium/ebpf-0.11', kernel), without, `cilium/ebpf-0.11 ${kernel}`);
    // The first release that resolves a typeless symbol, if it is declared without const; hidden ones it refuses, as ours does.
    const one = {
      ...OF_CILIUM,
      'typeless-not-const': 'ok',
      'typeless-not-const@kptr-restrict-2': 'resolve kallsyms-hidden',
    };
    t.same(answers(ran, 'cilium/ebpf-0.22', kernel), one, `cilium/ebpf-0.22 ${kernel}`);
  }
  const refused = cells(ran, 'libbpf-1.5', '6.12').find(({ program }) => program === 'typed-write-refused');
  t.match(refused, {
    outcome: { errno: 'EACCES', program: 'typed_write_refused' },
    verifierLog: /cannot write into rdonly_mem/,
    location: { path: /typed-write-refused\.bpf\.c$/, about: 'the verifier refuses this' },
    loaderOutput: [/./],
    evidence: { loaderLog: /loader\.log$/, loaderAnswer: /loader\.json$/ },
  });
  t.same(
    ran.results.cells.flatMap(({ leftovers }) => leftovers),
    [],
  );
  checkValues(t, ran);
});

/** Cells of a kernel whose machines come from one boot have the same addresses and ids, whoever found them. */
function checkValues(t: Test, ran: Ran): void {
  for (const cell of ran.results.cells.filter(({ loader }) => loader !== 'ksym-matrix')) {
    if (cell.outcome.class !== 'ok') continue;
    const ours = cells(ran, 'ksym-matrix', cell.kernel).find(
      ({ program, variant }) => program === cell.program && variant === cell.variant,
    );
    const name = `${cell.program}@${cell.variant} on ${cell.kernel} with ${cell.loader}`;
    const facts = ({ externs }: CellResult) =>
      externs.map(({ name, result, address, btfId }) => [name, result, address, btfId]).sort();
    t.same(facts(cell), ours === undefined ? [] : facts(ours), `externs of ${name}`);
    t.same(cell.values, ours?.values, `values of ${name}`);
  }
}

t.test('what a strange loader does is told of its cell alone', async (t) => {
  const place = createRunPlace();
  t.teardown(() => place.end());
  const strange = await buildFreestanding({
    subject: 'strange-loader',
    binaryName: 'strange',
    sources: join(PACKAGE_ROOT, 'harness', 'run', 'test', 'strange-loader'),
    headers: [join(PACKAGE_ROOT, 'loader', 'agent')],
    target: 'x86_64-linux-gnu',
    outputDirectory: join(place.folder, 'strange-build'),
  });
  const script = join(place.folder, 'reporting.sh');
  writeFileSync(script, '#!/bin/sh\nid -u\ngrep CapEff /proc/self/status\necho "cannot load $1: no reason"\nexit 3\n', {
    mode: 0o755,
  });
  const kinds = ['crashes', 'hangs', 'rubbish', 'leaves', 'pins', 'nothing', 'idles'];
  const program: TestProgram = {
    name: 'nothing',
    code: 'SEC("socket") int go(void *ctx) { return 0; }\n',
    expect:
      'variants: [default, ordinary]\nrun: [{program: go, returns: 0}]\n' +
      'expect: [{outcome: works, reason: written for this test}]\n',
  };
  const path = place.write(
    'strange',
    '6.12',
    [program],
    `loaders:
${kinds.map((kind) => `  - {command: [${strange}, ${kind}, "{object}"], name: ${kind}}\n`).join('')}
  - {command: [${script}, "{object}"], name: reporting}
  - {libbpf: {path: ./programs}, name: no-such}
  - ksym-matrix
deadlines: {request: 5}
variants:
  ordinary: {user: 65534, capabilities: {only: [CAP_BPF, CAP_PERFMON]}}
`,
  );
  const { results } = await runReal(place, path, { filters: { kernels: [], programs: ['nothing@default'] } });
  const cellOf = (loader: string): CellResult | undefined => results.cells.find((cell) => cell.loader === loader);
  const crashed = { class: 'loader-crashed', phase: 'resolve' };
  t.match(cellOf('crashes')?.outcome, { ...crashed, message: 'crashes was ended by SIGSEGV' });
  t.match(cellOf('hangs')?.outcome, { class: 'loader-timeout', message: /did not end within 5 s and was killed/ });
  t.same(cellOf('hangs')?.loaderOutput, ['waiting for what does not come']);
  t.match(cellOf('rubbish')?.outcome, {
    ...crashed,
    message: /^rubbish: what it printed does not follow PROTOCOL\.md/,
  });
  t.match(cellOf('leaves')?.outcome, { class: 'ok', phase: 'load', message: /ended with 0; it tells no values/ });
  t.same(cellOf('leaves')?.leftovers, [], 'the observer takes everything with it that it has seen begin');
  t.match(
    cellOf('pins')?.leftovers,
    [/^program \d+ is still there$/],
    'what stays in the kernel is charged to who left it',
  );
  t.match(cellOf('idles')?.outcome, {
    ...crashed,
    message: /says that all was loaded, and the kernel was asked for no/,
  });
  t.match(cellOf('nothing')?.outcome, { class: 'loader-refused', message: 'nothing: ended with 2, and said nothing' });
  t.match(cellOf('reporting')?.outcome, { class: 'loader-refused', message: /^reporting: cannot load .*: no reason$/ });
  t.match(cellOf('no-such'), { verdict: 'infra', outcome: { class: 'infra', message: /^no-such cannot be had: / } });
  t.match(cellOf('ksym-matrix'), { verdict: 'pass', leftovers: [] });
  t.equal(results.kernels[0]?.boots[0]?.restored, 2, 'only the one that left something cost a machine');
  t.match(
    results.loaders.find(({ name }) => name === 'no-such'),
    { family: 'libbpf', unavailable: /./ },
  );

  const filters = { kernels: [], programs: ['nothing@ordinary'], loaders: ['reporting'] };
  const other = await runReal(place, path, { filters });
  t.same(
    other.results.cells[0]?.loaderOutput?.slice(0, 2),
    // CAP_PERFMON is 38 and CAP_BPF 39 (include/uapi/linux/capability.h).
    ['65534', 'CapEff:\t000000c000000000'],
    'the loader is who the variant says',
  );
});
