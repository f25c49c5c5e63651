import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConsoleLog } from '../console.ts';
import { pad, writeCpio } from '../cpio.ts';
import { planMachine, readPlan } from '../plan.ts';
import { startGroupProcess } from '../process.ts';
import { splitShellWords } from '../shell-words.ts';
import { NULL_DEREFERENCE_5_10, OOPS_OF_INVALID_OPCODE_6_1, PANIC_6_12, SOFT_LOCKUP_6_1 } from './console-samples.ts';

t.test('words of a command line are split as a POSIX shell splits them', (t) => {
  const lines = [
    'a b  c\td',
    `a 'b c' "d e"f`,
    `'it'"'"'s'`,
    `"back\\\\slash \\"quoted\\" \\n kept" \\' x\\ y`,
    `'' "" a''b`,
    `-append 'console=hvc0 init=/bin/sh -- -c "mount -t tmpfs run /run;exec x"'`,
    'ümläut "€ 1"',
  ];
  for (const line of lines) {
    // The oracle is the shell itself, which prints each word with a zero byte after it.
    const shell = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
    t.same(splitShellWords(line), shell.split('\0').slice(0, -1), line);
  }
  t.same(splitShellWords(''), []);
  t.same(splitShellWords(' \n '), []);
  t.throws(() => splitShellWords(`a 'b`), { code: 'unbalanced-quote' });
  t.throws(() => splitShellWords('a "b'), { code: 'unbalanced-quote' });
  t.end();
});

// virtme-run 1.35 on Debian 12 for Debian's 5.10 cloud kernel, options as planMachine gives them; paths shortened.
const VIRTME_1_35 = `/usr/bin/qemu-system-x86_64 -m 512M -fsdev local,id=virtfs3,path=/tmp/empty,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=virtfs3,mount_tag=/dev/root -fsdev local,id=virtfs7,path=/usr/lib/python3/dist-packages/virtme/guest,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=virtfs7,mount_tag=virtme.guesttools -device i6300esb,id=watchdog0 -machine q35 -parallel none -net none -echr 1 -chardev file,path=/proc/self/fd/2,id=dmesg -device virtio-serial-pci -device virtconsole,chardev=dmesg -chardev stdio,id=console,signal=off,mux=off -serial chardev:console -vga none -display none -smp 2 -kernel /k/vmlinuz-5.10.0-46-cloud-amd64 -append 'nr_open=1048576 virtme_root_mods=1 console=hvc0 virtme_console=ttyS0 psmouse.proto=exps TERM=xterm virtme_root_user=1 quiet loglevel=1 init=/bin/sh -- -c "mount -t tmpfs run /run;mkdir -p /run/virtme/guesttools;/bin/mount -n -t 9p -o ro,version=9p2000.L,trans=virtio,access=any virtme.guesttools /run/virtme/guesttools;exec /run/virtme/guesttools/virtme-init"' -initrd /tmp/planned.cpio`;

t.test("a plan keeps virtme-ng's machine, and nothing of its consoles, shares, kernel and init", (t) => {
  t.same(readPlan(VIRTME_1_35), {
    qemu: '/usr/bin/qemu-system-x86_64',
    arguments: [
      '-m',
      '512M',
      '-machine',
      'q35',
      '-parallel',
      'none',
      '-net',
      'none',
      '-vga',
      'none',
      '-display',
      'none',
      '-smp',
      '2',
    ],
    kernelParameters: [],
  });
  t.end();
});

t.test('a plan of a newer virtme-ng loses what would collide with ours, and keeps what is new', (t) => {
  // Made up from the changes of 1.41: virtiofs, -cpu max without KVM, a watchdog, a name, and parameters of the user.
  const line = `qemu-system-x86_64 -name virtme-ng -m 1G -object memory-backend-memfd,id=mem,size=1G,share=on -numa node,memdev=mem -chardev socket,id=charvirtfs5,path=/tmp/virtmea/sock -device vhost-user-fs-pci,chardev=charvirtfs5,tag=ROOTFS -device i6300esb,id=watchdog0 -cpu max -machine q35 -enable-kvm -no-reboot -accel kvm -device virtio-rng-pci -device virtio-serial-pci -device virtserialport,name=virtme.dev,chardev=x -monitor none -mon chardev=console -kernel /k/vmlinuz -append 'virtme_hostname=virtme-ng nokaslr mitigations=off root=ROOTFS rootfstype=virtiofs rootflags=ro panic=-1 earlyprintk=serial,ttyS0,115200 console=ttyS0 a.b="x y" init=/usr/bin/virtme-ng-init'`;
  const plan = readPlan(line);
  t.equal(plan.qemu, 'qemu-system-x86_64');
  t.same(
    plan.arguments.join(' '),
    '-m 1G -object memory-backend-memfd,id=mem,size=1G,share=on -numa node,memdev=mem -machine q35 -device virtio-rng-pci',
  );
  t.same(plan.kernelParameters, ['nokaslr', 'mitigations=off', 'a.b="x', 'y"']);
  t.same(readPlan('qemu -kernel k -append "quiet -- init=/x"').kernelParameters, [], 'nothing after -- is a parameter');
  t.same(readPlan('qemu -m 1 -kernel k'), { qemu: 'qemu', arguments: ['-m', '1'], kernelParameters: [] });
  t.end();
});

