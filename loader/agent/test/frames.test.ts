import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { buildAgent } from '../build.ts';
import type { SyscallBuffer } from '../connection.ts';
import { ErrorCode, encodeFrame, encodeStrings, encodeU32, FrameType, PROTOCOL_VERSION } from '../protocol.ts';
import { encodeRing } from '../ring-frame.ts';
import { encodeSyscall } from '../syscall-frame.ts';
import { SYSCALL_X86_64 as SYS } from '../syscall-numbers.ts';
import { AgentProcess, errorOf } from './agent-process.ts';
import { commandLines } from './processes.ts';

const folder = t.testdir();
const binary = await buildAgent({ outputDirectory: folder });
const HELLO = encodeFrame(FrameType.hello, 1, encodeU32(PROTOCOL_VERSION));
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const input = (bytes: Uint8Array, pointers: SyscallBuffer['pointers'] = []): SyscallBuffer => ({
  bytes,
  direction: 'in',
  pointers,
});
const output = (length: number): SyscallBuffer => ({ bytes: new Uint8Array(length), direction: 'out' });

/** A SYSCALL payload to be spoilt: one in-buffer of 16 bytes with a pointer at 8 to an out-buffer of 8. */
function syscallPayload(edit: (view: DataView) => void = () => undefined, cut = 0): Uint8Array {
  const { payload } = encodeSyscall({
    number: SYS.getpid,
    args: [input(new Uint8Array(16), [{ offset: 8, to: output(8) }])],
  });
  edit(new DataView(payload.buffer));
  return payload.subarray(0, payload.length - cut);
}

const executePayload = (head: readonly number[], strings: Uint8Array): Uint8Array =>
  Buffer.concat([encodeU32(...head), strings]);

