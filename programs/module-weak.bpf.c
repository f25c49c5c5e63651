// Weak ksyms of a module that is not loaded: the object loads, and the program sees NULL for both kinds.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_testmod_ksym_percpu __ksym __weak;
extern const void bpf_testmod_test_read __ksym __weak;

__u32 typed_is_set = 1;
__u32 typeless_is_set = 1;

SEC("tc")
int module_weak(struct __sk_buff *skb)
{
	typed_is_set = &bpf_testmod_ksym_percpu ? 1 : 0;
	typeless_is_set = &bpf_testmod_test_read ? 1 : 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
