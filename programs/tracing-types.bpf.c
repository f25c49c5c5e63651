// A typeless ksym in the program types of tracing, which cannot be test-run: that they load is what is shown.
// tp_btf and fentry also need the loader to find what they attach to in the kernel's BTF.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym;

__u64 address;

SEC("kprobe/do_nanosleep")
int on_kprobe(void *ctx)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int on_tracepoint(void *ctx)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

SEC("raw_tp/sched_switch")
int on_raw_tracepoint(void *ctx)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

SEC("tp_btf/sched_switch")
int on_btf_tracepoint(void *ctx)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int on_fentry(void *ctx)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
