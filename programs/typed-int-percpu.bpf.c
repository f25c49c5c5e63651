// A typed ksym: the kernel looks the variable up itself, by its id in BTF, and the verifier knows its type.
// Both helpers turn the per-CPU variable into a pointer that can be read; it must be the address in kallsyms plus the
// offset of the CPU, which the program reads from the kernel's own table.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;
extern const void __per_cpu_offset __ksym;

__u64 offset;
__u64 pointer_per_cpu;
__u64 pointer_this_cpu;
__u32 value_per_cpu = 100;
__u32 value_this_cpu = 200;
__u32 value_by_address = 300;
__u64 pointer_beyond_cpus = 1;

SEC("raw_tp/sys_enter")
int typed_int_percpu(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const int *this_cpu = bpf_this_cpu_ptr(&bpf_prog_active);
	const int *per_cpu = bpf_per_cpu_ptr(&bpf_prog_active, cpu);

	pointer_this_cpu = (__u64)this_cpu;
	pointer_per_cpu = (__u64)per_cpu;
	value_this_cpu = *this_cpu;
	if (per_cpu)
		value_per_cpu = *per_cpu;
	pointer_beyond_cpus = (__u64)bpf_per_cpu_ptr(&bpf_prog_active, 1000000);

	bpf_probe_read_kernel(&offset, sizeof(offset), (const __u64 *)&__per_cpu_offset + cpu);
	bpf_probe_read_kernel(&value_by_address, sizeof(value_by_address), this_cpu);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
