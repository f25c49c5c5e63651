// The program of cilium/ebpf's issue 1354, the report that started this project: an XDP program takes the address of a typed ksym on its own
// CPU and looks only at whether there is one. libbpf loads it; cilium/ebpf answered "data section .ksyms: expected *btf.Func, not *btf.Var:
// not supported". xdp-prog-active beside it reads the variable too.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;

SEC("xdp")
int xdp_report_1354(struct xdp_md *xdp)
{
	int *active = (int *)bpf_per_cpu_ptr(&bpf_prog_active, bpf_get_smp_processor_id());

	if (active)
		return 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
