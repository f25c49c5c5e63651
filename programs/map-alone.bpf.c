// The smallest control: one map, and no variable. Loaders that know neither ksyms nor global variables run it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} array SEC(".maps");

SEC("socket")
int map_alone(struct __sk_buff *skb)
{
	__u32 key = 0, seven = 7, *value;

	bpf_map_update_elem(&array, &key, &seven, BPF_ANY);
	value = bpf_map_lookup_elem(&array, &key);
	return value ? *value : 0;
}

char LICENSE[] SEC("license") = "GPL";
