// Two kfuncs that are called: the object loads only where the kernel's BTF has both. Nothing can be run here, as fentry programs run when they are
// attached; that it loads means that the verifier knew what the calls are, as it wants the key put back that was looked up.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A member makes it a struct of its own in BTF, where a mere declaration would be another kind of type. */
struct bpf_key {
	_Bool has_ref;
};

extern struct bpf_key *bpf_lookup_system_key(__u64 id) __ksym;
extern void bpf_key_put(struct bpf_key *key) __ksym;

SEC("fentry/bpf_fentry_test1")
int kfunc_call(void *ctx)
{
	/* 0 stands for the primary keyring. */
	struct bpf_key *key = bpf_lookup_system_key(0);

	if (key)
		bpf_key_put(key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
