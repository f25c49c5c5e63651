import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import type { CellResult, RunResults } from '../../results/results.ts';
import { findProgram } from '../../setup/requirements.ts';
import { commandLine, eventually, processesWith } from '../../vm/test/host.ts';
import { createPlace, type Ended, shareCache, writeMatrix } from './command.ts';
import './report-tests.ts';

const KERNEL = '5.10';
const place = createPlace();
t.teardown(() => place.end());
const matrix = writeMatrix(place.folder, KERNEL);
const { run } = place;

/** `run` on the test's matrix with some of its programs. */
const runPrograms = (programs: readonly string[], ...more: string[]): Promise<Ended> =>
  run(['run', '-m', matrix, ...programs.flatMap((name) => ['-p', name]), ...more]);

/** That a command left no machine and no temporary folder. */
function tidy(t: Test): void {
  t.same(processesWith(place.folder), [], 'no process of it is left');
  t.same(readdirSync(join(place.folder, 'tmp')), [], 'no temporary file is left');
}

function cellOf(results: RunResults, program: string): CellResult | undefined {
  return results.cells.find((cell) => cell.program === program);
}

t.test('help goes to stdout and names commands, exit codes and examples', async (t) => {
  const [help, ofRun, version, nothing] = await Promise.all([
    run(['--help']),
    run(['help', 'run']),
    run(['--version']),
    run([]),
  ]);
  t.equal(help.code, 0);
  for (const word of ['run', 'doctor', 'kernels', 'loaders', 'setup', 'KSYM_MATRIX_CACHE', 'Exit codes', 'Examples']) {
    t.match(help.stdout, word);
  }
  t.equal(ofRun.code, 0);
  for (const option of [
    '--matrix',
    '--kernel',
    '--program',
    '--loader',
    '--jobs',
    '--accel',
    '--append',
    '--json',
    '--setup',
  ]) {
    t.match(ofRun.stdout, option);
  }
  t.equal(version.code, 0);
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  t.equal(nothing.code, 2, 'no command is wrong usage');
  t.equal(nothing.stdout, '');
});

t.test('wrong usage and wrong configuration exit with 2, say what was meant, and print no result', async (t) => {
  const broken = join(place.folder, 'broken.yaml');
  writeFileSync(broken, `kernels: [{debian: "${KERNEL}", flavor: cloud}]\nprograms: [works]\n`);
  const cases = [
    [['rum'], /unknown command 'rum'\s+\(Did you mean run\?\)/],
    [['run', '--kernal', 'x'], /unknown option '--kernal'\s+\(Did you mean --kernel\?\)/],
    [['run', '--accel', 'xen'], /Allowed choices are auto, kvm, tcg/],
    [['run', '--jobs', '0'], /whole number from 1 up/],
    [
      ['run', '-m', matrix, '-p', 'works', '-k', '5.1O'],
      /--kernel 5\.1O: unknown kernel "5\.1O" \(did you mean "5\.10"\?\)/,
    ],
    [['run', '-m', matrix, '-p', 'refuse'], /--program refuse: unknown program "refuse" \(did you mean "refused"\?\)/],
    [
      ['run', '-m', broken],
      /broken\.yaml:1:28: kernels\[0\]\.flavor: unknown key "flavor" \(did you mean "flavour"\?\)/,
    ],
    [
      ['run', '-m', matrix, '-p', 'misnamed'],
      /misnamed\.yaml:2:17: .*unknown program of the object "raed" \(did you mean "read"\?\).*:3:21: .*unknown variable "adress" \(did you mean "address"\?\).*:3:52: .*"wide" has 16 bytes.*:3:67: .*unknown variable "addres"/s,
    ],
    [['run', '-m', join(place.folder, 'none.yaml')], /none\.yaml: the file cannot be read: there is no such file/],
    [['kernels', 'pull', '6.x'], /unknown kernel "6\.x"/],
    [['kernels', 'rm', '6.x'], /no kernel in the cache is called "6\.x"/],
    [['kernels', 'gc', '--keep', '5 bananas'], /a number with a unit is wanted, such as 5GB/],
    [
      ['run', '-m', matrix, '--locked'],
      /kernels\.lock\.yaml: there is no lock file of kernels.*kernels update --lock/s,
    ],
    [['kernels', 'lst'], /unknown command 'lst'/],
  ] as const;
  const results = await Promise.all(cases.map(([args]) => run(args)));
  for (const [index, [args, message]] of cases.entries()) {
    const { code, stdout, stderr } = results[index] ?? { code: null, stdout: '', stderr: '' };
    t.equal(code, 2, args.join(' '));
    t.match(stderr, message);
    t.equal(stdout, '');
    t.notMatch(stderr, /defect|\n +at /, 'no stack trace');
  }
});

