// Maps, data sections, subprograms, callbacks and string constants.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	long a, b;
};

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

static volatile int static_data = 5;
int zeroed;
static volatile long zeroed_static;
const volatile int constant = 9;
int custom SEC(".data.mine") = 11;
char text[8] = "text";

static __noinline int innermost(int x) { return x * static_data; }
__noinline int global(int x) { return innermost(x) + constant; }
__weak __noinline int weak(int x) { return x + (int)zeroed_static; }

static long callback(__u32 i, void *ctx)
{
	zeroed += i;
	return 0;
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	__u32 key = skb->len;
	struct pair *value = bpf_map_lookup_elem(&by_number, &key);

	bpf_loop(3, callback, 0, 0);
	if (value)
		value->a += global(key) + weak(key);
	bpf_printk("hello %d", custom);
	return text[key & 7];
}

SEC("?fentry.s/do_nanosleep")
int second(void *ctx)
{
	return bpf_ringbuf_output(&ring, &(long){1}, 8, 0) + global(1);
}

char LICENSE[] SEC("license") = "GPL";
