import type { Test } from 'tap';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import {
  type BtfValue,
  type Kernel,
  type LoadedObject,
  ObjectSpec,
  PerfBuffer,
  RingBuffer,
  UserRingBuffer,
} from '../../../loader/index.ts';
import { INCLUDE } from '../../../loader/object/test/sources.ts';

/** Every call of one system call writes so many records; each takes a number of its own first, so that losses can be told from what was never written. */
const SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 262144); } ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } perf SEC(".maps");
__u64 ring_next, ring_failed, perf_next, perf_failed, drained, sum;
struct sys_enter { __u64 regs; long id; };
const volatile int wanted = 110, per_call = 512;
#define WANTED(ctx) (((struct sys_enter *)(ctx))->id == wanted)
SEC("raw_tp/sys_enter") int fill_ring(void *ctx) {
  if (!WANTED(ctx)) return 0;
  for (int i = 0; i < per_call; i++) {
    __u64 n = __sync_fetch_and_add(&ring_next, 1);
    __u64 data[3] = { n, ~n, n };
    if (n % 5 == 0) { void *gone = bpf_ringbuf_reserve(&ring, 40, 0); if (gone) bpf_ringbuf_discard(gone, 0); }
    if (bpf_ringbuf_output(&ring, data, 16 + (n & 7), 0)) __sync_fetch_and_add(&ring_failed, 1);
  }
  return 0;
}
SEC("raw_tp/sys_enter") int fill_perf(void *ctx) {
  if (!WANTED(ctx)) return 0;
  for (int i = 0; i < per_call; i++) {
    __u64 n = __sync_fetch_and_add(&perf_next, 1);
    __u64 data[2] = { n, ~n };
    if (bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, data, sizeof data)) __sync_fetch_and_add(&perf_failed, 1);
  }
  return 0;
}
char LICENSE[] SEC("license") = "GPL";
`;

const USER_SOURCE = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_USER_RINGBUF); __uint(max_entries, 4096); } orders SEC(".maps");
__u64 taken, sum;
static long take(struct bpf_dynptr *record, void *ctx) {
  __u64 n = 0;
  bpf_dynptr_read(&n, 8, record, 0, 0);
  sum += n;
  return 0;
}
SEC("raw_tp") int drain(void *ctx) { taken += bpf_user_ringbuf_drain(&orders, take, 0, 0); return 0; }
char LICENSE[] SEC("license") = "GPL";
`;

const FLAGS = { flags: ['-g', '-O2', INCLUDE] };
/** Some four times what the ring buffer holds. */
const RECORDS = 30_000;
/** getppid, which nothing else in the guest calls. */
const GETPPID = 110;
/** Calls that have the programs write, between the requests that read: both take their turns with the agent. */
async function keepWriting(kernel: Kernel, until: () => boolean): Promise<void> {
  while (!until()) await kernel.agent.syscall({ number: GETPPID, args: [] });
}

