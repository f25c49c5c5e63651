// CO-RE relocations of every kind, against the types of kernel.c.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list_head {
	struct list_head *next, *prev;
};

struct task_struct {
	int pid;
	char comm[16];
	struct task_struct *parent;
	struct list_head tasks;
	unsigned flags : 3;
	long state : 12;
	struct {
		union {
			long inside;
			int beside;
		};
	} hidden[4];
};

struct task_struct___old {
	long pid;
	int gone;
};
#pragma clang attribute pop

enum state { RUNNING, SLEEPING = 7, GONE };
enum wide { SMALL, LARGE = 0x100000000ULL };
typedef int (*callback_t)(struct task_struct *task, long flags);

long results[32];

SEC("raw_tp/sched_switch")
int relocations(struct task_struct **ctx)
{
	struct task_struct *task = ctx[1];
	struct task_struct___old *old = (void *)task;
	int n = 0;

	results[n++] = BPF_CORE_READ(task, parent, tasks.next, prev);
	results[n++] = BPF_CORE_READ(task, comm[3]);
	results[n++] = BPF_CORE_READ(task, hidden[2].inside);
	results[n++] = BPF_CORE_READ_BITFIELD_PROBED(task, flags);
	results[n++] = BPF_CORE_READ_BITFIELD_PROBED(task, state);
	results[n++] = bpf_core_field_exists(old->gone);
	results[n++] = bpf_core_field_size(task->hidden);
	results[n++] = bpf_core_type_exists(struct list_head);
	results[n++] = bpf_core_type_exists(callback_t);
	results[n++] = bpf_core_type_size(struct task_struct);
	results[n++] = bpf_core_type_id_local(struct task_struct);
	results[n++] = bpf_core_type_id_kernel(struct task_struct);
	results[n++] = bpf_core_enum_value(enum state, SLEEPING);
	results[n++] = bpf_core_enum_value_exists(enum state, GONE);
	results[n++] = bpf_core_enum_value(enum wide, LARGE);
	if (bpf_core_field_exists(old->gone))
		results[n++] = BPF_CORE_READ(old, gone);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
