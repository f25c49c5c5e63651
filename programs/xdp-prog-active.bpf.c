// The program that started this project: a typed ksym in an XDP program, read through bpf_per_cpu_ptr. libbpf loads
// it, other loaders answered "data section .ksyms: expected *btf.Func, not *btf.Var: not supported".
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;

__u32 active = 100;

SEC("xdp")
int xdp_prog_active(struct xdp_md *xdp)
{
	const int *pointer = bpf_per_cpu_ptr(&bpf_prog_active, bpf_get_smp_processor_id());

	if (!pointer)
		return XDP_ABORTED;
	active = *pointer;
	return active ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
