import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LinePrefix } from '../../guest/line-prefix.ts';
import { ProgramError } from '../../guest/program-error.ts';
import { findProgram } from '../../guest/program-files.ts';
import { searchMark } from '../../guest/terminal-bridge.ts';
import { processesWith } from '../../vm/test/host.ts';
import { guestExitCode } from '../guest-exit-codes.ts';
import { createGuestCommands, digest } from './guest-commands.ts';

/** The oldest and the newest: one with modules, overlayfs and all, one without. */
const [OLD, NEW] = ['5.10', 'newest'];
/** What `uname -r` says there; which kernel is the newest changes. */
const NEW_RELEASE = '(?!5\\.10\\.)[1-9]\\d*\\.\\d+\\.';
const place = createGuestCommands();
const { folder, run } = place;
t.teardown(() => place.end());
const exec = (kernel: string, ...words: string[]) => run(['exec', kernel, '--', ...words]);

t.jobs = 2;

t.test('a dynamic program runs on an old and a new kernel, with its libraries, output kept apart', async (t) => {
  const ends = await Promise.all([
    run(['exec', OLD, '--env', 'COLOUR=green', '--', './probe']),
    run(['exec', NEW, '--env', 'COLOUR=blue', '--', './probe']),
  ]);
  t.match(ends[0].stdout.toString(), /^5\.10\.\S+ 42 green\n$/);
  t.match(ends[1].stdout.toString(), new RegExp(`^${NEW_RELEASE}\\S+ 42 blue\n$`));
  for (const { code, stderr } of ends) {
    t.equal(code, 0);
    t.match(stderr, /^(ksym-matrix: .*\n)*problem\n$/, 'stderr is the programs own');
  }
});

t.test('exit codes, signals and time limits come back as of a program that ran here', async (t) => {
  const [seven, killed, late, panicked] = await Promise.all([
    exec(OLD, './probe', 'exit', '7'),
    exec(NEW, './probe', 'raise', '11'),
    run(['exec', OLD, '--timeout', '1', '--', './probe', 'sleep', '100']),
    exec(NEW, './probe', 'panic'),
  ]);
  t.match([seven.code, killed.code, late.code, panicked.code], [7, 139, 124, 125]);
  t.match(late.stderr, 'killed after 1 s');
  t.match(panicked.stderr, /the kernel panicked[\s\S]*sysrq triggered crash/i, 'with the end of the console');
});

t.test('bytes go in and out unchanged, as they come', async (t) => {
  const bytes = randomBytes(1_500_000);
  const [copied, unread] = await Promise.all([
    run(['exec', OLD, '--', './probe', 'copy'], { input: bytes }),
    run(['exec', NEW, '--', './probe', 'exit', '3'], { input: bytes }),
  ]);
  t.equal(digest(copied.stdout), digest(bytes));
  t.equal(unread.code, 3, 'a program that reads nothing does not wait for its input');
});

t.test('what cannot run is refused before any machine starts, with a reason that can be acted on', async (t) => {
  writeFileSync(join(folder, 'plain'), 'text\n');
  writeFileSync(join(folder, 'text'), 'text\n', { mode: 0o755 });
  writeFileSync(join(folder, 'snake'), '#!/usr/bin/python3\n', { mode: 0o755 });
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ['./orphan', 126, /libanswer\.so/],
    ['./foreign', 126, /for aarch64/],
    ['./plain', 126, /may not be executed[\s\S]*chmod \+x/],
    ['./text', 126, /neither as an ELF file nor with #!/],
    ['./snake', 126, /--host-root/],
    ['./nothing', 127, /there is no .*\/nothing/],
  ];
  const search = { path: process.env.PATH ?? '', libraryPath: '', hostRoot: false };
  for (const [program, code, message] of cases) {
    const error: unknown = await findProgram(join(folder, program), search).catch((reason: unknown) => reason);
    t.equal(guestExitCode(error), code, program);
    t.match(error instanceof ProgramError ? error.explain() : error, message, program);
  }
  const [orphan, unknown] = await Promise.all([exec(OLD, './orphan'), exec(OLD, 'no-such-program')]);
  t.match([orphan.code, unknown.code], [126, 127]);
  t.match(orphan.stderr, /^ksym-matrix: .*libanswer\.so/);
  t.match(unknown.stderr, /no program no-such-program in PATH/);
  const asked = await Promise.all([
    run(['exec', OLD, './probe']),
    run(['exec', '--', './probe']),
    exec('no-kernel', './probe'),
  ]);
  for (const { code, stderr } of asked) {
    t.equal(code, 125);
    t.match(stderr, /^ksym-matrix: .+/);
  }
});

