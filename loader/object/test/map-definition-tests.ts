import type { Test } from 'tap';
import { compileBpf } from '../../elf/test/compile.ts';
import { parseObject } from '../parse.ts';
import type { MapSpec } from '../spec.ts';
import { HEADER, INCLUDE } from './sources.ts';

const SOURCE = `${HEADER}
struct inner { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 7); __type(key, __u32); __type(value, __u64); };
struct inner first SEC(".maps"), second SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &first, [3] = &second } };
struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 2); __uint(key_size, 8);
  __array(values, struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 1); __uint(key_size, 4); __uint(value_size, 4); });
} empty SEC(".maps");
int target(void *ctx);
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *));
} jumps SEC(".maps") = { .values = { [0] = (void *)&target, [2] = (void *)&prog_two } };
struct {
  __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1); __type(key, int); __type(value, int);
  __uint(pinning, LIBBPF_PIN_BY_NAME); __uint(map_flags, BPF_F_NUMA_NODE); __uint(numa_node, 1);
} kept SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __uint(max_entries, 9); __type(value, int); __uint(map_extra, 3); __uint(pinning, LIBBPF_PIN_NONE); } bloom SEC(".maps");
struct { __uint(type, 33); __uint(max_entries, 9); enum { VALUE = 0x1000000 } map_extra; } arena SEC(".maps");
SEC("tc") int target(void *ctx) { return bpf_map_lookup_elem(&outer, &(int){ 0 }) != 0; }
SEC("tc") int prog_two(void *ctx) { return bpf_map_lookup_elem(&kept, &(int){ 0 }) != 0; }
`.replace('int target(void *ctx);', 'int target(void *ctx); int prog_two(void *ctx);');

/** Tests of what `.maps` says beyond types and sizes. */
export function testMapDefinitions(t: Test): void {
  for (const target of ['bpfel', 'bpfeb'] as const) {
    const { bytes } = compileBpf(t.testdir(), 'maps', SOURCE, { flags: ['-g', '-O2', INCLUDE], target });
    const { maps } = parseObject(bytes, 'maps.o');
    const map = (name: string): MapSpec | undefined => maps.find((one) => one.name === name);
    t.test(`of ${target}`, (t) => {
      t.match(map('outer'), {
        type: 12,
        keySize: 4,
        valueSize: 4,
        inner: { name: 'outer.inner', type: 1, maxEntries: 7 },
      });
      t.strictSame(map('outer')?.initial, [
        { index: 1, kind: 'map', name: 'first' },
        { index: 3, kind: 'map', name: 'second' },
      ]);
      t.equal(map('outer')?.inner?.valueSize, 8);
      t.match(map('empty'), { type: 13, keySize: 8, valueSize: 4, inner: { type: 9, keySize: 4, valueSize: 4 } });
      t.equal(map('empty')?.initial, undefined);
      t.match(map('jumps'), { type: 3, keySize: 4, valueSize: 4 });
      t.strictSame(map('jumps')?.initial, [
        { index: 0, kind: 'program', name: 'target' },
        { index: 2, kind: 'program', name: 'prog_two' },
      ]);
      t.match(map('kept'), { pinning: 'by-name', flags: 4, numaNode: 1 });
      t.match(map('bloom'), { mapExtra: 3 });
      t.equal(map('bloom')?.pinning, undefined);
      t.match(map('arena'), { type: 33, mapExtra: 0x1000000 });
      t.end();
    });
  }
  t.end();
}
