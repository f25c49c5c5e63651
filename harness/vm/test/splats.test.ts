import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConsoleLog, type ConsoleOptions } from '../console.ts';
import { ALLOW_RULES, DENY_RULES, SPOILING_KINDS } from '../splat-rules.ts';
import { type ConsoleSplat, type SplatOptions, SplatScanner, splatExcerpt, withoutStamp } from '../splats.ts';
import { NULL_DEREFERENCE_5_10, OOPS_OF_INVALID_OPCODE_6_1, PANIC_6_12, SOFT_LOCKUP_6_1 } from './console-samples.ts';
import { HEALTHY_LINES, SPLAT_SAMPLES } from './splat-samples.ts';

/** What a scanner finds in these lines. */
function found(lines: readonly string[], options?: SplatOptions): readonly ConsoleSplat[] {
  const scanner = new SplatScanner(options);
  for (const [number, line] of lines.entries()) scanner.take(line, number, lines.slice(0, number));
  return scanner.splats;
}

function open(t: Test, options?: ConsoleOptions): ConsoleLog {
  return new ConsoleLog(join(t.testdir({}), 'console.log'), options);
}

const WARNING = '[    3.100000] WARNING: CPU: 1 PID: 97 at kernel/bpf/verifier.c:1234 do_check+0x1a/0x30';

t.test('each line that a kernel prints in trouble is found by its own rule, whatever stands before it', (t) => {
  const stamps = [
    '',
    '[    3.100000] ',
    '[12345.678901][   T97] ',
    '[    3.100000][    C0] ',
    '[    3.100000] [   T97] ',
  ];
  for (const { rule, line, from } of SPLAT_SAMPLES) {
    for (const stamp of stamps) {
      const splats = found([`${stamp}${line}`]);
      t.same(
        splats.map((splat) => [splat.rule, splat.text, splat.allowed]),
        [[rule, line, null]],
        `${from}: ${stamp}${line}`,
      );
    }
    t.ok(new SplatScanner().suspects(`before\n${line}\nafter`), `the cheap test lets ${line} through`);
  }
  t.end();
});

t.test('every rule has a sample, a name of its own, a meaning and a source, and no allow rule hides a sample', (t) => {
  const ids = DENY_RULES.map(({ id }) => id);
  t.same([...new Set(ids)], ids);
  t.same([...new Set(SPLAT_SAMPLES.map(({ rule }) => rule))].sort(), [...ids].sort());
  for (const { id, what, source, partOf = [] } of DENY_RULES) {
    t.match(id, /^[a-z]+(-[a-z]+)*$/);
    t.ok(what.length > 5 && source.length > 5, id);
    t.same(
      partOf.filter((other) => !ids.includes(other)),
      [],
      `${id} is part of rules that exist`,
    );
  }
  for (const allow of ALLOW_RULES) {
    t.same(
      SPLAT_SAMPLES.filter(({ line }) => allow.pattern.test(line)),
      [],
      `${allow.id} hides nothing`,
    );
    t.ok(allow.reason !== '' && allow.seen !== '' && allow.review !== '', `${allow.id} says why, where and how long`);
  }
  t.end();
});

t.test('what a healthy kernel prints is no splat', (t) => {
  for (const line of HEALTHY_LINES) t.same(found([`[    1.000000] ${line}`]), [], line);
  t.end();
});

t.test('an allow rule gives the reason, for its kernels only, and its splat does not spoil the machine', (t) => {
  const rule = { id: 'x', pattern: /soft lockup/, reason: 'slow host', seen: 'y', review: 'never', kernels: ['6.1'] };
  const line = 'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [agent:97]';
  for (const [release, allowed] of [
    ['6.1.0-56-cloud-amd64', 'slow host'],
    ['6.12.117+deb13-cloud-amd64', null],
    [undefined, null],
  ] as const) {
    const scanner = new SplatScanner({ allow: [rule], ...(release === undefined ? {} : { release }) });
    scanner.take(line, 0, []);
    t.equal(scanner.splats[0]?.allowed, allowed, `on ${release}`);
    t.equal(scanner.worst?.rule, allowed === null ? 'soft-lockup' : undefined);
  }
  const everywhere = found([line, 'Kernel panic - not syncing: x'], {
    allow: [{ ...rule, pattern: /lockup/ }],
    release: '6.1.0',
  });
  t.same(
    everywhere.map(({ allowed }) => allowed),
    ['slow host', null],
    'what comes after it is seen',
  );
  t.end();
});

