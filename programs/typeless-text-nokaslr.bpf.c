// The start of the kernel's code. Address randomisation moves it at each boot; booted with `nokaslr` it is where the
// linker put it, which checks the loader against a constant that no part of the harness has read from the guest.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void _text __ksym;

__u64 address;

SEC("socket")
int typeless_text_nokaslr(struct __sk_buff *skb)
{
	address = (__u64)&_text;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
