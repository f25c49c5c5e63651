import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { RunResults } from '../../results/results.ts';
import { commandLine, eventually } from '../../vm/test/host.ts';
import { type CommandPlace, createPlace, writeMatrix } from './command.ts';

/** What an interrupted command may take to end, in milliseconds. */
const END_MS = 3000;
const KERNEL = '6.1';
const LAUNCHER = join(PACKAGE_ROOT, 'harness', 'launch.mjs');
const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** A place of its own for each test: they run side by side. */
function newPlace(t: Test): CommandPlace & { readonly matrix: string } {
  const place = createPlace();
  t.teardown(() => place.end());
  return { ...place, matrix: writeMatrix(place.folder, KERNEL) };
}

/** Processes that were started for a place: it is in their command line, or in the environment that they inherited. */
function processesOf(folder: string): string[] {
  const mentions = (pid: string): boolean => {
    try {
      return commandLine(Number(pid)).includes(folder) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  };
  const own = String(process.pid);
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && entry !== own && mentions(entry));
  // One that has ended, and that nobody has waited for yet, has no command line.
  return pids.map((pid) => commandLine(Number(pid))).filter((line) => line !== '');
}

const temporaryFiles = (place: CommandPlace): string[] => readdirSync(join(place.folder, 'tmp'));

/** Unfinished folders anywhere in a place's own cache; what it shares with others is behind links. */
function unfinished(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => /(^|\/)\.(partial|download)-[^/]*$/.test(path));
}

const runsQemu = (place: CommandPlace): boolean =>
  processesOf(place.folder).some((line) => /^\S*qemu-system.* -qmp /.test(line));

/** That a command which was told to end, or killed, has left no process. */
async function nothingRuns(t: Test, place: CommandPlace): Promise<void> {
  t.ok(await eventually(() => processesOf(place.folder).length === 0, 1000), 'no process is left', {
    processes: processesOf(place.folder),
  });
}

async function endsInTime<T>(t: Test, ended: Promise<T>): Promise<T> {
  const started = performance.now();
  const end = await ended;
  t.ok(performance.now() - started < END_MS, `it ended within ${END_MS} ms`);
  return end;
}