t.test('each allow rule is needed: a line that was seen is matched by it and by a deny rule', (t) => {
  const seen: Record<string, string> = {
    'slow-backtrace': '[    3.887130] INFO: NMI handler (nmi_cpu_backtrace_handler) took too long to run: 1.628 msecs',
  };
  t.same(
    Object.keys(seen),
    ALLOW_RULES.map(({ id }) => id),
  );
  for (const { id, reason } of ALLOW_RULES) t.match(found([seen[id] ?? '']), [{ allowed: reason }], id);
  t.end();
});

t.test('lists of a user can take the place of ours, also with patterns that have no hints', (t) => {
  const deny = [{ id: 'mine', kind: 'warning', pattern: /my+ (?:own|word)/, what: 'x', source: 'y' }] as const;
  t.same(
    found(['[ 1.0] myyy word', 'BUG: x'], { deny }).map(({ rule }) => rule),
    ['mine'],
  );
  t.same(found(['BUG: x'], { deny: [] }), [], 'no rule finds nothing');
  t.end();
});

t.test('one report of several announcements is one splat, and the next report is another', (t) => {
  const rules = (...texts: string[]): string[] => found(texts.join('').split('\r\n')).map(({ rule }) => rule);
  t.same(rules(NULL_DEREFERENCE_5_10), ['page-fault'], 'its "Oops:" belongs to it');
  t.same(rules(NULL_DEREFERENCE_5_10, OOPS_OF_INVALID_OPCODE_6_1), ['page-fault', 'oops'], 'a second "Oops:" does not');
  t.same(rules(NULL_DEREFERENCE_5_10, PANIC_6_12, SOFT_LOCKUP_6_1), ['page-fault', 'panic', 'soft-lockup']);
  const killer =
    '[   11.1] agent invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0';
  const killed = '[   11.9] Out of memory: Killed process 97 (agent) total-vm:812kB, anon-rss:0kB';
  const statistics = Array.from({ length: 120 }, (_, index) => `[   11.5] [     ${index}]     0    ${index}      203`);
  const [report, ...others] = found([killer, ...statistics, killed]);
  t.same(others, [], 'the victim is named in the report');
  t.equal(report?.block.at(-1), killed, 'also where the report is longer than what is kept of it');
  t.same(
    found([killer, ...statistics, ...statistics, killed]).map(({ rule }) => rule),
    ['oom-killer', 'oom-victim'],
    'but not for ever',
  );
  t.same(rules(...Array.from({ length: 3 }, () => `${WARNING}\r\n`)), ['warning', 'warning', 'warning']);
  t.end();
});

