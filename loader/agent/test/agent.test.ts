import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { chmod, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { AgentError } from '../agent-error.ts';
import { agentSourceDirectory, buildAgent } from '../build.ts';
import { startLocalAgent } from '../child.ts';
import { connectAgent } from '../client.ts';
import type { SyscallBuffer } from '../connection.ts';
import { describeErrno, errnoName, errnoNumber } from '../errno.ts';
import { ErrorCode, encodeFrame, encodeU32, FrameReader, FrameType } from '../protocol.ts';
import { SYSCALL_X86_64 as SYS, syscallNumber } from '../syscall-numbers.ts';
import { commandLines } from './processes.ts';
import { testSsh } from './ssh-tests.ts';

const folder = t.testdir();
const binary = await buildAgent({ outputDirectory: folder });
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const input = (bytes: Uint8Array, pointers: SyscallBuffer['pointers'] = []): SyscallBuffer => ({
  bytes,
  direction: 'in',
  pointers,
});
const output = (length: number): SyscallBuffer => ({ bytes: new Uint8Array(length), direction: 'out' });

t.test(
  'the agent compiles without a warning, is static and small, and an unchanged one is not built again',
  async (t) => {
    const { mtimeMs, size } = await stat(binary);
    t.ok(size < 64 * 1024, `${size} bytes`);
    t.equal(await buildAgent({ outputDirectory: folder }), binary);
    t.equal((await stat(binary)).mtimeMs, mtimeMs);
    t.equal(execFileSync('readelf', ['-dW', binary]).toString().trim(), 'There is no dynamic section in this file.');
    t.notMatch(execFileSync('readelf', ['-lW', binary]).toString(), /INTERP/);
    t.notMatch(execFileSync('readelf', ['-lW', binary]).toString(), /RWE/, 'no segment is writable and executable');
    t.match((await readdir(agentSourceDirectory())).join(), /PROTOCOL\.md/);

    await t.rejects(buildAgent({ outputDirectory: folder, clang: '/no/such/clang' }), {
      code: 'agent-compiler-missing',
    });
    const broken = join(folder, 'broken-clang');
    await writeFile(broken, '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "agent.c:1: boom" >&2; exit 1\n');
    await chmod(broken, 0o755);
    await t.rejects(buildAgent({ outputDirectory: folder, clang: broken }), {
      code: 'agent-build-failed',
      why: /agent\.c:1: boom/,
    });
    t.notMatch((await readdir(folder)).join(), /tmp/, 'a failed build leaves nothing behind');
  },
);

t.test('an agent whose file was damaged is built again', async (t) => {
  const outputDirectory = t.testdir();
  const built = await buildAgent({ outputDirectory });
  const whole = await readFile(built);
  for (const [name, damage] of [
    ['cut off', () => truncate(built, 7000)],
    ['altered', () => writeFile(built, Buffer.alloc(whole.length))],
    ['not executable', () => chmod(built, 0o644)],
  ] as const) {
    await damage();
    t.equal(await buildAgent({ outputDirectory }), built, name);
    t.same(await readFile(built), whole, name);
    t.ok((await stat(built)).mode & 0o100, name);
  }
});

t.test(
  'a request that is longer than any frame is refused before it is sent, and the next one goes through',
  async (t) => {
    const agent = await startLocalAgent(binary);
    const [getpid, long] = [syscallNumber(agent.hello.machine, 'getpid'), input(new Uint8Array(65 << 20))];
    await t.rejects(agent.syscall({ number: getpid, args: [long] }), {
      code: 'agent-refused',
      why: /at most 67108864/,
    });
    t.equal((await agent.syscall({ number: getpid, args: [] })).errno, 0);
    await agent.close();
  },
);

t.test('system calls go through with their arguments, nested buffers and results', async (t) => {
  let pid = 0;
  const agent = await startLocalAgent(binary, {
    onStart: (started) => {
      pid = started;
    },
  });
  t.equal(agent.hello.machine, execFileSync('uname', ['-m']).toString().trim());
  t.equal(agent.hello.release, execFileSync('uname', ['-r']).toString().trim());
  t.equal(agent.hello.pageSize, Number(execFileSync('getconf', ['PAGESIZE']).toString()));
  t.equal(agent.hello.cpus, Number(execFileSync('nproc').toString()));

  t.same(await agent.syscall({ number: SYS.getpid, args: [] }), { value: pid, errno: 0 });
  t.same(await agent.syscall({ number: 9999, args: [] }), { value: -1, errno: errnoNumber('ENOSYS') });

  const path = join(folder, 'written');
  const flags = 0o2 | 0o100 | 0o1000; // O_RDWR, O_CREAT, O_TRUNC
  const { value: fd } = await agent.syscall({
    number: SYS.openat,
    args: [-100, input(bytesOf(`${path}\0`)), flags, 0o600],
  });
  t.ok(fd > 2);
  const iovec = (...parts: readonly SyscallBuffer[]): SyscallBuffer => {
    const bytes = new BigUint64Array(parts.flatMap((part) => [0n, BigInt(part.bytes.length)]));
    return input(
      new Uint8Array(bytes.buffer),
      parts.map((to, index) => ({ offset: 16 * index, to })),
    );
  };
  const twice = input(bytesOf('nested '));
  const wrote = await agent.syscall({
    number: SYS.writev,
    args: [fd, iovec(twice, twice, input(bytesOf('pointers'))), 3],
  });
  t.equal(wrote.value, 22);
  t.equal((await readFile(path)).toString(), 'nested nested pointers', 'a buffer pointed to twice is one buffer');

  const [first, second] = [output(3), output(40)];
  await agent.syscall({ number: SYS.pread64, args: [fd, first, 3, 3n] });
  t.equal(Buffer.from(first.bytes).toString(), 'ted');
  await agent.syscall({ number: SYS.openat, args: [-100, input(bytesOf(`${path}\0`)), 0, 0] });
  const read = await agent.syscall({ number: SYS.readv, args: [fd + 1, iovec(first, second), 2] });
  t.same(read, { value: 22, errno: 0 });
  t.equal(Buffer.from(first.bytes).toString(), 'nes');
  t.same(Buffer.from(second.bytes), Buffer.from('ted nested pointers'.padEnd(40, '\0')), 'what was not read is zero');

  await agent.close();
  await t.rejects(agent.syscall({ number: SYS.getpid, args: [] }), { code: 'agent-lost' });
  await agent.close();
});

t.test('files are read to their end in one trip, whatever size they claim', async (t) => {
  const agent = await startLocalAgent(binary);
  const big = randomBytes(20 * 1024 * 1024 + 17);
  const path = join(folder, 'big');
  await writeFile(path, big);
  t.ok(big.equals(await agent.readFile(path)), '20 MiB');
  t.ok(big.subarray(0, 3_000_001).equals(await agent.readFile(path, { maxBytes: 3_000_001 })), 'a limit cuts');
  t.match(Buffer.from(await agent.readFile('/proc/self/status')).toString(), /^Name:\tksym-agent/, 'a file of size 0');
  await writeFile(path, '');
  t.equal((await agent.readFile(path)).length, 0);
  await t.rejects(agent.readFile('/no/such'), { code: 'agent-call-failed', errnoName: 'ENOENT', where: binary });
  await t.rejects(agent.readFile('/proc'), {
    code: 'agent-call-failed',
    errnoName: 'EISDIR',
    message: 'cannot read /proc',
  });
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  t.equal((await agent.readFile(join(folder, 'fifo'))).length, 0, 'a pipe without a writer does not block the agent');
  const both = await Promise.all([agent.readFile('/proc/self/comm'), agent.syscall({ number: SYS.getpid, args: [] })]);
  t.equal(Buffer.from(both[0]).toString(), 'ksym-agent-x86_\n', 'requests made at once wait for their turn');
  await agent.close();
});

t.test('programs run with input, output, environment and directory, and their end is reported', async (t) => {
  const agent = await startLocalAgent(binary);
  const shell = (script: string, more = {}) => agent.execute({ argv: ['/bin/sh', '-c', script], ...more });
  const seen: string[] = [];
  const result = await shell('cat; echo problem >&2; echo "$COLOUR $(pwd) $HOME"; exit 7', {
    input: bytesOf('input\n'),
    environment: { COLOUR: 'green' },
    workingDirectory: '/proc',
    onOutput: (stream: string, chunk: Uint8Array) => seen.push(`${stream} ${chunk.length}`),
  });
  t.match(result, { exitCode: 7, signal: null, timedOut: false });
  t.equal(Buffer.from(result.stdout).toString(), 'input\ngreen /proc \n');
  t.equal(Buffer.from(result.stderr).toString(), 'problem\n');
  t.ok(seen.includes('stderr 8'), 'output is passed on as it comes');

  t.match(await shell('kill -TERM $$'), { exitCode: null, signal: 15 });
  t.equal((await shell('exec cat', { input: randomBytes(3_000_000) })).stdout.length, 3_000_000);
  t.match(await shell('exit 0', { input: randomBytes(3_000_000) }), { exitCode: 0 }, 'input that nobody reads');
  const fds = await shell('ls /proc/self/fd | wc -l');
  t.equal(Buffer.from(fds.stdout).toString().trim(), '4', "0, 1, 2 and ls's own");
  t.match(await shell('trap "" PIPE; exec grep SigIgn /proc/self/status'), { exitCode: 0 });
  const signals = await shell('grep -E "SigBlk|SigIgn" /proc/self/status');
  t.match(
    Buffer.from(signals.stdout).toString(),
    /SigBlk:\t0+\nSigIgn:\t0+\n/,
    "the agent's own signal set-up is not inherited",
  );

  const start = Date.now();
  t.match(await shell('sleep 4242 & sleep 4242', { timeoutMs: 150 }), { exitCode: null, signal: 9, timedOut: true });
  const left = await shell('sleep 5 & echo started');
  t.equal(Buffer.from(left.stdout).toString(), 'started\n', 'a process left behind does not hold up the answer');
  t.ok(Date.now() - start < 4000);
  t.notOk(commandLines().includes('sleep 4242'), 'the whole group was killed');

  await t.rejects(agent.execute({ argv: ['/no/such'] }), { code: 'agent-call-failed', errnoName: 'ENOENT' });
  await t.rejects(shell('true', { workingDirectory: '/no/such' }), { message: 'cannot change directory to /no/such' });
  await t.rejects(agent.execute({ argv: ['/proc/self/status'] }), { code: 'agent-call-failed', errnoName: 'EACCES' });
  await t.rejects(agent.powerOff(), { code: 'agent-refused', why: /not in a VM/ });
  t.equal((await agent.syscall({ number: SYS.getpid, args: [] })).errno, 0, 'the agent goes on after all this');
  await agent.close();
});

t.test(
  'input that comes bit by bit is passed on as it comes, as fast as it is read, and not after the end',
  async (t) => {
    const agent = await startLocalAgent(binary);
    const shell = (script: string, more: object) => agent.execute({ argv: ['/bin/sh', '-c', script], ...more });
    let answered = (): void => undefined;
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    async function* dialogue(): AsyncGenerator<Uint8Array> {
      yield bytesOf('question\n');
      await answer;
      yield bytesOf('thanks\n');
    }
    const talk = await shell('read line; echo "answer to $line"; read line; echo "got $line"; cat', {
      input: dialogue(),
      onOutput: () => answered(),
    });
    t.equal(Buffer.from(talk.stdout).toString(), 'answer to question\ngot thanks\n');

    const large = randomBytes(3_000_000);
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < large.length; at += 700_001) yield large.subarray(at, at + 700_001);
    }
    t.same((await shell('cat', { input: chunks() })).stdout, large);
    let length = 0;
    const uncollected = await shell('cat', {
      input: chunks(),
      collect: false,
      onOutput: (_: string, chunk: Uint8Array) => {
        length += chunk.length;
      },
    });
    t.same([uncollected.stdout.length, length], [0, large.length], 'output is not kept where nobody wants it');

    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += 50_000;
        yield new Uint8Array(50_000);
      }
    }
    t.match(await shell('head -c 10 >/dev/null; exit 3', { input: endless() }), { exitCode: 3 });
    t.match(await shell('exec <&-; sleep 0.2; exit 4', { input: endless() }), { exitCode: 4 }, 'input is closed');
    const before = taken;
    const seen = join(folder, 'seen');
    let held = Number.POSITIVE_INFINITY;
    // It ends after the look at what was taken: once it has ended, the rest of its input is read and dropped.
    const idle = await shell(`sleep 0.3; echo awake; until [ -e '${seen}' ]; do sleep 0.01; done`, {
      input: endless(),
      onOutput: () => {
        held = taken - before;
        writeFileSync(seen, '');
      },
    });
    t.match(idle, { exitCode: 0 });
    t.ok(held < 5_000_000, 'a program that does not read holds its input back');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytesOf('half');
      throw new TypeError('the source breaks');
    }
    t.equal(Buffer.from((await shell('cat', { input: broken() })).stdout).toString(), 'half');
    await t.rejects(agent.execute({ argv: ['/no/such'], input: endless() }), {
      code: 'agent-call-failed',
      errnoName: 'ENOENT',
    });
    t.equal((await agent.syscall({ number: SYS.getpid, args: [] })).errno, 0, 'the agent goes on after all this');
    await agent.close();
  },
);

