import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import type { Test } from 'tap';
import { Btf } from '../../../loader/btf/btf.ts';
import { BtfBuilder } from '../../../loader/btf/builder.ts';
import { encodeValue } from '../../../loader/btf/values.ts';
import { splitPerfRecords } from '../../../loader/buffers/perf-buffer.ts';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import { kconfigType } from '../../../loader/object/kconfig.ts';
import { parseObject } from '../../../loader/object/parse.ts';
import { kernelVersionCode } from '../../../loader/resolve/kernel-version.ts';

/** What the fuzzer found once, each as the smallest input that shows it. */
export function testRegressions(t: Test): void {
  t.test('Found by fuzzing: a .bss without bytes in the file asked for gigabytes of memory', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'ksym-matrix-regression-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const { bytes } = compileBpf(folder, 'large', 'char large[65 << 20]; char enough[1 << 20];');
    t.throws(() => parseObject(bytes, 'large.o'), { code: 'data-too-large', section: '.bss' });
    t.end();
  });

  t.test(
    'Found by fuzzing: a union that claims gigabytes, inside of a small struct, was given them to encode a value',
    (t) => {
      const builder = new BtfBuilder();
      const int = builder.add({
        kind: 'int',
        name: 'int',
        size: 4,
        bits: 32,
        bitOffset: 0,
        signed: true,
        char: false,
        bool: false,
      });
      const member = (name: string, type: number) => ({ name, type, bitOffset: 0, bitSize: 0 });
      const union = builder.add({ kind: 'union', name: 'u', size: (3 << 30) >>> 0, members: [member('a', int)] });
      const struct = builder.add({ kind: 'struct', name: 's', size: 4, members: [member('u', union)] });
      const btf = Btf.parse(builder.finish());
      const before = getHeapStatistics().external_memory;
      t.throws(() => encodeValue(btf, struct, { u: { a: 1 } }), { code: 'btf-member-outside' });
      t.ok(getHeapStatistics().external_memory - before < 2 ** 20);
      t.end();
    },
  );

  t.test('Found by fuzzing: a perf record shorter than its kind takes', (t) => {
    // struct perf_event_header: type, misc, size. PERF_RECORD_LOST (2) and PERF_RECORD_SAMPLE (9) with nothing behind the header.
    const bytes = new Uint8Array([2, 0, 0, 0, 0, 0, 8, 0, 9, 0, 0, 0, 0, 0, 8, 0]);
    t.strictSame(splitPerfRecords(bytes), []);
    const long = new Uint8Array([9, 0, 0, 0, 0, 0, 16, 0, 255, 255, 255, 255, 1, 2, 3, 4, 7, 7, 7, 7]);
    t.strictSame(
      splitPerfRecords(long),
      [{ kind: 'sample', bytes: new Uint8Array([1, 2, 3, 4]) }],
      'not more than it has',
    );
    t.end();
  });

  t.test('Found by fuzzing: a release with absurd numbers gave a negative version', (t) => {
    t.equal(kernelVersionCode({ release: '63976.1.0' }), null);
    t.equal(kernelVersionCode({ release: '6.256.0' }), null);
    t.equal(kernelVersionCode({ release: '255.255.9999' }), 0xff_ff_ff);
    t.end();
  });

  t.test('Found by fuzzing: an array of itself, as the type of a __kconfig extern', (t) => {
    const builder = new BtfBuilder();
    const array = builder.add({ kind: 'array', name: '', type: 1, indexType: 1, length: 1 });
    t.equal(kconfigType(Btf.parse(builder.finish()), array), null);
    t.end();
  });
}
