// A function and a variable of one module: the program calls bpf_testmod's kfunc, which writes its argument into the module's per-CPU variable,
// and reads that through a typed ksym.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_testmod_test_mod_kfunc(int i) __ksym;
extern const int bpf_testmod_ksym_percpu __ksym;

__u32 value;

SEC("tc")
int module_kfunc(struct __sk_buff *skb)
{
	bpf_testmod_test_mod_kfunc(42);
	value = *(const int *)bpf_this_cpu_ptr(&bpf_testmod_ksym_percpu);
	/* As bpf_testmod.c initialises it, for those that read it next. */
	bpf_testmod_test_mod_kfunc(123);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