t.test('the client tells a silent, a lost, a foreign and a newer agent apart', async (t) => {
  const peer = () => ({ readable: new PassThrough(), writable: new PassThrough() });
  const silent = connectAgent(peer(), { timeoutMs: 50, name: 'silent peer' });
  await t.rejects(silent, { code: 'agent-timeout', where: 'silent peer', why: 'no answer to hello within 0.05 s' });

  const foreign = peer();
  foreign.readable.write('SSH-2.0-OpenSSH_9.2\r\n');
  await t.rejects(connectAgent(foreign), { code: 'agent-protocol' });

  const newer = peer();
  newer.writable.on('data', (chunk: Uint8Array) => {
    const [hello] = new FrameReader().push(chunk) ?? [];
    const text = Buffer.concat([encodeU32(ErrorCode.version), bytesOf('versions 2 and 1')]);
    newer.readable.write(encodeFrame(FrameType.error, hello?.id ?? 0, text));
  });
  await t.rejects(connectAgent(newer), { code: 'agent-version', why: 'versions 2 and 1' });

  await t.rejects(startLocalAgent('/no/such/agent'), { code: 'agent-lost', why: /ENOENT/ });
  await t.rejects(startLocalAgent('/bin/false'), { code: 'agent-lost', why: /it exited with status 1/ });
  await t.rejects(startLocalAgent('/bin/cat', { timeoutMs: 1000 }), { code: 'agent-protocol' });
});