t.test('virtme-run that fails, or prints no command, is a plan that failed, in its own words', async (t) => {
  const request = { image: '/k/vmlinuz', memoryMiB: 512, cpus: 2, initramfs: '/nowhere/i.cpio' };
  const plan = (script: string): Promise<unknown> =>
    planMachine(
      { command: ['sh', '-c', script, 'virtme-run'], environment: { WORD: 'spoke' }, version: '1.35' },
      request,
    );
  await t.rejects(plan('echo "virtme-run: $WORD: no such kernel" >&2; exit 1'), {
    code: 'plan-failed',
    phase: 'boot',
    why: 'virtme-run: spoke: no such kernel',
    where: /vmlinuz/,
  });
  await t.rejects(plan('echo hello'), { code: 'plan-failed', why: 'it printed no QEMU command' });
  await t.rejects(planMachine({ command: ['/nowhere/virtme-run'], environment: {}, version: '1' }, request), {
    code: 'plan-failed',
    why: /\/nowhere\/virtme-run is not installed/,
  });
  // The arguments arrive as they are, and the root that is exported to the guest is an empty folder that is removed again.
  const script = `for a; do [ "$p" = --root ] && ls -A "$a" | wc -l >&2 && echo "$a" >"$RECORD"; p=$a; done; echo "qemu -m 512M -kernel k"`;
  const record = join(t.testdir({}), 'root');
  const virtme = { command: ['sh', '-c', script, 'virtme-run'], environment: { RECORD: record }, version: '1.35' };
  t.same(await planMachine(virtme, request), { qemu: 'qemu', arguments: ['-m', '512M'], kernelParameters: [] });
  t.throws(() => readFileSync(readFileSync(record, 'utf8').trim()), { code: 'ENOENT' });
});

/** Unpacks an archive with a cpio of the system. */
function unpack(t: Test, archive: Buffer, command: readonly [string, ...string[]]): string {
  const folder = t.testdir({});
  const [program, ...args] = command;
  execFileSync(program, [...args, '-idm'], { cwd: folder, input: archive, stdio: ['pipe', 'pipe', 'pipe'] });
  return folder;
}

