// A typed ksym of a module that Debian's kernels have: the per-CPU sequence count of x_tables, found in the module's own BTF and read by
// its address.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct seqcount {
	unsigned int sequence;
};

extern const struct seqcount xt_recseq __ksym;
extern const void __per_cpu_offset __ksym;

__u64 offset;
__u64 pointer_per_cpu;
__u64 pointer_this_cpu;
__u32 sequence = 1;

SEC("raw_tp/sys_enter")
int module_netfilter_typed(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const struct seqcount *this_cpu = bpf_this_cpu_ptr(&xt_recseq);
	const struct seqcount *per_cpu = bpf_per_cpu_ptr(&xt_recseq, cpu);

	pointer_this_cpu = (__u64)this_cpu;
	pointer_per_cpu = (__u64)per_cpu;
	/* Not `this_cpu->sequence`: the variable's type is a typedef, and 6.1 refuses to look into it ("Type 'seqcount_t' is not a struct"). */
	bpf_probe_read_kernel(&sequence, sizeof(sequence), this_cpu);
	bpf_probe_read_kernel(&offset, sizeof(offset), (const __u64 *)&__per_cpu_offset + cpu);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
