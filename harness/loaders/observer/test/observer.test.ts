import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { buildFreestanding } from '../../../../loader/freestanding-build.ts';
import { PACKAGE_ROOT } from '../../../package-root.ts';
import { buildObserver } from '../build.ts';
import { NOT_OBSERVED, observedCommand, parseRecord } from '../record.ts';
import { CALLER_SOURCE } from './caller.ts';
import { testObservedExterns } from './observed-externs-tests.ts';

/** In a folder that any user can reach: as root these tests run everything as somebody without privileges, as in CI. */
const folder = mkdtempSync(join(tmpdir(), 'ksym-observer-'));
t.teardown(() => rmSync(folder, { recursive: true }));
chmodSync(folder, 0o755);
const sources = join(folder, 'caller');
mkdirSync(sources);
writeFileSync(join(sources, 'caller.c'), CALLER_SOURCE);
const outputDirectory = join(folder, 'out');
const [observer, caller] = await Promise.all([
  buildObserver({ cache: folder }),
  buildFreestanding({
    subject: 'caller',
    binaryName: 'caller',
    sources,
    headers: [join(PACKAGE_ROOT, 'loader', 'agent'), join(PACKAGE_ROOT, 'harness', 'loaders', 'observer')],
    target: 'x86_64-linux-gnu',
    outputDirectory,
  }),
]);
const NOBODY = 65534;
const unprivileged = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
const records = join(folder, 'records');
mkdirSync(records);
chmodSync(records, 0o777);

let count = 0;
const prepare = (
  command: readonly [string, ...string[]],
  credentials = {},
): [string, readonly string[], record: string] => {
  const record = join(records, `${++count}`);
  const [program, ...args] = observedCommand(observer, record, credentials, command);
  return [program, args, record];
};
const observe = (...given: Parameters<typeof prepare>) => {
  const [program, args, record] = prepare(...given);
  const { status, stdout, stderr } = spawnSync(program, args, { ...unprivileged, timeout: 60_000 });
  return { status, stdout: stdout.toString(), stderr: stderr.toString(), record };
};
/** -errno as the caller prints it. */
const errnoOf = (line: string | undefined): number => {
  const result = Number(BigInt.asIntN(64, BigInt(`0x${line}`)));
  return result < 0 ? -result : 0;
};

/** A process that has ended and that nobody has asked for yet runs no more. */
const isRunning = (pid: string): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

t.test(
  'bpf(2) calls of threads, children and the command itself are recorded with the results that they had',
  async (t) => {
    const { status, stdout, stderr, record } = observe([caller]);
    t.equal(stderr, '');
    t.equal(status, 7, "the exit code is the command's");
    const [map, btf, load, log, byId] = stdout.split('\n');
    const { loads, ...rest } = parseRecord(readFileSync(record));
    t.same(rest, {
      maps: [{ name: 'thread', type: 2, errno: errnoOf(map) }],
      btfLoads: [errnoOf(btf)],
      btfIds: new Map(errnoOf(byId) === 0 ? [[Number(`0x${byId}`), 1]] : []),
      left: 0,
      complete: true,
    });
    const [only, ...more] = loads;
    t.same(more, []);
    t.match(only, {
      name: 'observed_name_1',
      programType: 1,
      slots: 3,
      errno: errnoOf(load),
      descriptors: [5, 6, 70],
    });
    t.not(only?.errno, 0, 'no kernel takes that call');
    t.equal(
      Buffer.from(only?.instructions ?? []).toString('hex'),
      `b7${'00'.repeat(7)}8520${'0200'}4d000000${'95'}${'00'.repeat(7)}`,
    );
    t.equal(only?.verifierLog.charCodeAt(0), Number(`0x${log}`), "the log is what is in the command's buffer");
  },
);

t.test('a kernel without seccomp filters is no reason to see less', async (t) => {
  const plain = (command: readonly [string, ...string[]]) => {
    const [program, args, record] = prepare(command);
    const { status, stdout, stderr } = spawnSync(caller, ['plain', program, ...args], {
      ...unprivileged,
      timeout: 60_000,
    });
    return { status, stdout: stdout.toString(), stderr: stderr.toString(), record };
  };
  const { status, stderr, record } = plain([caller]);
  t.equal(stderr, '');
  t.equal(status, 7);
  t.same(readFileSync(record), readFileSync(observe([caller]).record), 'each call once, with the result that it had');
  t.equal(
    plain(['/bin/grep', 'Seccomp_filters', '/proc/self/status']).stdout,
    'Seccomp_filters:\t1\n',
    "the test's own alone",
  );
  t.equal(plain(['/bin/sh', '-c', 'kill -SEGV $$']).status, 128 + 11);
  t.equal(plain(['/bin/sh', '-c', 'trap "exit 9" USR1; kill -USR1 $$; exit 1']).status, 9);
});

t.test('what is longer than a record holds is cut or left out, and counted', async (t) => {
  const { status, record } = observe([caller, 'big']);
  t.equal(status, 7);
  const bytes = readFileSync(record);
  t.ok(bytes.length <= 16 << 20, `${bytes.length} bytes`);
  const { loads, left, complete } = parseRecord(bytes);
  t.ok(complete);
  t.equal(left, 6, 'of 20 MiB of instructions and a MiB of log');
  t.equal(loads.length + left, 22);
  const [log, long, ...rest] = loads;
  t.equal(log?.verifierLog, `(${1 << 19} bytes of the log are left out here)\n${'x'.repeat(1 << 20)}`);
  t.equal(long?.slots, (1 << 17) + 1);
  t.equal(long?.instructions.length, 0);
  t.ok(rest.every(({ instructions }) => instructions.length === 1 << 20));
});

