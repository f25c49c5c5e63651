// A typed ksym in a module: the loader finds it in the module's own BTF, which is split from the kernel's, and hands the kernel the id together
// with a file descriptor of that BTF. bpf_testmod is the module of the kernel's own BPF tests; its per-CPU variable starts as 123.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_testmod_ksym_percpu __ksym;
extern const void __per_cpu_offset __ksym;

__u64 offset;
__u64 pointer_per_cpu;
__u64 pointer_this_cpu;
__u32 value_per_cpu;
__u32 value_this_cpu;

SEC("raw_tp")
int module_typed_percpu(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const int *this_cpu = bpf_this_cpu_ptr(&bpf_testmod_ksym_percpu);
	const int *per_cpu = bpf_per_cpu_ptr(&bpf_testmod_ksym_percpu, cpu);

	pointer_this_cpu = (__u64)this_cpu;
	pointer_per_cpu = (__u64)per_cpu;
	value_this_cpu = *this_cpu;
	if (per_cpu)
		value_per_cpu = *per_cpu;
	bpf_probe_read_kernel(&offset, sizeof(offset), (const __u64 *)&__per_cpu_offset + cpu);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
