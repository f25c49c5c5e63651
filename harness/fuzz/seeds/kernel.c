// What the other seeds ask for: the BTF of this file is taken for that of a kernel.
struct list_head {
	struct list_head *next, *prev;
};

enum state { RUNNING, SLEEPING = 9 };
enum wide { SMALL, LARGE = 0x200000000ULL };
typedef unsigned int u32;
typedef const volatile u32 *restrict_me;

struct task_struct {
	long added;
	u32 pid;
	enum state current_state;
	enum wide width;
	char comm[32];
	struct task_struct *parent;
	struct list_head tasks;
	unsigned before : 5;
	unsigned flags : 3;
	long state : 12;
	struct {
		union {
			long inside;
			int beside;
		};
	} hidden[8];
	int (*callback)(struct task_struct *task, long flags, ...);
	restrict_me pointer;
	float ratio;
};

struct rq {
	int cpu;
	struct task_struct *curr;
};

__attribute__((section(".data..percpu"))) struct rq runqueues = {1};
__attribute__((section(".data..percpu"))) int bpf_prog_active = 1;
__attribute__((section(".data..percpu"))) struct task_struct task = {1};

void bpf_rcu_read_lock(void) {}
int bpf_by_pointer(const struct rq *queue, unsigned long flags) { return queue->cpu + (int)flags; }
u32 bpf_everything(struct task_struct *task, enum state state, enum wide width, u32 *out)
{
	return task->pid + state + (width == LARGE) + *out;
}
