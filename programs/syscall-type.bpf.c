// A ksym in a program that runs as a system call of its caller (SEC("syscall"), sleepable, without a packet or event).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym;

__u64 address;

SEC("syscall")
int syscall_type(void *ctx)
{
	address = (__u64)&bpf_link_fops;
	return 42;
}

char LICENSE[] SEC("license") = "GPL";
