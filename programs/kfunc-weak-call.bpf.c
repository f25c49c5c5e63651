// Weak kfuncs that are called where the kernel has them. Behind the test the calls are dead code where it has not, and what a loader leaves in
// their place must be something that the verifier never reaches and does not refuse unseen.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

__u32 called = 2;

SEC("tc")
int kfunc_weak_call(struct __sk_buff *skb)
{
	called = 0;
	if (bpf_rcu_read_lock) {
		bpf_rcu_read_lock();
		called = 1;
		bpf_rcu_read_unlock();
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
