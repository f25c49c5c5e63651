// No ksym at all: maps of four types, initialised and zeroed globals, a constant, a static and a global function. It is
// the control: if this fails, look at the loader or the machine before you look at ksyms.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} percpu_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

const volatile __u64 constant = 1000;
volatile __u64 initialised = 200;
__u64 sum;
__u64 from_hash;
__u64 from_array;
__u64 from_percpu_array;
__u64 from_ringbuf;
__u64 from_static_function;
__u64 from_global_function;

static __noinline __u64 add_constant(__u64 value)
{
	return value + constant;
}

__noinline int twice(int value)
{
	return 2 * value;
}

SEC("socket")
int maps_and_globals(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 one = 1;
	__u64 *value;

	bpf_map_update_elem(&hash, &key, &one, BPF_ANY);
	value = bpf_map_lookup_elem(&hash, &key);
	if (value)
		from_hash = *value;

	key = 3;
	value = bpf_map_lookup_elem(&array, &key);
	if (value) {
		*value = 2;
		from_array = *value;
	}

	key = 0;
	value = bpf_map_lookup_elem(&percpu_array, &key);
	if (value) {
		*value = 3;
		from_percpu_array = *value;
	}

	value = bpf_ringbuf_reserve(&ringbuf, sizeof(*value), 0);
	if (value) {
		*value = 4;
		from_ringbuf = *value;
		bpf_ringbuf_discard(value, 0);
	}

	from_static_function = add_constant(initialised);
	from_global_function = twice(skb->len);
	sum = from_hash + from_array + from_percpu_array + from_ringbuf + initialised + constant;
	return 7;
}

char LICENSE[] SEC("license") = "GPL";