t.test(
  'a command that ends by a signal, stops for a while or leaves something running ends as it would alone',
  async (t) => {
    const shell = (script: string) => observe(['/bin/sh', '-c', script]);
    t.equal(shell('kill -SEGV $$').status, 128 + 11);
    t.equal(shell('trap "exit 9" USR1; kill -USR1 $$; exit 1').status, 9, 'signals go through');
    const stopping = shell(
      'sh -c "kill -STOP \\$\\$; exit 6" & p=$!; (while kill -CONT $p; do sleep 0.02; done) 2>/dev/null & wait $p',
    );
    t.equal(stopping.status, 6);
    const { status, stdout } = shell('sleep 1000 >/dev/null & echo $!; exit 5');
    t.equal(status, 5);
    for (let patience = 500; isRunning(stdout.trim()) && patience > 0; patience--) await sleep(10);
    t.notOk(isRunning(stdout.trim()), 'what it left running ended with it');
  },
);

t.test('a command that never runs is told from one that fails', async (t) => {
  for (const [command, credentials, why] of [
    [['/no/such/command'], {}, /^observer: the command cannot be started: \/no\/such\/command: errno 2\n$/],
    [[caller], { capabilities: 0n }, /^observer: its capabilities cannot be taken away \(prctl\): errno 1\n$/],
    [[caller], { user: 0 }, /^observer: it cannot become that user \(setresuid\): errno 1\n$/],
  ] as const) {
    const { status, stderr, record } = observe([...command], credentials);
    t.equal(status, NOT_OBSERVED);
    t.match(stderr, why);
    t.notOk(parseRecord(readFileSync(record)).complete);
  }
  const own = observe(['/bin/sh', '-c', `exit ${NOT_OBSERVED}`]);
  t.equal(own.status, NOT_OBSERVED);
  t.ok(parseRecord(readFileSync(own.record)).complete);

  const [program, args] = prepare([caller]);
  const nested = observe([program, ...args]);
  t.equal(nested.status, NOT_OBSERVED, 'a process has one tracer');
  t.match(nested.stderr, /cannot be traced \(ptrace\): errno 1/);
  for (const [given, why] of [
    [[], /usage/],
    [['--record'], /an option without a value: --record/],
    [['--user', '-1', '--', caller], /this is not such a number: -1/],
    [['--wrong', '1', '--', caller], /there is no such option: --wrong/],
    [['--record', '/no/such/folder/record', '--', caller], /the record cannot be written: .*: errno 2/],
  ] as const) {
    const { status, stderr } = spawnSync(observer, given);
    t.equal(status, NOT_OBSERVED);
    t.match(stderr.toString(), why);
  }
});

t.test('someone without privileges is observed too, and can gain none', async (t) => {
  const { stdout } = observe(['/bin/grep', '-E', 'NoNewPrivs|CapEff', '/proc/self/status']);
  t.equal(stdout, 'CapEff:\t0000000000000000\nNoNewPrivs:\t1\n');
});

t.test('an observer that is killed takes the command with it and leaves what it saw', async (t) => {
  const [program, args, record] = prepare([caller, 'wait']);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...unprivileged });
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += chunk;
    if (printed.split('\n').length > 6) break;
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  const { loads, complete } = parseRecord(readFileSync(record));
  t.equal(loads.length, 1);
  t.notOk(complete);
});

t.test('a record that was cut off is refused with one clear error', async (t) => {
  const bytes = readFileSync(observe([caller]).record);
  for (const length of [0, 7, 12, 30, bytes.length - 1]) {
    t.throws(() => parseRecord(bytes.subarray(0, length)), {
      code: 'observer-record',
      message: "the observer's record cannot be read",
      why: /^wanted \d+ bytes, available \d+ of \d+$/,
    });
  }
  t.throws(() => parseRecord(Buffer.from('#!/bin/sh')), {
    code: 'observer-record',
    why: 'it does not begin as one of version 1 does',
  });
});

t.test('each load has the BTF objects that were open by then, however many there are', async (t) => {
  const words = (...numbers: number[]) => Buffer.from(Int32Array.from(numbers).buffer);
  const load = words(1, 44, -22, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0);
  const open = (descriptor: number, id: number) => words(4, 8, descriptor, id);
  const many = Array.from({ length: 1024 }, (_, at) => open(at, at + 1));
  const head = Buffer.from('KSOS\x01\0\0\0', 'latin1');
  const parts = [head, load, open(3, 70), load, open(3, 71), load, ...many, ...Array(50_000).fill(load), open(9, 5)];
  const { loads, btfIds } = parseRecord(Buffer.concat(parts));
  t.same(
    [0, 1, 2, 3, 50_002].map((at) => loads[at]?.btfIds.get(3)),
    [undefined, 70, 71, 4, 4],
  );
  t.equal(loads.at(-1)?.btfIds.get(9), 10);
  t.equal(btfIds.get(9), 5, 'what was opened after the last load counts at the end');
});

t.test('externs', (t) => testObservedExterns(t));
