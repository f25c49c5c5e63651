// The current task is kept in the per-CPU variable current_task, from 6.2 to 6.14 in a field of pcpu_hot instead. With
// both declared weak, one object serves all of them: which one is set swaps twice in the kernel's history.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct pcpu_hot {
	struct task_struct *current_task;
} __attribute__((preserve_access_index));

extern struct task_struct *const current_task __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;

__u32 has_current_task = 2;
__u32 has_pcpu_hot = 2;
__u64 current_pointer;
__u64 expected_pointer;

SEC("raw_tp")
int typed_current_task_pair(void *ctx)
{
	has_current_task = 0;
	has_pcpu_hot = 0;
	if (&current_task) {
		struct task_struct *const *pointer = bpf_this_cpu_ptr(&current_task);

		has_current_task = 1;
		current_pointer = (__u64)*pointer;
	}
	if (&pcpu_hot) {
		const struct pcpu_hot *hot = bpf_this_cpu_ptr(&pcpu_hot);

		has_pcpu_hot = 1;
		current_pointer = (__u64)hot->current_task;
	}
	expected_pointer = bpf_get_current_task();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