t.test('an interrupted run ends its machines and exits with 130; the next one works and exits with 0', async (t) => {
  const interrupted = place.start(['run', '-m', matrix, '-p', 'works', '--no-templates']);
  await interrupted.said(/booting/);
  const runsQemu = (): boolean => processesWith(place.folder).some((pid) => commandLine(pid).includes('qemu'));
  t.ok(await eventually(runsQemu), 'QEMU runs');
  // Ctrl-C in a terminal reaches the whole foreground process group.
  process.kill(-(interrupted.child.pid ?? 0), 'SIGINT');
  const { code, stderr, stdout } = await interrupted.ended;
  t.equal(code, 130, 'exit code', { stderr });
  t.match(stderr, 'SIGINT: stopping');
  t.match(stdout, 'INTERRUPTED: cells are missing');
  tidy(t);

  const json = join(place.folder, 'results.json');
  const good = await runPrograms(['works', 'refused', 'hidden'], '--no-templates', '--json', json);
  t.equal(good.code, 0, 'exit code', { stderr: good.stderr });
  tidy(t);
  const lines = good.stdout.split('\n');
  t.equal(lines[0]?.trim(), 'program        5.10', 'the grid comes first');
  t.equal(lines[2], 'works          ✔ pass');
  t.equal(lines[3], 'refused        ○ xfail');
  t.equal(lines[4], 'hidden@strict  ○ xfail');
  t.match(good.stdout, /ksym-not-in-kallsyms in phase resolve: .*ksym_matrix_nowhere/);
  t.match(good.stdout, 'as expected: written for this test');
  t.match(good.stdout, /time: .*in total/);
  t.notMatch(good.stdout, 'booting', 'progress is not on stdout');
  for (const progress of [/compile/, /5\.10: booting/, /5\.10: booted in \d+\.\d s/]) t.match(good.stderr, progress);
  t.notMatch(good.stderr, '✔ pass ', 'the grid is not on stderr');
  t.notMatch(good.stdout + good.stderr, '\u001b', 'pipes get no escape codes');

  const results = JSON.parse(readFileSync(json, 'utf8')) as RunResults;
  t.match(results, { schemaVersion: 2, complete: true, tool: { name: 'ksym-matrix' } });
  t.match(results.totals, { pass: 1, xfail: 2, fail: 0, xpass: 0, panic: 0, timeout: 0, infra: 0 });
  t.match(results.engine, { isolation: 'kernel', templates: false, retries: 0 });
  t.match(results.kernels[0]?.boots, [{ when: 'this-run', restored: 0 }]);
  t.match(results.kernels, [{ name: '5.10', release: /^5\.10\./, sha256: /^[0-9a-f]{64}$/, source: /Debian/ }]);
  const facts = results.kernels[0]?.facts ?? {};
  // Debian's 5.10: BTF without a single variable, and KALLSYMS_ALL (design notes, "Decision 5").
  t.match(facts, { 'btf.present': true, 'btf.vars': 0, 'config.KALLSYMS_ALL': 'y', 'kallsyms.restricted': false });
  t.match(cellOf(results, 'works'), {
    kernel: '5.10',
    loader: 'ksym-matrix',
    variant: 'default',
    verdict: 'pass',
    outcome: { phase: 'check', class: 'ok' },
    externs: [{ name: 'bpf_link_fops', kind: 'typeless', result: 'address', address: /^0xf{8}/ }],
    values: [{ variable: 'address', holds: true }],
  });
  const evidence = cellOf(results, 'works')?.evidence;
  const read = (path = ''): string => readFileSync(join(results.directory, path), 'utf8');
  t.match(JSON.parse(read(evidence?.values ?? '')), [{ variable: 'address', holds: true }]);
  t.match(read(evidence?.console ?? ''), 'Linux version 5.10.');
});