t.test('files and folders go in and come out, also when the program fails; scripts find tools', async (t) => {
  mkdirSync(join(folder, 'data', 'deep'), { recursive: true });
  writeFileSync(join(folder, 'data', 'deep', 'one'), randomBytes(10_000));
  writeFileSync(join(folder, 'data', 'run'), '#!/bin/sh\n', { mode: 0o750 });
  writeFileSync(join(folder, 'single'), 'single\n');
  writeFileSync(
    join(folder, 'work.sh'),
    '#!/bin/sh\ncat single /etc/other\ncp -r data result\nln -s deep/one result/link\nstat -c %a result/run\nuname -r >version\nexit 5\n',
  );
  chmodSync(join(folder, 'work.sh'), 0o755);
  const files = [
    '--in',
    'data',
    '--in',
    'single',
    '--in',
    'single:/etc/other',
    '--out',
    'result',
    '--out',
    'version:got/it',
  ];
  const end = await run(['exec', OLD, ...files, '--out', '/no/such', '--', './work.sh']);
  t.equal(end.code, 5, end.stderr);
  t.equal(end.stdout.toString(), 'single\nsingle\n750\n');
  t.match(readFileSync(join(folder, 'got', 'it'), 'utf8'), /^5\.10\./);
  const [sent, back] = ['data', 'result'].map((name) => readFileSync(join(folder, name, 'deep', 'one')));
  t.same(back, sent);
  t.same(readFileSync(join(folder, 'result', 'link')), sent, 'links stay links');
  t.match(end.stderr, 'the guest has no /no/such to fetch');
  t.notMatch(readdirSync(folder).join(), /\.tmp/, 'nothing half-written is left');
  const again = await run(['exec', OLD, '--out', 'result', '--', './probe']);
  t.equal(again.code, 125);
  t.match(again.stderr, /a folder is in the way/);
  const kernels = ['/proc/version', '/sys/module/kernel/parameters/panic', '/dev/zero:zero', '/run/applets:version'];
  const own = await run(['exec', NEW, ...kernels.flatMap((one) => ['--out', one]), '--', './probe']);
  t.equal(own.code, 125);
  t.match(readFileSync(join(folder, 'version'), 'utf8'), /^Linux version /, 'though the kernel tells no size of it');
  t.equal(readFileSync(join(folder, 'panic'), 'utf8'), '-1\n', 'though the kernel tells a wrong size of it');
  t.match(
    own.stderr,
    /ksym-matrix: \/dev\/zero of the guest is no file and no folder\n[\s\S]*version: a file is in the way/,
  );
  const halves = await Promise.all([
    run(['exec', OLD, '--in', 'data:', '--', 'true']),
    run(['exec', OLD, '--env', 'UNSET_HERE', '--', 'true']),
  ]);
  t.match(halves, [
    { code: 125, stderr: 'ksym-matrix: --in data:: a path is missing\n' },
    { code: 125, stderr: 'this environment has no such variable' },
  ]);
});

t.test('on several kernels lines carry the kernel, and the results are told apart', async (t) => {
  writeFileSync(
    join(folder, 'two.yaml'),
    `kernels: [{debian: "${OLD}", name: old}, {debian: "${NEW}", name: new}]\nprograms: [none]\n`,
  );
  mkdirSync(join(folder, 'programs'), { recursive: true });
  writeFileSync(join(folder, 'programs', 'none.bpf.c'), '');
  writeFileSync(
    join(folder, 'programs', 'none.yaml'),
    'title: nothing\nrun: []\nexpect: [{outcome: works, reason: written for this test}]\n',
  );
  writeFileSync(join(folder, 'picky.sh'), '#!/bin/sh\nuname -r | grep -F 5.10\n', { mode: 0o755 });
  const all = ['exec', '--all', '--matrix', 'two.yaml'];
  const both = await run([...all, '--json', 'out.json', '--', './picky.sh']);
  t.equal(both.code, 1);
  t.match(both.stdout.toString(), /^old \| 5\.10\.\S+\n$/);
  t.match(both.stderr, /^old : ok in /m);
  t.match(both.stderr, /^new : exit code 1 in /m);
  const { results } = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as { results: unknown };
  t.match(results, [
    { kernel: 'old', release: /^5\.10\./, status: 'exited', exitCode: 0, failure: null },
    { kernel: 'new', release: new RegExp(`^${NEW_RELEASE}`), status: 'exited', exitCode: 1, failure: null },
  ]);
  const apart = await run([...all, '--output-dir', 'apart', '--out', 'made', '--', './probe', 'copy'], {});
  t.equal(apart.code, 125, 'a file that is not there is no success');
  t.ok(existsSync(join(folder, 'apart', 'new', 'stderr')));
});

t.test("with --host-root the host's files can be read and not be written", async (t) => {
  writeFileSync(
    join(folder, 'look.sh'),
    '#!/bin/sh\nuname -r\npwd\ncat single\npython3 -c "print(6 * 7)"\ntest -d /sys/fs/bpf\necho mine >/run/x\n' +
      'echo spoilt >single || echo read-only\n' +
      // What the guest may do as root must not reach the host either.
      'mount -o remount,rw / && touch /var/ksym-matrix-test\nexit 0\n',
    { mode: 0o755 },
  );
  writeFileSync(join(folder, 'single'), 'single\n');
  const ends = await Promise.all(
    [OLD, NEW].map((kernel) =>
      run(['exec', kernel, '--host-root', '--in', 'single', '--out', 'single:x/', '--', './look.sh']),
    ),
  );
  for (const [index, { code, stdout, stderr }] of ends.entries()) {
    t.equal(code, 0, stderr);
    t.match(stdout.toString(), new RegExp(`^${index === 0 ? '5\\.10\\.' : NEW_RELEASE}\\S+\n${folder}\nsingle\n42\n`));
  }
  t.equal(readFileSync(join(folder, 'single'), 'utf8'), 'single\n', 'what the guest writes stays there');
  t.notOk(existsSync('/var/ksym-matrix-test'), 'nor does it help to mount them for writing');
});