t.test('a cpio archive is what busybox unpacks', (t) => {
  const contents = ['', 'a', 'ab', 'abc', 'abcd', 'x'.repeat(70_000)];
  const files = contents.map((text, index) => ({
    path: `${'n'.repeat(index + 1)}`,
    mode: index % 2 === 0 ? 0o755 : 0o600,
    content: Buffer.from(text),
  }));
  const archive = writeCpio(files);
  t.equal(archive.length % 4, 0, 'the next archive can follow at once');
  const folder = unpack(t, archive, ['busybox', 'cpio']);
  for (const { path, mode, content } of files) {
    t.same(readFileSync(join(folder, path)), content, `${content.length} bytes under a name of ${path.length}`);
    const shown = execFileSync('stat', ['-c', '%a', join(folder, path)], { encoding: 'utf8' }).trim();
    t.equal(shown, mode.toString(8));
  }
  const listed = execFileSync('busybox', ['cpio', '-t'], {
    input: archive,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.same(
    listed.trim().split('\n'),
    files.map((file) => file.path),
  );
  t.end();
});

t.test('bytes are filled up to a multiple of four, and no further', (t) => {
  t.same(
    [0, 1, 2, 3, 4, 5].map((length) => pad(Buffer.alloc(length)).length),
    [0, 4, 4, 4, 4, 8],
  );
  t.end();
});

/** A console that has printed `text` in chunks of `size` bytes. */
async function printed(t: Test, text: string, size = text.length): Promise<ConsoleLog> {
  const console = new ConsoleLog(join(t.testdir({}), 'console.log'));
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) console.write(bytes.subarray(start, start + size));
  await console.close();
  return console;
}

t.test('a panic, an oops, a lockup and a healthy boot are told apart, however the text arrives', async (t) => {
  const cases = [
    ['panic', PANIC_6_12, 'Kernel panic - not syncing: sysrq triggered crash', 2],
    ['oops', NULL_DEREFERENCE_5_10, 'BUG: kernel NULL pointer dereference, address: 0000000000000000', 1],
    ['oops', OOPS_OF_INVALID_OPCODE_6_1, 'invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 1],
    ['oops', SOFT_LOCKUP_6_1, 'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [agent:97]', 1],
  ] as const;
  for (const [kind, text, announcement, line] of cases) {
    for (const size of [text.length, 1, 7, 64]) {
      const console = await printed(t, text, size);
      t.match(console.crash, { kind, line }, `${announcement} in chunks of ${size}`);
      t.match(console.crash?.text, announcement);
      t.match(console.crashExcerpt(3)[0], announcement);
      t.equal(readFileSync(console.path, 'utf8'), text, 'the file has every byte');
      t.equal(console.size, Buffer.byteLength(text));
    }
  }
  const healthy = [
    '[    0.000000] Linux version 6.12.117+deb13-cloud-amd64 (debian-kernel@lists.debian.org)',
    '[    0.000000] Command line: console=ttyS0 panic=-1 oops=panic',
    '[    0.100000] Spectre V2 : Mitigation: Retpolines',
    '[    1.000000] BUGS: none; debug: DEBUG: x',
    '[    1.100000] printk: Panic-less console registered',
    'ksym-matrix: agent starts on /dev/vport1p1',
    '',
  ].join('\r\n');
  t.equal((await printed(t, healthy)).crash, undefined);
});

t.test('a panic after an oops is what counts, and an oops after a panic is not', async (t) => {
  const both = await printed(t, NULL_DEREFERENCE_5_10 + PANIC_6_12);
  t.equal(both.crash?.kind, 'panic');
  t.match(both.crashExcerpt(1)[0], 'sysrq triggered crash');
  t.equal((await printed(t, PANIC_6_12 + NULL_DEREFERENCE_5_10)).crash?.kind, 'panic');
  const twice = await printed(t, NULL_DEREFERENCE_5_10 + SOFT_LOCKUP_6_1);
  t.match(twice.crash?.text, 'NULL pointer', 'the first of a kind is the cause');
});

t.test('a flood on the console costs no memory, and the crash in it is still found', async (t) => {
  const flood = 'the same line again and again\n'.repeat(3000);
  const console = await printed(t, `${flood}${NULL_DEREFERENCE_5_10}${flood}${'x'.repeat(100_000)}`, 65_536);
  t.equal(console.lines.length, 5000);
  t.match(console.crashExcerpt(1)[0], 'NULL pointer dereference', 'it is still where it is said to be');
  t.ok(
    console.tail(1).every((line) => line.length <= 4000),
    'a line without an end is cut',
  );
  const long = await printed(t, `${flood}${NULL_DEREFERENCE_5_10}${flood.repeat(3)}`, 65_536);
  t.equal(long.crash?.kind, 'oops', 'also when its line has gone');
  t.match(long.crash?.text, 'NULL pointer dereference');
  t.equal(long.size, readFileSync(long.path).length);
});

t.test('lines are cleaned of what a terminal would act upon, and split characters are put together', async (t) => {
  const console = await printed(t, '\u001b[1;31mred\u001b[0m\r\nSeaBIOS \u001bc\u0007 €uro\r\n\r\nprompt# ', 1);
  t.same(console.lines, ['red', 'SeaBIOS  €uro', '']);
  t.same(console.tail(2), ['SeaBIOS  €uro', 'prompt# ']);
});

t.test('the first output is told, and a log that cannot be written does not end the machine', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'console.log'));
  const console = new ConsoleLog(join(folder, 'console.log'));
  let told = false;
  const first = console.firstOutput.then(() => {
    told = true;
  });
  console.write(new Uint8Array());
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(told, false, 'nothing is no output');
  console.write(Buffer.from('x'));
  await first;
  await console.close();
  t.match(console.fileError, { code: 'EISDIR' });
  console.write(Buffer.from('y\n'));
  t.same(console.lines, ['xy']);
});

t.test('the initramfs of a machine holds our init last, so that it takes the place of the planned one', (t) => {
  const planned = writeCpio([{ path: 'init', mode: 0o755, content: Buffer.from('theirs') }]);
  const ours = writeCpio([{ path: 'init', mode: 0o755, content: Buffer.from('ours') }]);
  const folder = t.testdir({});
  writeFileSync(join(folder, 'both'), Buffer.concat([pad(planned), ours]));
  const second = pad(planned).length;
  // The kernel looks for the next archive's magic after the trailer and its padding (init/initramfs.c).
  t.equal(
    readFileSync(join(folder, 'both'))
      .subarray(second, second + 6)
      .toString(),
    '070701',
  );
  t.end();
});

t.test('a console that is written byte by byte is whole, though nobody reads it for a while', async (t) => {
  // As QEMU does: it does not wait for room, and what finds none is lost.
  const writer = 'import os\nos.set_blocking(1, False)\nfor _ in range(20000): os.write(1, b"x")\nos._exit(7)';
  const process = startGroupProcess('python3', ['-c', writer], { outputFifo: join(t.testdir(), 'console') });
  let length = 0;
  process.child.stdout.on('data', (chunk: string) => {
    length += chunk.length;
  });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  const { exitCode, stderr } = await process.exited;
  t.equal(stderr, '');
  t.equal(exitCode, 7, 'the exit code is the program’s own');
  t.equal(length, 20000);
});
