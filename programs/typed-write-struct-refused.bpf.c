// Writing to a field of a per-CPU struct: refused too, by another rule of the verifier than for an int.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;

SEC("raw_tp")
int typed_write_struct_refused(void *ctx)
{
	struct rq *rq = bpf_this_cpu_ptr(&runqueues);

	rq->cpu = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
