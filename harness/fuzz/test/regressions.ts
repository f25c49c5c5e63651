import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import type { Test } from 'tap';
import { Btf } from '../../../loader/btf/btf.ts';
import { BtfBuilder } from '../../../loader/btf/builder.ts';
import { encodeValue } from '../../../loader/btf/values.ts';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import { parseObject } from '../../../loader/object/parse.ts';

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
}
