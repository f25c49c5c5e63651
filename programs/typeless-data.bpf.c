// `jiffies` is an ordinary variable, not a per-CPU one: no kernel's BTF lists it (see typed-jiffies), but declared
// `void` it is found on all of them, and the program can read it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void jiffies __ksym;

__u64 address;
__u64 value;

SEC("raw_tp/sys_enter")
int typeless_data(void *ctx)
{
	address = (__u64)&jiffies;
	bpf_probe_read_kernel(&value, sizeof(value), &jiffies);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
