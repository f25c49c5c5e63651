// The current task is kept in the per-CPU variable current_task, from 6.2 to 6.14 in a field of pcpu_hot instead. With
// both declared weak, one object serves all of them: which one is set swaps twice in the kernel's history.
// The task is then read, which is more than proof: without an access to a field clang leaves only a forward declaration
// of the struct in the object, and that is compatible with no struct (see typed-forward-declared).
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
__u32 pid;
__u32 expected_pid;

SEC("raw_tp/sys_enter")
int typed_current_task_pair(void *ctx)
{
	const struct task_struct *task = 0;

	has_current_task = 0;
	has_pcpu_hot = 0;
	if (&current_task) {
		struct task_struct *const *pointer = bpf_this_cpu_ptr(&current_task);

		has_current_task = 1;
		task = *pointer;
	}
	if (&pcpu_hot) {
		const struct pcpu_hot *hot = bpf_this_cpu_ptr(&pcpu_hot);

		has_pcpu_hot = 1;
		task = hot->current_task;
	}
	current_pointer = (__u64)task;
	expected_pointer = bpf_get_current_task();
	bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid);
	expected_pid = bpf_get_current_pid_tgid();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
