// A typed per-CPU scalar whose value is known: this_cpu_off holds the offset of the CPU it is read on, the same number
// that the table __per_cpu_offset has for that CPU. It differs between CPUs, so reading another CPU's copy shows.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const unsigned long this_cpu_off __ksym;
extern const void __per_cpu_offset __ksym;

__u64 from_this_cpu;
__u64 from_per_cpu;
__u64 offset;

SEC("raw_tp/sys_enter")
int typed_long_percpu(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const unsigned long *this_cpu = bpf_this_cpu_ptr(&this_cpu_off);
	const unsigned long *per_cpu = bpf_per_cpu_ptr(&this_cpu_off, cpu);

	from_this_cpu = *this_cpu;
	if (per_cpu)
		from_per_cpu = *per_cpu;
	bpf_probe_read_kernel(&offset, sizeof(offset), (const __u64 *)&__per_cpu_offset + cpu);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
