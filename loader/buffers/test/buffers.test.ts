import t from 'tap';
import type { AgentConnection, SyscallRequest } from '../../agent/connection.ts';
import { nearNames } from '../../links/near-names.ts';
import { LoadedVariable } from '../../load/loaded-variable.ts';
import { LoadedMap } from '../../maps/loaded-map.ts';
import { testLifetimes } from '../../maps/test/lifetime-tests.ts';
import type { MapSpec } from '../../object/spec.ts';
import { FakeAgent } from '../../syscall/test/fake-agent.ts';
import { splitPerfRecords } from '../perf-buffer.ts';
import { RecordQueue } from '../record-queue.ts';
import { splitRingRecords } from '../ring-buffer.ts';
import { waitForInput } from '../shared-memory.ts';

t.test('records of a ring buffer are cut at their lengths, and discarded ones are left out', (t) => {
  const bytes = new Uint8Array(8 + 8 + 8 + 16 + 8 + 0 + 8 + 8);
  const view = new DataView(bytes.buffer);
  // Length 3 takes 8 bytes; 12 takes 16 and is discarded (bit 30); 0 takes none.
  view.setUint32(0, 3, true);
  bytes.set([1, 2, 3], 8);
  view.setUint32(16, 0x4000_0000 | 12, true);
  view.setUint32(40, 0, true);
  view.setUint32(48, 8, true);
  bytes.set([9, 9, 9, 9, 9, 9, 9, 9], 56);
  t.same(splitRingRecords(bytes), [Uint8Array.of(1, 2, 3), new Uint8Array(), new Uint8Array(8).fill(9)]);
  t.end();
});

