// How many tasks are ready to run on each CPU: from the kernel's own run queues, found by their type.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MOST_CPUS 128

// Only what is wanted of the kernel's struct; CO-RE moves the access to where the running kernel has it.
struct rq {
	unsigned int nr_running;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;

__u32 cpus;
__u32 running[MOST_CPUS];

SEC("tc")
int read_run_queues(struct __sk_buff *skb)
{
	for (__u32 cpu = 0; cpu < MOST_CPUS; cpu++) {
		const struct rq *rq = bpf_per_cpu_ptr(&runqueues, cpu);

		if (!rq)
			break;
		running[cpu] = rq->nr_running;
		cpus = cpu + 1;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