t.test('after a time-out the connection is unusable, and what waited for its turn fails as well', async (t) => {
  const agent = await startLocalAgent(binary, { requestTimeoutMs: 100 });
  const sleeping = agent.syscall({
    number: 35,
    args: [input(new Uint8Array(new BigUint64Array([60n, 0n]).buffer)), 0],
  });
  const waiting = agent.syscall({ number: SYS.getpid, args: [] });
  await t.rejects(sleeping, { code: 'agent-timeout', why: /no answer to system call 35 within 0.1 s/ });
  await t.rejects(waiting, AgentError);
  await t.rejects(agent.readFile('/proc/self/comm'), { code: 'agent-timeout' });
  const start = Date.now();
  await agent.close();
  t.ok(Date.now() - start < 5000, 'closing kills an agent that is stuck in a system call');
});

t.test('error numbers have the names and texts that the C library gives them', (t) => {
  t.equal(errnoName(28), 'ENOSPC');
  t.equal(describeErrno(1), 'EPERM (operation not permitted)');
  t.equal(describeErrno(9999), 'errno 9999');
  t.equal(errnoNumber('ENOTSUPP'), 524);
  t.throws(() => errnoNumber('ENOSUCHNAME'), { code: 'errno-unknown' });
  t.end();
});

t.test('the agent compiles for each architecture that there are system call numbers for', async (t) => {
  const arm = await buildAgent({ outputDirectory: folder, architecture: 'aarch64' });
  t.match(execFileSync('readelf', ['-hW', arm]).toString(), /Machine:\s+AArch64/);
  t.equal(syscallNumber('aarch64', 'bpf'), 280);
  t.throws(() => syscallNumber('aarch64', 'epoll_wait'), { code: 'agent-architecture' });
  t.throws(() => syscallNumber('riscv64', 'bpf'), { code: 'agent-architecture' });
});

testSsh(binary);