t.test('a planted wrong expectation turns its cell red and exits with 1, either way round', async (t) => {
  const [fails, works] = await Promise.all([
    runPrograms(['wrong-expectation'], '--json', '-'),
    runPrograms(['unexpected-success'], '--json', '-'),
  ]);
  t.equal(fails.code, 1, 'exit code', { stderr: fails.stderr });
  t.equal(works.code, 1, 'exit code', { stderr: works.stderr });
  // With `--json -` stdout is one JSON document and nothing else.
  const [failed, passed] = [fails, works].map((ended) => JSON.parse(ended.stdout) as RunResults);
  t.match(failed?.cells, [{ verdict: 'fail', outcome: { phase: 'resolve', class: 'ksym-not-in-kallsyms' } }]);
  t.match(passed?.cells, [{ verdict: 'xpass', outcome: { class: 'ok' }, why: /works, but ksym-not-in-kallsyms/ }]);
  t.match(fails.stderr, '✖ FAIL wrong-expectation');
  t.match(works.stderr, '✖ XPASS unexpected-success');
  tidy(t);

  // The results lie beside the evidence, where they are found again.
  const of = (results: RunResults | undefined): string[] => ['logs', '--run', results?.directory ?? ''];
  const moved = join(place.folder, 'moved');
  cpSync(failed?.directory ?? '', moved, { recursive: true });
  const [red, elsewhere, asked, none, json, nowhere] = await Promise.all([
    run(of(failed)),
    run(['logs', '--run', moved]),
    run([...of(failed), '-p', 'wrong-*', '-k', KERNEL]),
    run([...of(failed), '-p', 'another']),
    run([...of(passed), '--json']),
    run(['logs', '--run', join(place.folder, 'tmp')]),
  ]);
  t.equal(red.code, 0);
  t.match(red.stdout, /✖ FAIL wrong-expectation on 5\.10\n.*\n── .*resolution\.json\n\[/);
  t.equal(
    elsewhere.stdout,
    red.stdout.replaceAll(failed?.directory ?? '', moved),
    'the evidence of a folder that was moved',
  );
  t.equal(asked.stdout, red.stdout);
  t.match(none, { code: 2, stdout: 'no cell of the run matches' });
  t.match(JSON.parse(json.stdout), [{ verdict: 'xpass' }]);
  t.match(nowhere, { code: 2, stderr: /results\.json: there are no results of a run/ });
});

t.test('each broken program is charged alone, with the reason, and the others run', async (t) => {
  const json = join(place.folder, 'broken.json');
  const names = ['uncompilable', 'unloadable', 'wrong-value', 'wrong-return', 'warned', 'works'];
  const { code, stdout, stderr } = await runPrograms(names, '--json', json);
  t.equal(code, 1, 'exit code', { stderr });
  const results = JSON.parse(readFileSync(json, 'utf8')) as RunResults;
  t.match(cellOf(results, 'uncompilable'), {
    verdict: 'fail',
    outcome: {
      phase: 'compile',
      class: 'compile-failed',
      message: /uncompilable\.bpf\.c:\d+:\d+: error: .*no_such_thing/,
    },
  });
  t.match(cellOf(results, 'unloadable'), {
    verdict: 'fail',
    outcome: { phase: 'compile', class: 'object-refused', message: /elsewhere/ },
  });
  t.match(cellOf(results, 'wrong-value'), {
    verdict: 'fail',
    outcome: { phase: 'check', class: 'wrong-value', message: /address is 0xf{8}.* should be 0x1234/ },
  });
  t.match(cellOf(results, 'wrong-return'), {
    verdict: 'fail',
    outcome: { phase: 'run', class: 'wrong-return-value', message: /returned 0 on CPU 0, and should return 7/ },
  });
  for (const name of ['warned', 'works']) t.match(cellOf(results, name), { verdict: 'pass' });
  t.match(stdout, /^uncompilable {2}✖ FAIL$/m);
  t.match(stdout, 'no_such_thing');
  t.match(stderr, /warned\.bpf\.c:\d+:\d+: warning: unused variable 'not_used'/, "clang's warnings are shown");
  t.match(results.programs.find((program) => program.name === 'warned')?.compilerWarnings, 'not_used');
  tidy(t);
});

t.test('a truth that cannot be had is no verdict on the kernel, and the rest go on in a new machine', async (t) => {
  const { code, stdout } = await runPrograms(['truth-missing', 'warned'], '--json', '-');
  t.equal(code, 3);
  const results = JSON.parse(stdout) as RunResults;
  t.match(cellOf(results, 'truth-missing'), { verdict: 'infra', why: /\/proc\/no-such-file.*ENOENT/ });
  t.match(cellOf(results, 'warned'), { verdict: 'pass' });
  t.match(results.kernels[0]?.boots, [{ restored: 2 }], 'what the first machine was left like is not relied on');
  tidy(t);
});

t.test('a crash is charged to the cell that was running, and the rest go on in a new machine', async (t) => {
  const { code, stdout, stderr } = await runPrograms(['works', 'crashes'], '--json', '-');
  t.equal(code, 1, 'exit code', { stderr });
  const results = JSON.parse(stdout) as RunResults;
  const seen = results.cells.map((cell) => `${cell.program}@${cell.variant} ${cell.verdict}`);
  t.same(seen, ['works@default pass', 'crashes@starved panic', 'crashes@strict xfail']);
  t.match(results.cells[1]?.outcome, { phase: 'run', class: 'kernel-panic', message: /panic_on_oom is enabled/ });
  t.match(results.kernels[0]?.boots, [{ restored: 2 }]);
  const consoles = results.cells.map((cell) => cell.evidence.console?.split('/').at(-1));
  t.same(consoles, ['console-1.log', 'console-1.log', 'console-2.log'], 'each cell has the console of its own machine');
  tidy(t);
});

t.test('a kernel that panics at boot is a red verdict with its console, not a hang', async (t) => {
  const { code, stdout, stderr } = await runPrograms(['works', 'refused'], '--append', 'init=/nope');
  t.equal(code, 1, 'exit code', { stderr });
  t.match(stdout, /^works +✖ PANIC$/m);
  t.match(stdout, /^refused +✖ PANIC$/m, 'also where another failure was expected');
  t.match(stdout, 'Kernel panic - not syncing: Attempted to kill init!');
  t.match(stdout, 'evidence: 5.10/console-1-boot.log');
  tidy(t);
});

t.test('doctor says what is there, and what is missing, for people and for programs', async (t) => {
  const empty = join(place.folder, 'bin');
  mkdirSync(empty);
  symlinkSync(process.execPath, join(empty, 'node'));
  const [text, coloured, plain, json, bare] = await Promise.all([
    run(['doctor']),
    run(['doctor'], { environment: { FORCE_COLOR: '1' } }),
    run(['doctor'], { environment: { FORCE_COLOR: '1', NO_COLOR: '1' } }),
    run(['doctor', '--json']),
    run(['doctor'], { environment: { PATH: empty } }),
  ]);
  t.equal(text.code, 0, text.stdout);
  for (const name of ['Node', 'qemu-system-x86_64', 'clang', 'virtme-ng', 'accelerator', 'cache'])
    t.match(text.stdout, name);
  t.match(text.stdout, 'Everything is there.');
  t.match(text.stdout, /(KVM|TCG)/, 'which accelerator is used');
  t.notMatch(text.stdout, '\u001b');
  t.match(coloured.stdout, '\u001b[');
  t.equal(plain.stdout.replace(/[\d.]+ GB/, ''), text.stdout.replace(/[\d.]+ GB/, ''), 'NO_COLOR wins');
  const parsed = JSON.parse(json.stdout) as { healthy: boolean; findings: { name: string; state: string }[] };
  t.equal(parsed.healthy, true);
  t.match(
    parsed.findings.find((finding) => finding.name === 'clang'),
    { state: 'ok' },
  );
  t.equal(bare.code, 3);
  t.match(bare.stdout, /✖ missing {2}clang +.*install clang/);
  t.match(bare.stdout, 'ksym-matrix setup');
});

t.test('kernels list and info give what can be had, what is in the cache, and what is known of it', async (t) => {
  const [list, info] = await Promise.all([
    run(['kernels', 'list', '--json']),
    run(['kernels', 'info', KERNEL, '--json']),
  ]);
  t.equal(list.code, 0, 'exit code', { stderr: list.stderr });
  const { kernels, cache } = JSON.parse(list.stdout) as {
    kernels: { name: string; cached: boolean; release: string; bytes: number | null; inMatrix: boolean }[];
    cache: { bytes: number; parts: Record<string, number> };
  };
  t.match(
    kernels.find((kernel) => kernel.name === KERNEL),
    { release: /^5\.10\.0-\d+-cloud-amd64$/, cached: true, inMatrix: true },
  );
  t.ok(kernels.every(({ bytes }) => bytes === null || bytes > 1e6));
  t.ok(kernels.some(({ bytes }) => bytes !== null));
  t.ok((cache.parts.kernels ?? 0) > 1e6 && cache.bytes > (cache.parts.kernels ?? 0));

  t.equal(info.code, 0, 'exit code', { stderr: info.stderr });
  t.match(JSON.parse(info.stdout), {
    source: 'debian',
    release: /^5\.10\.0-\d+-cloud-amd64$/,
    cached: {
      image: {
        sha256: /^[0-9a-f]{64}$/,
        format: /^bzImage, boot protocol 2\.15$/,
        payload: 'lz4',
        text: /#1 SMP Debian/,
      },
      config: { 'config.BPF_SYSCALL': 'y', 'config.KALLSYMS_ALL': 'y' },
    },
  });
});

t.test('a system without the tools is told what to install, and nothing is started', async (t) => {
  const { code, stdout, stderr } = await run(['run', '-m', matrix], {
    environment: { PATH: join(place.folder, 'bin') },
  });
  t.equal(code, 3);
  t.match(stderr, /missing on this system: .*qemu-system-x86_64, clang/);
  t.match(stderr, /sudo apt-get install --no-install-recommends .*qemu-system-x86 clang lld/);
  t.equal(stdout, '');
});

t.test('a cache that cannot be written is said in words', async (t) => {
  // A file where the folder should be stops root as well.
  const { code, stderr } = await run(['run', '-m', matrix], { environment: { KSYM_MATRIX_CACHE: matrix } });
  t.equal(code, 3);
  t.match(stderr, `${matrix}: the cache folder cannot be written`);
  t.match(stderr, 'KSYM_MATRIX_CACHE');
  t.notMatch(stderr, 'defect');
});

t.test(
  'results that cannot be written are printed, and exit with 3; a folder that is not there is told before',
  async (t) => {
    const nowhere = await runPrograms(['refused'], '--json', join(matrix, 'results.json'));
    t.match(nowhere, {
      code: 2,
      stdout: '',
      stderr: /--json .*results\.json: the results cannot be written there: .*ENOTDIR/,
    });
    t.notMatch(nowhere.stderr, 'compile');
    const folder = await runPrograms(['refused'], '--json', place.folder);
    t.match(folder, { code: 2, stdout: '', stderr: /the results cannot be written there: it is a folder/ });
    // A disk that is full by the end of the run.
    const { code, stdout, stderr } = await runPrograms(['refused'], '--json', '/dev/full');
    t.equal(code, 3);
    t.match(stdout, /^refused +○ xfail$/m);
    t.match(stderr, /: the results cannot be written: ENOSPC/);
    t.notMatch(stderr, /defect|\n +at /);
  },
);

/** A command that gives what follows a mount namespace of its own; undefined where this user may not have one. */
function namespace(): string[] | undefined {
  for (const options of [['-m'], ['-r', '-m']]) {
    if (findProgram('unshare') === undefined) return undefined;
    const tried = spawnSync('unshare', [...options, 'sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt'], {
      stdio: 'ignore',
    });
    if (tried.status === 0) return ['unshare', ...options];
  }
  return undefined;
}

t.test('a full disk is called that, at whatever point it is found', async (t) => {
  const wrapper = namespace();
  if (wrapper === undefined) {
    t.comment('this user may not mount: a folder that cannot be written stands for the full disk');
    // Permissions do not stop root; a file where a folder should be does.
    const folder = join(process.getuid?.() === 0 ? matrix : place.folder, 'read-only');
    if (process.getuid?.() !== 0) mkdirSync(folder, { mode: 0o500 });
    const { code, stderr } = await run(['run', '-m', matrix], { environment: { KSYM_MATRIX_CACHE: folder } });
    t.equal(code, 3);
    t.match(stderr, 'the cache folder cannot be written');
    return;
  }
  // What does not fit any more: the objects, virtme-ng's initramfs (2 MB), ours beside it.
  for (const size of ['8k', '200k', '3m']) {
    const small = join(place.folder, `small-${size}`);
    mkdirSync(small);
    const prepared = `${small}-cache`;
    shareCache(prepared);
    const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && cp -a "${prepared}/." "$0" && exec "$@"`;
    const { code, stdout, stderr } = await run(['run', '-m', matrix], {
      environment: { KSYM_MATRIX_CACHE: small },
      prefix: [...wrapper, 'sh', '-c', script, small],
    });
    t.equal(code, 3, size, { stdout, stderr });
    t.match(stderr, /no space is left on the disk|the disk is full/, size);
    t.notMatch(stderr, /defect|\n +at |Traceback/, `${size}: no stack trace`);
    t.notOk(existsSync(join(small, 'runs')), 'the mount went with the command');
  }
  tidy(t);
});

t.test('the launcher works from any folder', async (t) => {
  const { code, stdout } = await run(['--version'], { cwd: dirname(place.folder) });
  t.equal(code, 0);
  t.match(stdout, /^\d/);
});
