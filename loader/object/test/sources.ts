/** Where Debian and Ubuntu keep <asm/types.h>. */
export const INCLUDE = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/** What every source file here begins with. */
export const HEADER = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
`;

/** Every call and every address of a function stands on a line of its own that names the callee: an oracle for linking. */
export const PROGRAMS = `${HEADER}
struct pair { long a, b; };
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, __u32);
  __type(value, struct pair);
  __uint(max_entries, 10);
  __uint(map_flags, BPF_F_NO_PREALLOC);
} by_number SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(key_size, 4);
  __uint(value_size, 24);
  __uint(max_entries, 3);
} sized SEC(".maps");

static volatile int first_static = 5;
static volatile int second_static = 7;
int zeroed;
static volatile long zeroed_static;
const volatile int constant = 9;
int custom SEC(".data.mine") = 11;

static __noinline int innermost(int x) { return x * second_static; }
__noinline int in_text(int x)
{
  int y = innermost(x);
  return y + first_static;
}
static long callback(__u32 i, void *ctx)
{
  zeroed += i;
  return 0;
}
static __noinline __attribute__((section("socket"))) int beside(int x) { return x + zeroed_static; }

SEC("socket") int one(void *ctx)
{
  static volatile int inner = 3;
  long sum;
  bpf_loop(3, callback, 0, 0);
  sum = in_text(constant);
  sum += beside(3);
  return sum + inner;
}
SEC("socket") int two(void *ctx)
{
  __u32 key = 1;
  void *value = bpf_map_lookup_elem(&by_number, &key);
  int sum = in_text(4);
  sum += beside(sum);
  bpf_printk("hello %d", custom);
  return sum + (value != 0);
}
SEC("?fentry.s/do_nanosleep") int three(void *ctx)
{
  bpf_ringbuf_output(&ring, &(long){ 1 }, 8, 0);
  return bpf_map_lookup_elem(&sized, &(int){ 0 }) != 0;
}
`;