t.test('every malformed request is refused with its code, and the agent goes on', async (t) => {
  const agent = new AgentProcess(binary);
  const whole = executePayload([0, 0, 1, 0, 10, 0], encodeStrings(['/bin/true']));
  const cases: readonly [title: string, type: number, payload: Uint8Array, code: number, flags?: number][] = [
    ['a type that does not exist', 77, new Uint8Array(), ErrorCode.unknownType],
    ['an answer as a request', FrameType.exit, new Uint8Array(16), ErrorCode.unknownType],
    ['flags on a request', FrameType.goodbye, new Uint8Array(), ErrorCode.malformed, 1],
    ['HELLO without a version', FrameType.hello, new Uint8Array(3), ErrorCode.malformed],
    ['SYSCALL shorter than its head', FrameType.syscall, new Uint8Array(63), ErrorCode.malformed],
    ['SYSCALL cut by a byte', FrameType.syscall, syscallPayload(undefined, 1), ErrorCode.malformed],
    ['a byte too many', FrameType.syscall, Buffer.concat([syscallPayload(), new Uint8Array(1)]), ErrorCode.malformed],
    [
      '4 billion buffers',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(4, 0xffffffff, true)),
      ErrorCode.malformed,
    ],
    [
      'more buffers than fit',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(4, 4000, true)),
      ErrorCode.malformed,
    ],
    [
      '4 billion pointers',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(8, 0xffffffff, true)),
      ErrorCode.malformed,
    ],
    [
      'a mask of a seventh argument',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(12, 0x40, true)),
      ErrorCode.malformed,
    ],
    ['a direction of 0', FrameType.syscall, syscallPayload((v) => v.setUint32(68, 0, true)), ErrorCode.malformed],
    ['a direction of 4', FrameType.syscall, syscallPayload((v) => v.setUint32(68, 4, true)), ErrorCode.malformed],
    [
      'a buffer of 4 GiB',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(72, 0xffffffff, true)),
      ErrorCode.malformed,
    ],
    [
      'an argument naming buffer 2 of 2',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(16, 2, true)),
      ErrorCode.bufferIndex,
    ],
    [
      'an argument naming buffer 2^32',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(20, 1, true)),
      ErrorCode.bufferIndex,
    ],
    [
      'a pointer in buffer 2 of 2',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(80, 2, true)),
      ErrorCode.bufferIndex,
    ],
    [
      'a pointer to buffer 2 of 2',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(88, 2, true)),
      ErrorCode.bufferIndex,
    ],
    ['a pointer over the end', FrameType.syscall, syscallPayload((v) => v.setUint32(84, 9, true)), ErrorCode.pointer],
    [
      'a pointer far outside',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(84, 0xfffffff8, true)),
      ErrorCode.pointer,
    ],
    [
      'a pointer past its target',
      FrameType.syscall,
      syscallPayload((v) => v.setUint32(92, 9, true)),
      ErrorCode.pointer,
    ],
    ['CONSUME shorter than its head', FrameType.consume, new Uint8Array(39), ErrorCode.malformed],
    [
      'CONSUME of a kind that does not exist',
      FrameType.consume,
      Buffer.concat([encodeU32(2, 64), encodeRing({ consumer: 0, producer: 0, data: 0, size: 4096 })]),
      ErrorCode.malformed,
    ],
    [
      'CONSUME of a size that is no power of two',
      FrameType.consume,
      Buffer.concat([encodeU32(0, 64), encodeRing({ consumer: 0, producer: 0, data: 0, size: 4097 })]),
      ErrorCode.malformed,
    ],
    ['PRODUCE shorter than its head', FrameType.produce, new Uint8Array(31), ErrorCode.malformed],
    [
      'PRODUCE of a record of 7 bytes',
      FrameType.produce,
      Buffer.concat([encodeRing({ consumer: 0, producer: 0, data: 0, size: 4096 }), new Uint8Array(7)]),
      ErrorCode.malformed,
    ],
    ['READ_FILE without a path', FrameType.readFile, new Uint8Array(9), ErrorCode.malformed],
    [
      'a path without an end',
      FrameType.readFile,
      Buffer.concat([encodeU32(9, 0), bytesOf('/etc/hosts')]),
      ErrorCode.string,
    ],
    ['two paths', FrameType.readFile, Buffer.concat([encodeU32(9, 0), encodeStrings(['/a', '/b'])]), ErrorCode.string],
    ['EXECUTE shorter than its head', FrameType.execute, new Uint8Array(23), ErrorCode.malformed],
    ['EXECUTE cut by a byte', FrameType.execute, whole.subarray(0, -1), ErrorCode.malformed],
    ['no arguments', FrameType.execute, executePayload([0, 0, 0, 0, 1, 0], new Uint8Array(1)), ErrorCode.malformed],
    [
      'unknown flags',
      FrameType.execute,
      executePayload([0, 8, 1, 0, 10, 0], encodeStrings(['/bin/true'])),
      ErrorCode.malformed,
    ],
    [
      '4 billion arguments',
      FrameType.execute,
      executePayload([0, 0, 0xffffffff, 1, 10, 0], encodeStrings(['/bin/true'])),
      ErrorCode.malformed,
    ],
    [
      'fewer strings than counted',
      FrameType.execute,
      executePayload([0, 0, 2, 0, 10, 0], encodeStrings(['/bin/true'])),
      ErrorCode.string,
    ],
    [
      'more strings than counted',
      FrameType.execute,
      executePayload([0, 0, 1, 0, 4, 0], encodeStrings(['a', 'b'])),
      ErrorCode.string,
    ],
    [
      'a string without an end',
      FrameType.execute,
      executePayload([0, 0, 1, 0, 9, 0], bytesOf('/bin/true')),
      ErrorCode.string,
    ],
    [
      'a directory that is not there',
      FrameType.execute,
      executePayload([0, 2, 1, 0, 10, 0], encodeStrings(['/bin/true'])),
      ErrorCode.string,
    ],
    ['power off outside a VM', FrameType.powerOff, new Uint8Array(), ErrorCode.refused],
  ];
  agent.send(encodeFrame(FrameType.syscall, 100, syscallPayload()));
  t.equal(errorOf(await agent.answer(100))?.code, ErrorCode.helloRequired, 'a request before HELLO');
  agent.send(encodeFrame(FrameType.hello, 101, encodeU32(0x7fffffff)));
  t.strictSame(errorOf(await agent.answer(101)), {
    code: ErrorCode.version,
    text: 'HELLO: this agent speaks protocol version 2, the host asks for version 2147483647',
  });
  agent.send(encodeFrame(FrameType.syscall, 102, syscallPayload()));
  t.equal(errorOf(await agent.answer(102))?.code, ErrorCode.helloRequired, 'the refused HELLO opened nothing');

  agent.send(
    HELLO,
    ...cases.map(([, type, payload, , flags], index) => encodeFrame(type, 1000 + index, payload, flags)),
  );
  for (const [index, [title, , , code]] of cases.entries()) {
    const error = errorOf(await agent.answer(1000 + index));
    t.equal(error?.code, code, `${title}: ${error?.text}`);
  }
  agent.send(encodeFrame(FrameType.syscall, 2000, syscallPayload()));
  t.equal((await agent.answer(2000)).type, FrameType.syscallResult, 'the unspoilt request is answered');
  agent.end();
  t.equal(await agent.ended, 0);
});

