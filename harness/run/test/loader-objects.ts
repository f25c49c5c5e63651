/** C sources for what the loader makes of objects on a real kernel. */
const HEADER = `
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
`;

/** Maps of maps, a program array, a pinned map, variables in sections of their own, and __kconfig externs, all of which its program uses. */
export const OBJECT = `${HEADER}
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u64); };
struct inner first SEC(".maps"), second SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &first, [3] = &second } };
struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 4); __type(key, __u32); __array(values, struct inner);
} by_key SEC(".maps") = { .values = { [2] = &second } };
int target(struct __sk_buff *ctx);
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *));
} jumps SEC(".maps") = { .values = { [2] = (void *)&target } };
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} kept SEC(".maps");

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern unsigned short CONFIG_HZ __kconfig;
extern bool CONFIG_BPF __kconfig;
extern enum libbpf_tristate CONFIG_VETH __kconfig;
extern char CONFIG_DEFAULT_HOSTNAME[4] __kconfig;
extern long CONFIG_KSYM_MATRIX_NOWHERE __kconfig __weak;

int custom SEC(".data.custom") = 5;
const volatile int constant SEC(".rodata.mine") = 6;
int zeroed SEC(".bss.mine");
__hidden int hidden = 3;
static volatile int runs;
const volatile int plain = 1;
int sum;

SEC("tc") int target(struct __sk_buff *ctx) { return 77; }
SEC("tc") int entry(struct __sk_buff *ctx)
{
  __u32 key = 1, index = 0, two = 2;
  void *map = bpf_map_lookup_elem(&outer, &key), *same = bpf_map_lookup_elem(&by_key, &two);
  if (!map || !same) return 1;
  __u64 *value = bpf_map_lookup_elem(map, &index), *other = bpf_map_lookup_elem(same, &index);
  __u64 *pinned = bpf_map_lookup_elem(&kept, &index);
  if (!value || !other || !pinned) return 2;
  *value += custom + constant;
  *other = 9;
  *pinned += plain;
  zeroed = CONFIG_HZ;
  sum = CONFIG_BPF + CONFIG_VETH + (CONFIG_KSYM_MATRIX_NOWHERE == 0) + (CONFIG_DEFAULT_HOSTNAME[3] == 0)
    + LINUX_HAS_SYSCALL_WRAPPER + LINUX_HAS_BPF_COOKIE + (LINUX_KERNEL_VERSION > 0);
  runs++;
  hidden++;
  bpf_tail_call(ctx, &jumps, 2);
  return 3;
}
`;

/** One map of each type that wants something special when it is created. */
export const MAPS = `${HEADER}
struct { __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __uint(max_entries, 100); __type(value, __u32); __uint(map_extra, 3); } bloom SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, __u64); } storage SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(map_flags, BPF_F_NO_PREALLOC); __uint(max_entries, 9); __uint(key_size, 8); __uint(value_size, 4); } trie SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 9); __type(value, __u32); } queue SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 9); __type(key, __u32); __type(value, __u32); __uint(map_flags, BPF_F_NUMA_NODE); __uint(numa_node, 0); } numa SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_USER_RINGBUF); __uint(max_entries, 5000); } ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } perf SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 64); __uint(key_size, 4); __uint(value_size, 160); } stacks SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE); __type(key, struct bpf_cgroup_storage_key); __type(value, __u64); } cgroup SEC(".maps");
struct { __uint(type, 33); __uint(map_flags, BPF_F_MMAPABLE); __uint(max_entries, 10); } arena SEC(".maps");
SEC("xdp.frags") int many_buffers(void *ctx) { return 2; }
`;

/** Two files that bpftool links: each has a function called helper, and the second overrides a weak one of the first. */
export const LINKED: readonly [string, string] = [
  `${HEADER}
extern int shared_value;
extern int CONFIG_HZ __kconfig;
extern unsigned long long LINUX_KERNEL_VERSION __kconfig;
int strong_value = 4;
static __noinline int helper(int x) { return x + 100; }
extern int other(int x);
__weak int overridden(int x) { return 1; }
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } shared_map SEC(".maps");
SEC("tc") int one(struct __sk_buff *ctx)
{
  return helper(0) + other(shared_value) + overridden(3) + (CONFIG_HZ == 0) + (LINUX_KERNEL_VERSION == 0);
}
`,
  `${HEADER}
int shared_value = 1000;
extern int strong_value;
extern bool CONFIG_BPF __kconfig;
extern struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } shared_map SEC(".maps");
static __noinline int helper(int x) { return x + strong_value; }
int other(int x) { return helper(x) + CONFIG_BPF; }
int overridden(int x) { return 20000; }
SEC("tc") int two(struct __sk_buff *ctx)
{
  __u32 key = 0;
  __u64 *value = bpf_map_lookup_elem(&shared_map, &key);
  if (value) *value = 9;
  return overridden(0);
}
`,
];

/** A program with a function of its own, and an object whose programs attach to that. */
export const REPLACED = `${HEADER}
__noinline int inner(struct __sk_buff *packet) { return packet->len ? 5 : 6; }
SEC("tc") int outermost(struct __sk_buff *packet) { return inner(packet); }
`;

export const REPLACING = `${HEADER}
int seen;
SEC("freplace/inner") int better(struct __sk_buff *packet) { return 42; }
SEC("?fentry/inner") int watch(void *context) { seen++; return 0; }
`;