/** A mirror that takes every request and never answers. */
async function silentMirror(t: Test): Promise<{ readonly address: string; readonly asked: () => boolean }> {
  let requests = 0;
  const server = createServer(() => {
    requests += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`, asked: () => requests > 0 };
}

t.jobs = 3;

t.test(
  'SIGTERM while a machine boots: what is known by then is printed, although the signal comes twice',
  async (t) => {
    const place = newPlace(t);
    const run = place.start(['run', '-m', place.matrix, '-p', 'works', '--no-templates']);
    await run.said(/booting/);
    t.ok(await eventually(() => runsQemu(place)), 'QEMU runs');
    // As from a terminal by way of npm, which passes on what its children got already.
    process.kill(-(run.child.pid ?? 0), 'SIGTERM');
    await sleep(50);
    run.child.kill('SIGTERM');
    const { code, stdout, stderr } = await endsInTime(t, run.ended);
    t.equal(code, 130);
    t.match(stderr, 'SIGTERM: stopping');
    t.match(stdout, 'INTERRUPTED: cells are missing');
    t.notMatch(stderr, /defect|\n +at /);
    await nothingRuns(t, place);
    t.same(temporaryFiles(place), []);
  },
);

t.test(
  'kill -9 while a template is made: nothing goes on, and the next start removes what is left and works',
  async (t) => {
    const place = newPlace(t);
    const templates = join(place.cache, 'templates');
    rmSync(templates, { recursive: true, force: true });
    mkdirSync(templates);
    const args = ['run', '-m', place.matrix, '-p', 'works'];
    const run = place.start(args);
    t.ok(await eventually(() => runsQemu(place), 20_000), 'QEMU runs');
    run.child.kill('SIGKILL');
    await run.ended;
    await nothingRuns(t, place);
    const left = temporaryFiles(place);
    t.ok(
      left.some((name) => name.startsWith('ksym-matrix-vm-')),
      'no handler could remove the folder',
    );
    const { code, stdout, stderr } = await place.run(args);
    t.equal(code, 0, 'no lock is in the way', { stderr });
    t.match(stdout, 'pass');
    t.same(temporaryFiles(place), []);
    // The kernels of this cache are shared with other tests, which may be filling some.
    t.same(unfinished(templates), []);
    t.not(readdirSync(templates).length, 0, 'the template was made');
    await nothingRuns(t, place);
  },
);

for (const leads of [true, false]) {
  t.test(
    `a terminal that is closed ends ${leads ? 'the run in it' : 'the shell and the run in it'}: the file with the results is whole`,
    async (t) => {
      const place = newPlace(t);
      const json = join(place.folder, 'results.json');
      const words = [
        process.execPath,
        LAUNCHER,
        'run',
        '-m',
        place.matrix,
        '-p',
        'works',
        '--no-templates',
        '--json',
        json,
      ];
      // The kernel tells the leader of the terminal's session, and by the leader's death its foreground.
      const line = `${leads ? 'exec ' : ''}${words.map((word) => `'${word}'`).join(' ')}`;
      const terminal = spawn('script', ['--quiet', '--command', `${line}${leads ? '' : '; true'}`, '/dev/null'], {
        env: { ...process.env, KSYM_MATRIX_CACHE: place.cache, TMPDIR: join(place.folder, 'tmp'), CI: undefined },
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
      t.ok(await eventually(() => runsQemu(place), 20_000), 'QEMU runs');
      terminal.kill('SIGKILL');
      t.ok(await eventually(() => processesOf(place.folder).length === 0, END_MS), 'it ended in time');
      t.equal((JSON.parse(readFileSync(json, 'utf8')) as RunResults).complete, false);
      t.same(temporaryFiles(place), []);
    },
  );
}

t.test('a run whose terminal was closed ends as any other that is interrupted, and does not crash', async (t) => {
  const place = newPlace(t);
  const code = join(place.folder, 'code');
  const run = `'${process.execPath}' '${LAUNCHER}' run -m '${place.matrix}' -p works --no-templates`;
  // A shell that outlives the terminal, to see what comes of its child.
  const script = `trap 'kill -HUP $!' HUP; ${run} & wait; wait $!; echo $? >'${code}'`;
  const terminal = spawn('script', ['--quiet', '--command', script, '/dev/null'], {
    env: { ...process.env, KSYM_MATRIX_CACHE: place.cache, TMPDIR: join(place.folder, 'tmp'), SHELL: '/bin/sh' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  t.ok(await eventually(() => runsQemu(place), 20_000), 'QEMU runs');
  terminal.kill('SIGKILL');
  t.ok(await eventually(() => existsSync(code) && readFileSync(code, 'utf8') !== '', END_MS), 'it ended in time');
  t.equal(readFileSync(code, 'utf8'), '130\n');
});

t.test('the end of npm, of whatever signal, is noticed', async (t) => {
  const place = newPlace(t);
  const command = `'${process.execPath}' '${LAUNCHER}' run -m '${place.matrix}' -p works --no-templates`;
  writeFileSync(join(place.folder, 'package.json'), JSON.stringify({ scripts: { one: command } }));
  const npm = spawn('npm', ['run', '--silent', 'one'], {
    cwd: place.folder,
    env: { ...process.env, KSYM_MATRIX_CACHE: place.cache, TMPDIR: join(place.folder, 'tmp') },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const printed = text(npm);
  t.ok(await eventually(() => runsQemu(place), 20_000), 'QEMU runs');
  npm.kill('SIGKILL');
  t.ok(await eventually(() => processesOf(place.folder).length === 0, END_MS), 'it ended in time');
  t.match(await printed, 'INTERRUPTED: cells are missing');
  t.same(temporaryFiles(place), []);
});

for (const signal of ['SIGHUP', 'SIGKILL'] as const) {
  t.test(`${signal} while apt waits for a mirror: apt and what it started end`, async (t) => {
    const place = newPlace(t);
    const mirror = await silentMirror(t);
    const empty = join(place.folder, 'empty-cache');
    mkdirSync(empty);
    const environment = { KSYM_MATRIX_CACHE: empty, KSYM_MATRIX_DEBIAN_MIRROR: mirror.address };
    const pull = place.start(['kernels', 'pull', KERNEL], { environment });
    t.ok(await eventually(mirror.asked, 10_000), 'apt has asked');
    t.ok(processesOf(place.folder).some((line) => line.includes('apt')));
    pull.child.kill(signal);
    const { code, stderr } = await endsInTime(t, pull.ended);
    if (signal === 'SIGHUP') {
      t.equal(code, 130);
      t.notMatch(stderr, /defect|\n +at /);
    }
    await nothingRuns(t, place);
    // The lock of apt's state is free: the next one gets as far.
    const next = place.start(['kernels', 'pull', KERNEL], { environment });
    await next.said(new RegExp(KERNEL));
    t.ok(await eventually(() => processesOf(place.folder).some((line) => line.includes('apt-get')), 10_000));
    next.child.kill('SIGINT');
    t.equal((await endsInTime(t, next.ended)).code, 130);
    t.notMatch((await next.ended).stderr, 'waiting for another run');
    await nothingRuns(t, place);
    t.same(unfinished(empty), []);
    t.same(temporaryFiles(place), []);
  });
}

t.test('the folders of an owner that lives are left alone, those of one that was killed are removed', async (t) => {
  // A path that is too long for a socket's.
  const parent = join(t.testdir({}), 'long-'.repeat(25));
  mkdirSync(parent);
  const owner = async (): Promise<{ child: ChildProcess; folder: string }> => {
    const script = `import { makeTemporaryFolder } from ${module('../../vm/temporary-folder.js')};
      console.log(await makeTemporaryFolder('ksym-matrix-x-', ${JSON.stringify(parent)}));
      process.stdin.on('end', () => process.exit()).resume();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const folder = await new Promise<string>((resolve) =>
      child.stdout.once('data', (line) => resolve(String(line).trim())),
    );
    writeFileSync(join(folder, 'file'), '');
    return { child, folder };
  };
  const [killed, alive] = await Promise.all([owner(), owner()]);
  await kill(killed.child, 'SIGKILL');
  // What looks the same, and belongs to nobody who said so.
  mkdirSync(join(parent, 'ksym-matrix-x-00000000000000-abcdef'));
  const next = await owner();
  t.notOk(existsSync(killed.folder));
  t.ok(existsSync(join(alive.folder, 'file')));
  t.ok(existsSync(join(next.folder, 'file')));
  await Promise.all([alive, next].map(({ child }) => kill(child)));
  t.same(readdirSync(parent), ['ksym-matrix-x-00000000000000-abcdef'], 'who exits removes what is its own');
});

