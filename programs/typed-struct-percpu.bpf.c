// A typed per-CPU struct: every CPU's run queue knows the number of its CPU, so what is read can be checked.
// Only the field that is wanted is declared; CO-RE moves the access to where the running kernel has it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;

__u32 from_this_cpu = 100;
__u32 from_per_cpu = 100;
__u32 queues;
__u32 queues_of_their_cpu;

SEC("tc")
int typed_struct_percpu(struct __sk_buff *skb)
{
	const struct rq *rq = bpf_this_cpu_ptr(&runqueues);
	__u32 cpu;

	from_this_cpu = rq->cpu;
	rq = bpf_per_cpu_ptr(&runqueues, bpf_get_smp_processor_id());
	if (rq)
		from_per_cpu = rq->cpu;

	queues = 0;
	queues_of_their_cpu = 0;
	for (cpu = 0; cpu < 64; cpu++) {
		rq = bpf_per_cpu_ptr(&runqueues, cpu);
		if (!rq)
			break;
		queues++;
		if (rq->cpu == (int)cpu)
			queues_of_their_cpu++;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