t.test('the excerpt begins where the kernel begins to cut, and ends with the report', (t) => {
  const text = [
    'unrelated before',
    '[    3.000000] ------------[ cut here ]------------',
    '[    3.050000] refcount_t: underflow; use-after-free.',
    WARNING,
    '[    3.200000] Modules linked in:',
    '[    3.250000] Call Trace:',
    '[    3.300000]  ? foo+0x1/0x2',
    '[    3.350000] RIP: 0033:0x401000',
    '[    3.400000] ---[ end trace 0000000000000000 ]---',
    'unrelated after',
  ];
  const [splat, ...rest] = found(text);
  t.equal(rest.length, 0);
  t.equal(splat?.rule, 'refcount', 'the text before the WARNING line tells more');
  t.same(splat && splatExcerpt(splat), text.slice(1, -1));
  t.same(splat && splatExcerpt(splat, 2), text.slice(1, 3));
  // sched_show_task() has no end marker: the report ends with its trace.
  const hung = [
    '[  240.1] INFO: task agent:97 blocked for more than 120 seconds.',
    '[  240.2]       Not tainted 6.12.117 #1',
    '[  240.3] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
    '[  240.4] task:agent           state:D stack:0     pid:97',
    '[  240.5] Call Trace:',
    '[  240.6]  <TASK>',
    '[  240.7]  __schedule+0x3b8/0xb00',
    '[  240.8] RIP: 0033:0x401000',
    '[  240.9]  </TASK>',
  ];
  const [task] = found([...hung, '[  241.0] device went away']);
  t.same(task?.block, hung);
  const [endless] = found([...text.slice(0, 5), ...Array.from({ length: 1000 }, () => 'more')]);
  t.equal(endless?.block.length, 60, 'a report without an end is bounded');
  const lockdep = ['='.repeat(54), 'WARNING: possible circular locking dependency detected', '6.12.0 Not tainted'];
  t.same(found(['x', ...lockdep])[0]?.block, lockdep);
  t.end();
});

t.test('only what leaves no machine to ask spoils it: a WARN, an RCU stall or lack of memory does not', (t) => {
  for (const { rule: id, line } of SPLAT_SAMPLES) {
    const kind = DENY_RULES.find((rule) => rule.id === id)?.kind ?? 'warning';
    const scanner = new SplatScanner();
    scanner.take(line, 0, []);
    t.equal(scanner.worst !== undefined, SPOILING_KINDS.has(kind), `${kind}: ${line}`);
  }
  t.same([...SPOILING_KINDS], ['panic', 'oops', 'soft-lockup']);
  t.end();
});

t.test(
  'a console gives its splats with their lines, however the text arrives, and those of one cell alone',
  async (t) => {
    const text = `boot\r\n${WARNING}\r\nlast of the first cell\r\n${SOFT_LOCKUP_6_1}unfini`;
    for (const size of [text.length, 1, 7, 64]) {
      const console = open(t);
      const bytes = Buffer.from(text);
      for (let start = 0; start < bytes.length; start += size) console.write(bytes.subarray(start, start + size));
      t.same(
        console.splats.map(({ rule, line }) => [rule, line]),
        [
          ['warning', 1],
          ['soft-lockup', 4],
        ],
        `in chunks of ${size}`,
      );
      t.equal(console.crash?.kind, 'oops', 'the lockup spoils it, the warning does not');
      await console.close();
    }
    const console = open(t);
    console.write(Buffer.from(`boot\r\n${WARNING}\r\n`));
    const first = console.mark();
    t.same(console.since(first), { lines: [], splats: [], dropped: 0 });
    t.equal(console.crash, undefined);
    console.write(Buffer.from(`one\r\n${SOFT_LOCKUP_6_1}`));
    const second = console.mark();
    console.write(Buffer.from('two\r\nBUG: KASAN: x in y\r\npart'));
    t.same(
      console.since(first).splats.map(({ rule, line }) => [rule, line]),
      [
        ['soft-lockup', 4],
        ['kasan', 7],
      ],
    );
    t.same(
      console.since(second).splats.map(({ rule }) => rule),
      ['kasan'],
    );
    t.same(console.since(second).lines, ['two', 'BUG: KASAN: x in y', 'part']);
    console.write(Buffer.from(' of a line\nKernel panic - not syncing: cut o'));
    await console.close();
    t.equal(console.crash?.kind, 'panic', 'a machine that ends within a line is not missed');
  },
);

