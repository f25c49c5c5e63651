// Maps of maps, program arrays and the kernel's configuration.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} one SEC(".maps"), two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct inner);
} outer SEC(".maps") = {.values = {&one, 0, &two}};

int tail(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} jumps SEC(".maps") = {.values = {[1] = &tail}};

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_HZ __kconfig;
extern const char CONFIG_DEFAULT_HOSTNAME[16] __kconfig __weak;
extern _Bool CONFIG_BPF_JIT __kconfig __weak;

SEC("tc")
int tail(struct __sk_buff *skb)
{
	return CONFIG_HZ + LINUX_KERNEL_VERSION;
}

SEC("tc")
int entry(struct __sk_buff *skb)
{
	__u32 key = 2;
	void *map = bpf_map_lookup_elem(&outer, &key);

	bpf_tail_call(skb, &jumps, 1);
	return map && CONFIG_BPF_JIT ? CONFIG_DEFAULT_HOSTNAME[key] : 0;
}

char LICENSE[] SEC("license") = "GPL";
