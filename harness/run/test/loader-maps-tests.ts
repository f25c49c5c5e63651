import type { Test } from 'tap';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import { Kernel, ObjectSpec, TestRunFlag } from '../../../loader/index.ts';
import { INCLUDE } from '../../../loader/object/test/sources.ts';
import { possibleCpus } from '../../../loader/syscall/cpus.ts';

const SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct point { int x; unsigned long long y; char name[8]; };
#define MAP(name, kind, key_t, value_t, n) \\
  struct { __uint(type, kind); __type(key, key_t); __type(value, value_t); __uint(max_entries, n); } name SEC(".maps");
MAP(points, BPF_MAP_TYPE_HASH, __u32, struct point, 20000)
MAP(array, BPF_MAP_TYPE_ARRAY, __u32, __u64, 3000)
MAP(percpu, BPF_MAP_TYPE_PERCPU_HASH, __u32, __u32, 100)
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __type(value, __u32); __uint(max_entries, 2); } queue SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_STACK); __type(value, __u32); __uint(max_entries, 2); } stack SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __type(value, __u32); __uint(max_entries, 50); } bloom SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __type(key, __u32); __type(value, __u32); __uint(max_entries, 4); } jumps SEC(".maps");
SEC("tc") int mark(struct __sk_buff *skb) { skb->mark += 5; return 7; }
SEC("tc") int jump(struct __sk_buff *skb) { bpf_tail_call(skb, &jumps, 2); return 1; }
SEC("xdp") int shrink(struct xdp_md *ctx) { return bpf_xdp_adjust_head(ctx, 14) ? XDP_ABORTED : XDP_DROP; }
SEC("raw_tp") int arguments(__u64 *ctx) { return ctx[0] + ctx[1]; }
SEC("syscall") int edit(__u64 *ctx) { ctx[0] *= 3; return 11; }
__u32 packets;
SEC("xdp") int live(struct xdp_md *ctx) { __sync_fetch_and_add(&packets, 1); return XDP_DROP; }
SEC("sk_lookup") int lookup(struct bpf_sk_lookup *ctx) { return ctx->local_port == 4711 ? SK_PASS : SK_DROP; }
char LICENSE[] SEC("license") = "GPL";
`;

const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const POINTS = 15_000;

/** Tests of maps, batches, test runs and pins on the newest kernel. */
export async function testMaps(t: Test, kernel: Kernel): Promise<void> {
  const spec = ObjectSpec.parse(
    compileBpf(t.testdir(), 'maps', SOURCE, { flags: ['-g', '-O2', INCLUDE] }).bytes,
    'maps.o',
  );
  const object = await kernel.load(spec);
  await t.test('keys and values go by their C types, and many elements in one request', async (t) => {
    const points = object.map('points');
    await points.set(7, { x: -3, y: 2n ** 40n, name: 'seven' });
    t.same(await points.get(7), { x: -3, y: 2n ** 40n, name: 'seven' });
    t.equal(await points.get(8), null);
    t.equal(await points.remove(7), true);
    t.equal(await points.remove(7), false);

    const value = (number: number): Uint8Array => {
      const bytes = new Uint8Array(24);
      new DataView(bytes.buffer).setInt32(0, number, true);
      return bytes;
    };
    await points.updateMany(Array.from({ length: POINTS }, (_, number) => [word(number), value(number * 2)]));
    let [count, wrong] = [0, 0];
    for await (const [key, bytes] of points) {
      const number = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
      if (new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true) !== number * 2) wrong++;
      count++;
    }
    t.same([count, wrong], [POINTS, 0], 'every element once, with its value');
    t.match(await failure(points.updateMany([[word(3), value(1)]], { flags: 1 })), {
      code: 'map-access',
      why: /EEXIST/,
    });
    t.equal(await points.deleteMany([word(0), word(POINTS + 1), word(1), word(2)]), 3, 'one of four was not there');
    t.same((await points.lookupAndDelete(word(3)))?.[0], 6);
    t.equal(await points.lookup(word(3)), null);
    const drained = new Set<number>();
    for await (const [key] of points.drain()) drained.add(new DataView(key.buffer, key.byteOffset).getUint32(0, true));
    t.equal(drained.size, POINTS - 4);
    t.same(await points.keys(), [], 'nothing is left');

    const array = object.map('array');
    await array.updateMany(
      Array.from({ length: 3000 }, (_, index) => [word(index), new Uint8Array(8).fill(index & 255)]),
    );
    const all: number[] = [];
    for await (const [, bytes] of array) all.push(bytes[7] ?? -1);
    t.same(
      all,
      Array.from({ length: 3000 }, (_, index) => index & 255),
      'an array in order',
    );
  });

  await t.test('per-CPU maps, queues, stacks, bloom filters and program arrays', async (t) => {
    const percpu = object.map('percpu');
    const cpus = await possibleCpus(kernel.agent);
    const values = Array.from({ length: cpus }, (_, cpu) => 100 + cpu);
    await percpu.set(1, values);
    await percpu.updateMany([[word(2), new Uint8Array(8 * cpus).fill(1)]]);
    t.same(await percpu.get(1), values);
    const entries = new Map<unknown, unknown>();
    for await (const [key, each] of percpu.typedEntries()) entries.set(key, each);
    t.same(
      entries,
      new Map<unknown, unknown>([
        [1, values],
        [2, values.map(() => 0x01010101)],
      ]),
    );

    const [queue, stack] = [object.map('queue'), object.map('stack')];
    for (const map of [queue, stack]) {
      await map.push(word(1));
      await map.push(word(2));
      t.match(await failure(map.push(word(3))), { code: 'map-access', why: /E2BIG/ });
      await map.push(word(3), { replace: true });
    }
    t.same(
      [await queue.peek(), await queue.pop(), await queue.pop(), await queue.pop()],
      [word(2), word(2), word(3), null],
    );
    t.same(
      [await stack.peek(), await stack.pop(), await stack.pop(), await stack.pop()],
      [word(3), word(3), word(2), null],
    );
    const bloom = object.map('bloom');
    await bloom.push(word(5));
    t.equal(await bloom.mayHold(word(5)), true);

    const jump = object.program('jump');
    t.equal((await jump.testRun()).retval, 1, 'an empty array: no jump');
    await object.map('jumps').setObject(2, object.program('mark'));
    t.equal((await jump.testRun()).retval, 7, 'the program in the array');
  });

  await t.test('test runs take and give back packets and contexts', async (t) => {
    const skb = new Uint8Array(192);
    new DataView(skb.buffer).setUint32(8, 37, true); // struct __sk_buff: mark
    const marked = await object.program('mark').testRun({ context: skb });
    t.equal(new DataView(marked.contextOut.buffer).getUint32(8, true), 42, 'the program added 5 to the mark');
    t.equal(marked.retval, 7);
    const data = Uint8Array.from({ length: 60 }, (_, index) => index);
    const shrunk = await object.program('shrink').testRun({ data, repeat: 1 });
    t.same([shrunk.retval, [...shrunk.dataOut]], [1, [...data.subarray(14)]], 'fourteen bytes less');
    const context = new Uint8Array(BigUint64Array.of(40n, 2n).buffer);
    t.equal((await object.program('arguments').testRun({ context })).retval, 42);
    t.equal((await object.program('arguments').testRun({ context, flags: TestRunFlag.onCpu, cpu: 1 })).retval, 42);
    const edited = await object.program('edit').testRun({ context: new Uint8Array(BigUint64Array.of(14n).buffer) });
    t.same([edited.retval, new DataView(edited.contextOut.buffer).getBigUint64(0, true)], [11, 42n]);
    const lookup = new Uint8Array(72);
    new DataView(lookup.buffer).setUint32(8, 2, true); // struct bpf_sk_lookup: family, at 60 the local port
    new DataView(lookup.buffer).setUint32(12, 17, true);
    const port = (value: number): Uint8Array => {
      const copy = lookup.slice();
      new DataView(copy.buffer).setUint32(60, value, true);
      return copy;
    };
    t.equal((await object.program('lookup').testRun({ context: port(4711) })).retval, 1);
    t.equal((await object.program('lookup').testRun({ context: port(4712) })).retval, 0);
    await object.program('live').testRun({ data, repeat: 100, flags: TestRunFlag.liveFrames, batchSize: 32 });
    t.equal(await object.variable('packets').get(), 100, 'a hundred frames');
  });

  await t.test('what is pinned outlives its object and its descriptors', async (t) => {
    const path = '/sys/fs/bpf/points';
    const first = await kernel.load(spec.copy());
    await first.map('points').set(1, { x: 1, y: 2n, name: 'kept' });
    await first.map('points').pin(path);
    const { id } = await first.map('points').info();
    await first.close();
    t.match(await failure(kernel.openPinnedProgram(path)), {
      code: 'pin-kind',
      message: 'what is pinned there is a map, not a program',
    });
    t.match(await failure(kernel.openPinnedLink(path)), { code: 'pin-kind' });
    const again = await kernel.openPinnedMap(path);
    t.same(await again.get(1), { x: 1, y: 2n, name: 'kept' }, 'with its types, from its BTF');
    t.equal((await again.info()).id, id);
    await (await kernel.openMapById(id)).set(1, { x: 9 });
    t.match(await again.get(1), { x: 9 });
    await first.map('points').unpin();
    t.match(await failure(kernel.openPinnedMap(path)), { code: 'pin-missing' });
    await again.close();
    t.match(await failure(again.info()), { code: 'closed', where: 'map points' });
    const gone = await failure(Kernel.over(kernel.agent).openMapById(0x7fffffff));
    t.match(gone, { code: 'no-such-object' });
  });

  await object.close();
}
