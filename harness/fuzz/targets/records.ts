import { splitPerfRecords } from '../../../loader/buffers/perf-buffer.ts';
import { splitRingRecords } from '../../../loader/buffers/ring-buffer.ts';
import { ByteWriter } from '../../../loader/bytes.ts';
import { wordFields } from '../fields.ts';
import { type Target, Violation } from '../target.ts';

/** What comes out of ring buffers and perf buffers. */
export function recordsTarget(): Target {
  return {
    name: 'records',
    seeds: [ringSeed(), perfSeed()].map((bytes, index) => ({
      name: index === 0 ? 'ring' : 'perf',
      bytes,
      fields: wordFields(0, bytes.length, true),
    })),
    words: [],
    run: (bytes, refusals) => {
      const ring = refusals.attempt(() => splitRingRecords(bytes));
      const perf = refusals.attempt(() => splitPerfRecords(bytes));
      refusals.accepted = ring !== undefined || perf !== undefined;
      const taken = [...(ring ?? []), ...(perf ?? []).flatMap((one) => (one.kind === 'sample' ? [one.bytes] : []))];
      // The same bytes cannot lie in more than the two readings of them.
      if (taken.reduce((sum, one) => sum + one.length, 0) > 2 * bytes.length) {
        throw new Violation('wrong-size', 'the records hold more than there was');
      }
    },
  };
}

/** Three records, the second discarded (BPF_RINGBUF_DISCARD_BIT). */
function ringSeed(): Uint8Array {
  const writer = new ByteWriter('little');
  for (const head of [5, 2 ** 30 + 8, 24]) {
    const length = head % 2 ** 30;
    writer.u32(head).u32(0).bytes(new Uint8Array(length).fill(7)).align(8);
  }
  return writer.finish();
}

/** PERF_RECORD_SAMPLE with 12 raw bytes, PERF_RECORD_LOST, PERF_RECORD_THROTTLE. */
function perfSeed(): Uint8Array {
  const writer = new ByteWriter('little');
  writer.u32(9).u16(0).u16(24).u32(12).bytes(new Uint8Array(12).fill(7));
  writer.u32(2).u16(0).u16(24).u64(1n).u64(99n);
  writer.u32(5).u16(0).u16(32).u64(1n).u64(2n).u64(3n);
  return writer.finish();
}