t.test(
  'a shell on a terminal has job control, a window size and an exit code, and leaves the terminal as it was',
  async (t) => {
    const script = (more: string): string =>
      `stty rows 33 cols 111; tty; stty -g >before; "$KSYM" shell ${more}; echo "code $?"; stty -g >after; cmp before after && echo same`;
    const talk = async (more: string, release: RegExp): Promise<void> => {
      const terminal = place.onTerminal(script(more));
      const tty = /\/dev\/pts\/\d+/.exec(await terminal.until(/pts\/\d+\r?\n/))?.[0] ?? '';
      t.match(await terminal.until(/ [#$] /), 'leave with exit or Ctrl-D', 'there is a banner');
      terminal.write('uname -r; stty size\n');
      t.match(await terminal.until(/33 111/), release);
      terminal.write('sleep 4711; echo "code is $?"\n');
      await terminal.until(/4711/);
      await new Promise((resolve) => setTimeout(resolve, 500));
      terminal.write('\u0003');
      await terminal.until(/ [#$] /);
      spawnSync('stty', ['-F', tty, 'rows', '44', 'cols', '122']);
      terminal.write('until [ "$(stty size)" = "44 122" ]; do sleep 0.1; done; echo re""sized\n');
      await terminal.until(/resized/);
      terminal.write('exit 42\n');
      t.match(await terminal.until(/code 42\r?\n/), /exit 42/);
      await terminal.until(/same/);
      t.equal(await terminal.ended, 0);
    };
    const breakOff = async (): Promise<void> => {
      const terminal = place.onTerminal(script(`${OLD} --no-host-root`));
      await terminal.until(/\/ # /);
      terminal.write('echo c >/proc/sysrq-trigger\n');
      t.match(await terminal.until(/code 125\r?\n/), /sysrq triggered crash/i, 'a panic shows the end of the console');
      await terminal.until(/same/);
      const other = place.onTerminal(script(`${OLD} --no-host-root`));
      await other.until(/\/ # /);
      other.write('\u001d');
      await other.until(/code 130\r?\n/);
      await other.until(/same/);
    };
    await Promise.all([talk(NEW, new RegExp(`[\r\n]${NEW_RELEASE}`)), breakOff()]);
  },
);

t.test('a shell without a terminal takes a script', async (t) => {
  const [withHost, alone] = await Promise.all([
    run(['shell', OLD], { input: Buffer.from('uname -r; head -c 3 probe.c >/dev/null && exit 9\n') }),
    run(['shell', NEW, '--no-host-root'], { input: Buffer.from('uname -r | cut -c 1-200; seq 2 >&2\n') }),
  ]);
  t.match([withHost.code, withHost.stdout.toString()], [9, /^5\.10\./]);
  t.match([alone.code, alone.stdout.toString()], [0, new RegExp(`^${NEW_RELEASE}\\S+\n$`)]);
  t.match(alone.stderr, /^1\n2\n$/m);
});

t.test('the mark of the end is found and hidden however it is cut, and lines are prefixed when they are whole', (t) => {
  const mark = Buffer.from('\u001b_token');
  for (const size of [1, 2, 5, 1000]) {
    const bytes = Buffer.from('text \u001b_tok no mark \u001b[0m\u001b_token17\u001b\\after');
    let [shown, held] = ['', Buffer.alloc(0)];
    let exitCode: number | null = null;
    for (let at = 0; at < bytes.length && exitCode === null; at += size) {
      const found = searchMark(Buffer.concat([held, bytes.subarray(at, at + size)]), mark);
      shown += found.show.toString();
      held = found.keep;
      exitCode = found.exitCode;
    }
    t.same([shown, exitCode], ['text \u001b_tok no mark \u001b[0m', 17], `${size} bytes at a time`);
  }
  const written: string[] = [];
  const prefix = new LinePrefix('k | ', (bytes) => written.push(bytes.toString()));
  for (const chunk of ['a', 'b\n\nc', '\nd']) prefix.add(Buffer.from(chunk));
  t.same(written, ['k | ab\nk | \n', 'k | c\n']);
  prefix.end();
  t.equal(written.at(-1), 'k | d\n', 'a last line without an end gets one');
  t.end();
});

t.test('nothing is left behind', { buffered: false }, (t) => {
  t.same(
    readdirSync(join(folder, 'tmp')).filter((name) => !name.startsWith('.')),
    [],
  );
  t.same(processesWith(folder), []);
  t.end();
});
