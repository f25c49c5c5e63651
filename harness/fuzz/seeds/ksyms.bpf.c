// Externs of every kind, found or not found in kernel.c.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;
extern const void jiffies __ksym;
extern const void absent_symbol __ksym __weak;
extern const struct rq absent_variable __ksym __weak;
extern const long module_variable __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_absent(int value) __ksym __weak;
extern int bpf_module_function(const struct rq *queue, unsigned long flags) __ksym __weak;

__u64 addresses[8];

SEC("tc")
int every_kind(struct __sk_buff *skb)
{
	const struct rq *rq = bpf_per_cpu_ptr(&runqueues, skb->len);

	bpf_rcu_read_lock();
	if (bpf_absent)
		bpf_absent(1);
	addresses[0] = (__u64)&jiffies;
	addresses[1] = (__u64)&absent_symbol;
	addresses[2] = (__u64)&absent_variable;
	addresses[3] = (__u64)&module_variable;
	addresses[4] = *(int *)bpf_this_cpu_ptr(&bpf_prog_active);
	if (rq && bpf_module_function)
		addresses[5] = bpf_module_function(rq, rq->cpu);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