t.test('a second signal ends what does not tidy up at once; without one it has three seconds', async (t) => {
  /** A command that never tidies up, and has a temporary folder and a child with a grandchild. */
  const hanging = async (
    name: string,
  ): Promise<{ child: ChildProcess; ended: Promise<number | null>; folder: string }> => {
    const folder = join(root, name);
    mkdirSync(folder);
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { interruptible, watchInterruptions } from ${module('../interrupt.js')};
         import { makeTemporaryFolder } from ${module('../../vm/temporary-folder.js')};
         import { runGuarded } from ${module('../../../loader/guarded-process.js')};
         watchInterruptions();
         await makeTemporaryFolder('ksym-matrix-x-', ${JSON.stringify(folder)});
         runGuarded('sh', ['-c', 'trap "" TERM; sh -c "trap \\\\"\\\\" TERM; sleep 60; : ${folder}" & wait']);
         await interruptible(() => { console.log('up'); return new Promise((end) => setTimeout(end, 60000)); });`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'], detached: true },
    );
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    return { child, ended, folder };
  };
  const root = t.testdir({});
  const [impatient, patient] = await Promise.all([hanging('impatient'), hanging('patient')]);
  t.ok(await eventually(() => processesOf(impatient.folder).some((line) => line.startsWith('sh -c trap'))));
  const started = performance.now();
  impatient.child.kill('SIGINT');
  patient.child.kill('SIGINT');
  await sleep(700);
  t.equal(impatient.child.exitCode, null, 'the first one lets it tidy up');
  impatient.child.kill('SIGTERM');
  t.equal(await impatient.ended, 130);
  t.ok(performance.now() - started < 1500);
  t.equal(await patient.ended, 130);
  t.ok(performance.now() - started >= 2900, 'it had its time');
  for (const { folder } of [impatient, patient]) {
    t.same(readdirSync(folder), [], 'temporary folders are removed even so');
    t.ok(await eventually(() => processesOf(folder).length === 0, 1000), 'and children end, with what they started');
  }
});

/** Ends a process with a signal, or by the end of its standard input. */
async function kill(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (signal === undefined) child.stdin?.end();
  else child.kill(signal);
  await ended;
}

async function text(child: ChildProcess): Promise<string> {
  let all = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    all += chunk.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  return all;
}