const numberOf = async (object: LoadedObject, name: string): Promise<BtfValue> => object.variable(name).get();
const words = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Tests of ring, perf and user ring buffers on a kernel that has them all (Linux 6.1). */
export async function testBuffers(t: Test, kernel: Kernel): Promise<void> {
  const folder = t.testdir();
  const spec = ObjectSpec.parse(compileBpf(folder, 'buffers', SOURCE, FLAGS).bytes, 'buffers.o');
  const userSpec = ObjectSpec.parse(compileBpf(folder, 'orders', USER_SOURCE, FLAGS).bytes, 'orders.o');

  await t.test('of 30,000 records in a ring buffer none is lost, doubled or out of order', async (t) => {
    await using object = await kernel.load(spec.copy());
    await using ring = await RingBuffer.open(object.map('ring'));
    t.same(await ring.read({ timeoutMs: 0 }), [], 'an empty buffer gives nothing');
    await using _link = await object.program('fill_ring').attach();
    let [count, wrong, previous] = [0, 0, -1n];
    let done = false;
    const writing = keepWriting(kernel, () => done);
    for await (const record of ring) {
      const number = words(record).getBigUint64(0, true);
      const whole =
        record.length === 16 + Number(number & 7n) && words(record).getBigInt64(8, true) === ~BigInt(number);
      // Without failures the numbers follow each other: one CPU writes, and discarded records are left out.
      if (!whole || number !== previous + 1n) wrong++;
      previous = number;
      if (++count === RECORDS) break;
    }
    done = true;
    await writing;
    t.equal(wrong, 0, 'each record is whole and the next in order');
    const rest = await drainRing(ring);
    t.equal(
      rest[0] ?? previous + 1n,
      previous + 1n,
      'what an iteration that was left had taken comes first in the next',
    );
    t.equal(BigInt(count + rest.length), await numberOf(object, 'ring_next'), 'all that were written were read');
    t.equal(await numberOf(object, 'ring_failed'), 0n);
  });

  await t.test(
    'what another process writes at the same time is read whole, once, and none of it is forgotten',
    async (t) => {
      const changed = spec.copy();
      changed.variable('wanted').set(0);
      changed.variable('per_call').set(8);
      await using object = await kernel.load(changed);
      await using ring = await RingBuffer.open(object.map('ring'));
      const link = await object.program('fill_ring').attach();
      // read(2) is what dd does most, on a CPU of its own while the agent takes records on the other.
      const script = 'dd if=/dev/zero of=/dev/null bs=1 count=4000 2>/dev/null & :';
      await kernel.agent.execute({ argv: ['/bin/busybox', 'sh', '-c', script] });
      const seen = new Set<bigint>();
      let [count, wrong] = [0, 0];
      const take = (records: readonly Uint8Array[]): void => {
        for (const record of records) {
          const number = words(record).getBigUint64(0, true);
          if (words(record).getBigInt64(8, true) !== ~BigInt(number) || record.length !== 16 + Number(number & 7n))
            wrong++;
          seen.add(number);
          count++;
        }
      };
      while (count < 32_000) take(await ring.read({ timeoutMs: 1000 }));
      await link.close();
      for (const number of await drainRing(ring)) {
        seen.add(number);
        count++;
      }
      t.same([wrong, count - seen.size], [0, 0], 'none is torn or doubled');
      const failed = Number(await numberOf(object, 'ring_failed'));
      t.equal(BigInt(count + failed), await numberOf(object, 'ring_next'), `${count} were read, ${failed} had no room`);
    },
  );

  await t.test('a full ring buffer loses what the program could not reserve, and nothing else', async (t) => {
    await using object = await kernel.load(spec.copy());
    await using ring = await RingBuffer.open(object.map('ring'));
    await using _link = await object.program('fill_ring').attach();
    // 256 KiB have room for some 8,000 records: 16,384 are too many.
    for (let call = 0; call < 32; call++) await kernel.agent.syscall({ number: GETPPID, args: [] });
    const numbers = await drainRing(ring);
    const [written, failed] = [await numberOf(object, 'ring_next'), await numberOf(object, 'ring_failed')];
    t.ok(Number(failed) > 0, `${failed} of ${written} found no room`);
    t.equal(BigInt(new Set(numbers).size) + BigInt(Number(failed)), written, 'every other one was read, once');
    t.equal(new Set(numbers).size, numbers.length);
  });

  await t.test('of 30,000 records in perf buffers none is doubled, and those that are lost are counted', async (t) => {
    await using object = await kernel.load(spec.copy());
    const seen = new Set<bigint>();
    let [wrong, told] = [0, 0n];
    const onLost = (_cpu: number, count: bigint): void => {
      told += count;
    };
    await using perf = await PerfBuffer.open(object.map('perf'), { onLost });
    await using _link = await object.program('fill_perf').attach();
    let done = false;
    const writing = keepWriting(kernel, () => done);
    for await (const { bytes, cpu } of perf) {
      const number = words(bytes).getBigUint64(0, true);
      if (words(bytes).getBigInt64(8, true) !== ~BigInt(number) || seen.has(number) || cpu > 1) wrong++;
      seen.add(number);
      if (seen.size >= RECORDS) break;
    }
    done = true;
    await writing;
    for (let more = true; more; ) {
      const records = await perf.read({ timeoutMs: 0 });
      for (const { bytes } of records) seen.add(words(bytes).getBigUint64(0, true));
      more = records.length > 0;
    }
    t.equal(wrong, 0, 'each record is whole and new');
    t.equal(
      await numberOf(object, 'perf_failed'),
      BigInt(Number(perf.lost)),
      'what the program was refused is what was counted as lost',
    );
    t.equal(
      BigInt(seen.size) + perf.lost,
      await numberOf(object, 'perf_next'),
      'read or lost: nothing else became of them',
    );

    // 256 KiB for each of two CPUs have room for some 16,000 records: 20,480 without a reader in between overflow one.
    const before = perf.lost;
    for (let call = 0; call < 40; call++) await kernel.agent.syscall({ number: GETPPID, args: [] });
    await perf.read({ timeoutMs: 0 });
    await kernel.agent.syscall({ number: GETPPID, args: [] });
    await perf.read({ timeoutMs: 100 });
    t.ok(perf.lost > before, `${perf.lost - before} records found no room`);
    t.equal(told, perf.lost, 'and were told as they were counted');
  });

  await t.test('waiting for a record leaves the agent to others, and ends by time, signal and close', async (t) => {
    await using object = await kernel.load(spec.copy());
    const stop = new AbortController();
    const ring = await RingBuffer.open(object.map('ring'), { signal: stop.signal });
    const waiting = ring.read({ timeoutMs: 400 });
    const begin = performance.now();
    await kernel.agent.readFile('/proc/version');
    t.ok(performance.now() - begin < 350, 'another request was answered meanwhile');
    t.same(await waiting, []);
    const iteration = (async () => {
      for await (const _record of ring) t.fail('nothing writes');
      return 'ended';
    })();
    stop.abort();
    t.equal(await iteration, 'ended');
    await ring.close();
    await ring.close();
    t.same(await ring.read(), [], 'a closed buffer gives nothing');
    await t.rejects(RingBuffer.open(object.map('perf')), { code: 'not-a-ring-buffer' });
    await t.rejects(PerfBuffer.open(object.map('ring')), { code: 'not-a-perf-buffer' });
    await t.rejects(PerfBuffer.open(object.map('perf'), { pages: 3 }), { code: 'perf-buffer', fix: /power of two/ });
  });

  await t.test('what is written to a user ring buffer reaches the program, as long as there is room', async (t) => {
    await using object = await kernel.load(userSpec.copy());
    const program = object.program('drain');
    await using orders = await UserRingBuffer.open(object.map('orders'));
    const record = (number: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(number).buffer);
    let [total, full] = [0n, 0];
    for (let number = 1n; number <= 2000n; ) {
      if (await orders.write(record(number), record(number + 1n))) {
        total += 2n * number + 1n;
        number += 2n;
      } else {
        full++;
        await program.testRun();
      }
    }
    await program.testRun();
    t.ok(full > 0, `it was full ${full} times`);
    t.equal(await numberOf(object, 'taken'), 2000n);
    t.equal(await numberOf(object, 'sum'), total);
  });
}

async function drainRing(ring: RingBuffer): Promise<bigint[]> {
  const numbers: bigint[] = [];
  for (;;) {
    const records = await ring.read({ timeoutMs: 0 });
    if (records.length === 0) return numbers;
    for (const record of records) numbers.push(words(record).getBigUint64(0, true));
  }
}