t.test('when frames cannot be told apart any more, the agent says so and exits', async (t) => {
  const magic = new AgentProcess(binary);
  magic.send(HELLO, bytesOf('GET / HTTP/1.1\r\n\r\n'));
  t.equal(await magic.ended, 2);
  t.same(
    magic.frames.map((frame) => errorOf(frame)?.code),
    [undefined, ErrorCode.badMagic],
  );

  const long = new AgentProcess(binary);
  const header = encodeFrame(FrameType.syscall, 5);
  new DataView(header.buffer).setUint32(4, (64 << 20) + 1, true);
  long.send(HELLO, header);
  t.equal(await long.ended, 2);
  t.equal(errorOf(await long.answer(5))?.code, ErrorCode.frameTooLong);

  const cut = new AgentProcess(binary);
  cut.send(HELLO, encodeFrame(FrameType.syscall, 6, new Uint8Array(64)).subarray(0, 40));
  cut.end();
  t.equal(await cut.ended, 0, 'a frame that breaks off is a connection that broke off');
  t.equal(cut.frames.length, 1);
});

t.test('requests may be sent ahead of their answers, which come in order', async (t) => {
  const agent = new AgentProcess(binary);
  const ids = Array.from({ length: 500 }, (_, index) => 10 + index);
  agent.send(HELLO, ...ids.map((id) => encodeFrame(FrameType.syscall, id, syscallPayload())));
  agent.end();
  t.equal(await agent.ended, 0);
  t.same(
    agent.frames.map((frame) => frame.id),
    [1, ...ids],
  );
});

t.test('when memory runs out a request is refused and the next one served', async (t) => {
  const script = 'ulimit -v 40000; exec "$0"';
  const agent = new AgentProcess('/bin/sh', ['-c', script, binary]);
  agent.send(
    HELLO,
    encodeFrame(FrameType.syscall, 2, new Uint8Array(60 << 20)),
    encodeFrame(FrameType.syscall, 3, syscallPayload()),
  );
  t.equal(errorOf(await agent.answer(2))?.code, ErrorCode.noMemory);
  t.equal((await agent.answer(3)).type, FrameType.syscallResult);
  agent.end();
  t.equal(await agent.ended, 0);
});

t.test('thousands of seeded random frames neither crash nor hang the agent', async (t) => {
  const random = seeded(20261122);
  const below = (limit: number): number => Math.floor(random() * limit);
  const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => below(256));
  let [agents, refused] = [0, 0];
  for (let round = 0; round < 20; round++) {
    const agent = new AgentProcess(binary);
    agents++;
    agent.send(HELLO);
    for (let index = 0; index < 250; index++) {
      const id = 10 + index;
      const kind = below(5);
      if (kind === 0) agent.send(encodeFrame(FrameType.syscall, id, spoiltSyscall(below)));
      else if (kind === 1)
        agent.send(encodeFrame(FrameType.readFile, id, Buffer.concat([noise(8), bytesOf('/no'), noise(below(9))])));
      else if (kind === 2) {
        const head = [below(3), below(5), below(4), below(4), below(40), below(40)];
        agent.send(
          encodeFrame(FrameType.execute, id, executePayload(head, Buffer.concat([bytesOf('/no/'), noise(below(70))]))),
        );
      } else if (kind === 3) agent.send(encodeFrame(7 + below(0x7000), id, noise(below(200))));
      else agent.send(encodeFrame(FrameType.hello, id, noise(below(12))), HELLO);
    }
    // Half of the rounds end in bytes that are no frame, the others in silence.
    if (round % 2 === 0) agent.send(noise(64));
    agent.end();
    const ended = await agent.ended;
    t.equal(ended, round % 2 === 0 ? 2 : 0, `round ${round}`);
    refused += agent.frames.filter((frame) => errorOf(frame) !== null).length;
    t.ok(
      agent.frames.filter((frame) => frame.id >= 10 && frame.id < 260).length >= 250,
      'every request has its answer',
    );
  }
  t.ok(refused > 2500, `${refused} refusals by ${agents} agents`);
});

/** A SYSCALL whose number is getpid or none at all, so that nothing happens if its spoilt tables pass. */
function spoiltSyscall(below: (limit: number) => number): Uint8Array {
  const payload = syscallPayload();
  for (let times = below(4); times > 0; times--) {
    const at = 4 + below(payload.length - 4);
    payload[at] = below(2) === 0 ? below(256) : below(4);
  }
  return below(4) === 0 ? payload.subarray(0, below(payload.length)) : payload;
}