t.test('a flood hides no splat, fills no memory, and the log says what it leaves out', async (t) => {
  const console = open(t, { maxFileBytes: 300_000 });
  const flood = Buffer.from(
    '[   12.345678] the same line of eighty characters, again and again and again.\r\n'.repeat(820),
  );
  t.ok(flood.length > 64_000 && flood.length < 66_000);
  const mark = console.mark();
  const started = performance.now();
  let longest = 0;
  for (let count = 0; count < 1600; count++) {
    if (count === 800) console.write(Buffer.from(NULL_DEREFERENCE_5_10));
    const before = performance.now();
    console.write(flood);
    longest = Math.max(longest, performance.now() - before);
  }
  const seconds = (performance.now() - started) / 1000;
  t.comment(`${(console.size / 1e6 / seconds).toFixed(0)} MB/s, at most ${longest.toFixed(1)} ms for 64 KiB`);
  t.ok(longest < 500, `64 KiB hold up everything else for ${longest} ms`);
  t.ok(seconds < 20, `100 MB took ${seconds} s`);
  const { lines, splats, dropped } = console.since(mark);
  t.same(
    splats.map(({ rule, line }) => [rule, line]),
    [['page-fault', 800 * 820 + 1]],
  );
  t.equal(lines.length, 5000);
  t.equal(dropped + lines.length, 1600 * 820 + 8);
  t.match(console.crashExcerpt(2), [/BUG: kernel NULL pointer dereference/, /#PF/], 'kept though its lines have gone');
  await console.close();
  const file = readFileSync(console.path, 'utf8');
  t.ok(file.length < 300_000 + 5000 * 81 + 10_000, `${file.length}`);
  t.equal(file.indexOf('\n[ksym-matrix: '), 300_000, 'as many bytes as it may have');
  t.match(file, `[ksym-matrix: ${console.size - 300_000} bytes are left out here]`);
  t.match(file, 'RIP: 0010:version_proc_show', 'the report among what was left out is there');
  t.match(file, '[ksym-matrix: the last 5000 lines:]');
});

t.test('lines without an end and lines that are too long hide no splat and fill no memory', async (t) => {
  const console = open(t, { maxFileBytes: 1000 });
  const panic = '[    4.110000] Kernel panic - not syncing: sysrq triggered crash';
  // At every offset that could meet a cut.
  for (let padding = 3900; padding < 4010; padding++) {
    console.mark();
    console.write(Buffer.from(`${'x'.repeat(padding)}${panic}\n`));
  }
  t.equal(console.splats.filter(({ rule }) => rule === 'panic').length, 110);
  const endless = Buffer.alloc(1 << 16, 'y');
  const before = console.mark();
  for (let count = 0; count < 400; count++) console.write(endless);
  console.write(Buffer.from(NULL_DEREFERENCE_5_10));
  t.same(
    console.since(before).splats.map(({ rule }) => rule),
    ['page-fault'],
  );
  t.ok(console.lines.every((line) => line.length <= 4000));
  const kept = console.lines.reduce((total, line) => total + line.length, 0);
  t.ok(kept > 1 << 21 && kept <= 1 << 22, `${kept} characters are kept`);
  await console.close();
});

t.test('a flood of splats is counted, the panic in it is known, and the next cell has its own allowance', async (t) => {
  const console = open(t);
  console.write(Buffer.from(`${WARNING}\n`.repeat(1000)));
  console.write(Buffer.from(`${PANIC_6_12}${WARNING}\n`));
  t.equal(console.splats.length, 21);
  t.equal(console.omittedSplats, 981);
  t.equal(console.crash?.kind, 'panic');
  const mark = console.mark();
  console.write(Buffer.from(`${WARNING}\n`));
  t.same(
    console.since(mark).splats.map(({ rule }) => rule),
    ['warning'],
  );
  await console.close();
});

t.test('a stamp is taken off, whatever its form, and nothing else', (t) => {
  for (const line of [
    '[    0.000000] x',
    '[12345.678901][  T123] x',
    '[    1.5][    C0] x',
    '[    1.5] [  T12] x',
    'x',
  ])
    t.equal(withoutStamp(line), 'x', line);
  t.equal(withoutStamp('[    1.5]  ? foo+0x1/0x2'), ' ? foo+0x1/0x2', 'the indentation of a trace stays');
  t.equal(withoutStamp('[ BUG: Invalid wait context ]'), '[ BUG: Invalid wait context ]');
  t.end();
});