t.test('records of a perf buffer are samples and losses; others are passed over', (t) => {
  const bytes = new Uint8Array(24 + 24 + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 9, true); // PERF_RECORD_SAMPLE
  view.setUint16(6, 24, true);
  view.setUint32(8, 12, true);
  bytes.set([5, 6, 7], 12);
  view.setUint32(24, 2, true); // PERF_RECORD_LOST
  view.setUint16(30, 24, true);
  view.setBigUint64(40, 77n, true);
  view.setUint32(48, 5, true); // PERF_RECORD_THROTTLE
  view.setUint16(54, 16, true);
  t.same(splitPerfRecords(bytes), [
    { kind: 'sample', bytes: Uint8Array.of(5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
    { kind: 'lost', count: 77n },
  ]);
  view.setUint16(6, 0, true);
  t.same(splitPerfRecords(bytes), [], 'a record of no length ends it');
  t.end();
});

t.test(
  'a queue gives what an iteration left behind, one reader at a time, and nothing is taken after its end',
  async (t) => {
    const source = [[1, 2, 3], [], [4]];
    let [under, most, takes] = [0, 0, 0];
    const take = async (): Promise<readonly number[]> => {
      most = Math.max(most, ++under);
      takes++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      under--;
      return source.shift() ?? [];
    };
    const waits: number[] = [];
    const queue = new RecordQueue(take, async (milliseconds) => void waits.push(milliseconds), { sliceMs: 7 });
    for await (const record of queue) if (record === 1) break;
    t.same(await queue.read(), [2, 3], 'what was taken and not given');
    const both = await Promise.all([queue.read({ timeoutMs: 50 }), queue.read({ timeoutMs: 50 })]);
    t.same(both.flat(), [4]);
    t.equal(most, 1, 'two readers never take at the same time');
    t.ok(waits.length > 0 && waits.every((milliseconds) => milliseconds <= 7), 'a wait is no longer than a slice');
    const closing = queue.read();
    await queue.close();
    t.equal(under, 0, 'closing waits for what is under way');
    const before = takes;
    t.same([await closing, await queue.read()], [[], []]);
    t.equal(takes, before);
  },
);

/** A hash of the tests, of words to words. */
const HASH: MapSpec = {
  name: 'hash',
  type: 1,
  keySize: 4,
  valueSize: 4,
  maxEntries: 10,
  flags: 0,
  keyTypeId: null,
  valueTypeId: null,
  data: null,
  frozen: false,
};

t.test('a kernel without batches (before 5.6) is asked for each element', async (t) => {
  const content = new Map<number, number>();
  const number = (bytes: Uint8Array | undefined): number =>
    new DataView(bytes?.buffer ?? new ArrayBuffer(4)).getUint32(0, true);
  const agent = new FakeAgent((call) => {
    if (call.command >= 24 && call.command <= 27) return 'EINVAL';
    const key = number(call.at(8)?.slice());
    const value = call.at(16);
    if (call.command === 1) {
      if (!content.has(key)) return 'ENOENT';
      value?.set(Uint8Array.of(content.get(key) ?? 0));
    }
    if (call.command === 2) content.set(key, number(value?.slice()));
    if (call.command === 3) return content.delete(key) ? 0 : 'ENOENT';
    if (call.command === 4) {
      const keys = [...content.keys()];
      const next = call.at(8) === undefined ? keys[0] : keys[keys.indexOf(key) + 1];
      if (next === undefined) return 'ENOENT';
      value?.set(Uint8Array.of(next));
    }
    return 0;
  });
  const map = new LoadedMap(agent, HASH, 50);
  const word = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);
  await map.updateMany([1, 2, 3].map((value) => [word(value), word(value * 10)]));
  t.same(
    [...content],
    [
      [1, 10],
      [2, 20],
      [3, 30],
    ],
  );
  const read: unknown[] = [];
  for await (const [key, value] of map) read.push([key[0], value[0]]);
  t.same(read, [
    [1, 10],
    [2, 20],
    [3, 30],
  ]);
  t.equal(await map.deleteMany([word(9), word(1)]), 1, 'the number of keys is not taken for the number removed');
  const drained: unknown[] = [];
  for await (const [key] of map.drain()) drained.push(key[0]);
  t.same([drained, content.size], [[2, 3], 0]);
  await t.rejects(map.get(1), { code: 'map-without-types', where: 'map hash' });
  await t.rejects(map.updateMany([[word(1), new Uint8Array(8)]]), { code: 'map-value-size' });
});

t.test('a long wait does not end the connection', async (t) => {
  const agent = new FakeAgent();
  const limits: (number | undefined)[] = [];
  const syscall = agent.syscall.bind(agent);
  const patient: AgentConnection = Object.assign(agent, {
    syscall: (request: SyscallRequest, options?: { readonly timeoutMs?: number }) => {
      limits.push(options?.timeoutMs);
      return syscall(request);
    },
  });
  await waitForInput(patient, [5], 60_000);
  t.ok((limits[0] ?? 0) > 60_000, 'a request has 30 seconds unless it says otherwise');
});

t.test('removing many keys takes few requests, and no more than one for each that is not there', async (t) => {
  const there = new Set(Array.from({ length: 3000 }, (_, key) => key));
  const key = (bytes: Uint8Array | undefined, at = 0): number =>
    new DataView(new Uint8Array(bytes ?? [0, 0, 0, 0]).buffer).getUint32(4 * at, true);
  // As generic_map_delete_batch (kernel/bpf/syscall.c): up to the first that is not there, and how many it were goes back.
  const agent = new FakeAgent((call) => {
    if (call.command === 3) return there.delete(key(call.at(8))) ? 0 : 'ENOENT';
    if (call.command !== 27) return undefined;
    const [keys, asked] = [call.at(16), call.attr.getUint32(32, true)];
    let count = 0;
    while (count < asked && there.delete(key(keys, count))) count++;
    call.attr.setUint32(32, count, true);
    return count === asked ? 0 : 'ENOENT';
  });
  const map = new LoadedMap(agent, HASH, 50);
  const words = (length: number): Uint8Array[] =>
    Array.from({ length }, (_, index) => new Uint8Array(Uint32Array.of(index).buffer));
  t.equal(await map.deleteMany(words(3000)), 3000);
  t.equal(agent.calls.length, 3, 'all are there');
  t.equal(await map.deleteMany(words(3000)), 0);
  t.equal(agent.calls.length, 3 + 3 + 3000, 'none is there: one batch, then one by one');
  for (const one of [0, 1, 5]) there.add(one);
  t.equal(await map.deleteMany(words(8)), 3);
});

t.test('variables that share a section may be set at the same time', async (t) => {
  let content = new Uint8Array(8);
  const agent = new FakeAgent((call) => {
    if (call.command === 1) call.at(16)?.set(content);
    if (call.command === 2) content = (call.at(16) ?? content).slice();
    return undefined;
  });
  const map = new LoadedMap(agent, { ...HASH, type: 2, name: '.bss', valueSize: 8 }, 50);
  const variables = [0, 4].map(
    (offset) => new LoadedVariable({ name: `at${offset}`, map: '.bss', offset, size: 4, typeId: null }, map, null),
  );
  await Promise.all(variables.map((variable, index) => variable.write(new Uint8Array(4).fill(index + 1))));
  t.same([...content], [1, 1, 1, 1, 2, 2, 2, 2]);
  await t.rejects(variables[0]?.write(new Uint8Array(3)) ?? Promise.resolve(), { code: 'variable-size' });
});

t.test('lifetimes and refusals of maps, programs, links and pins', (t) => testLifetimes(t, HASH));

t.test('names are near if they differ in little, or contain what was asked for', (t) => {
  t.same(nearNames('vfs_unlnk', ['vfs_unlink', 'vfs_link', 'vfs_mkdir']), ['vfs_unlink']);
  t.same(nearNames('unlink', ['do_unlinkat', 'mkdir', 'security_inode_unlink']), [
    'do_unlinkat',
    'security_inode_unlink',
  ]);
  t.same(nearNames('lo0', ['eth0', 'lo']), ['lo']);
  t.same(nearNames('x', []), []);
  t.end();
});