/** Mulberry32: numbers in [0, 1) that are the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

t.test('while a program takes input, only INPUT frames of its own are taken, and late ones do no harm', async (t) => {
  const agent = new AgentProcess(binary);
  const cat = executePayload([0, 4, 1, 0, 9, 0], encodeStrings(['/bin/cat']));
  agent.send(HELLO, encodeFrame(FrameType.execute, 2, cat), encodeFrame(FrameType.input, 2, bytesOf('one')));
  agent.send(encodeFrame(FrameType.input, 3, bytesOf('not for it')));
  t.match(errorOf(await agent.answer(3)), { code: ErrorCode.malformed }, "another request's input");
  agent.send(encodeFrame(FrameType.goodbye, 4));
  t.match(errorOf(await agent.answer(4)), { code: ErrorCode.malformed }, 'another request');
  agent.send(encodeFrame(FrameType.input, 5, new Uint8Array((64 << 10) + 1)));
  t.match(errorOf(await agent.answer(5)), { code: ErrorCode.malformed }, 'too much at once');
  agent.send(encodeFrame(FrameType.input, 2, bytesOf(' two')), encodeFrame(FrameType.input, 2));
  const end = await agent.answer(2);
  t.equal(end.type, FrameType.exit);
  t.same([...end.payload.subarray(0, 8)], [0, 0, 0, 0, 0, 0, 0, 0], 'cat ended well, when its input did');
  agent.send(encodeFrame(FrameType.input, 2, bytesOf('late')), encodeFrame(FrameType.goodbye, 6));
  t.equal((await agent.answer(6)).type, FrameType.done);
  t.equal(await agent.ended, 0);
});

t.test('a session that ends takes its descriptors and its running program with it', async (t) => {
  const agent = new AgentProcess(binary);
  const fds = async (): Promise<number> => (await readdir(`/proc/${agent.child.pid}/fd`)).length;
  const open = encodeSyscall({ number: SYS.openat, args: [-100, input(bytesOf('/dev/null\0')), 0, 0] }).payload;
  const mapped = join(folder, 'agent.test-mapping');
  await writeFile(mapped, new Uint8Array(4096));
  const file = encodeSyscall({ number: SYS.openat, args: [-100, input(bytesOf(`${mapped}\0`)), 0, 0] }).payload;
  agent.send(HELLO, encodeFrame(FrameType.syscall, 2, open), encodeFrame(FrameType.syscall, 3, open));
  // PROT_READ, MAP_SHARED; the third descriptor of the session is 5.
  const map = encodeSyscall({ number: SYS.mmap, args: [0, 4096, 1, 1, 5, 0] }).payload;
  agent.send(encodeFrame(FrameType.syscall, 6, file), encodeFrame(FrameType.syscall, 7, map));
  const mappings = async (): Promise<number> =>
    ((await readFile(`/proc/${agent.child.pid}/maps`, 'utf8')).match(/agent\.test-mapping/g) ?? []).length;
  await agent.answer(7);
  t.equal(await fds(), 6);
  t.equal(await mappings(), 1);
  agent.send(encodeFrame(FrameType.hello, 4, encodeU32(PROTOCOL_VERSION)));
  await agent.answer(4);
  t.equal(await mappings(), 0, 'nor does what it mapped outlive a session');
  t.equal(await fds(), 3, 'the next HELLO closes what the session before it opened');

  agent.send(
    encodeFrame(FrameType.execute, 5, executePayload([0, 0, 2, 0, 16, 0], encodeStrings(['/bin/sleep', '4711']))),
  );
  while (!commandLines().includes('/bin/sleep 4711')) await sleep(10);
  agent.child.stdin?.destroy();
  agent.child.stdout?.destroy();
  t.equal(await agent.ended, 0);
  t.notOk(commandLines().includes('/bin/sleep 4711'));
});

t.test('on a port whose host side is closed the agent waits without using the CPU', async (t) => {
  // Reading /dev/null gives 0 bytes at once, as a virtio-serial port does while nobody is connected to it.
  const agent = new AgentProcess(binary, ['--port', '/dev/null']);
  await sleep(500);
  const fields = (await readFile(`/proc/${agent.child.pid}/stat`)).toString().split(' ');
  const ticks = Number(fields[13]) + Number(fields[14]);
  t.ok(ticks <= 5, `${ticks} ticks of 10 ms in 500 ms`);
  agent.child.kill('SIGKILL');
  t.equal(await agent.ended, 'SIGKILL', 'it had not ended by itself');
  t.equal(await new AgentProcess(binary, ['--port', '/no/such/port']).ended, 1);
  t.equal(await new AgentProcess(binary, ['--help']).ended, 1);
});
