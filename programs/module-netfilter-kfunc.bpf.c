// A kfunc of a module that Debian's kernels have: nf_conntrack looks up a connection that there is not, and says so.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A member makes it a struct of its own in BTF, where a mere declaration would be another kind of type. */
struct nf_conn {
	unsigned long status;
};

struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *xdp, struct bpf_sock_tuple *tuple, __u32 tuple_size, struct bpf_ct_opts *opts,
					 __u32 opts_size) __ksym;
extern void bpf_ct_release(struct nf_conn *connection) __ksym;

__s32 error = 1;

SEC("xdp")
int module_netfilter_kfunc(struct xdp_md *xdp)
{
	/* The network namespace of the program, TCP, from address and port 0 to address and port 0. */
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *connection = bpf_xdp_ct_lookup(xdp, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));

	error = opts.error;
	if (connection) {
		bpf_ct_release(connection);
		return XDP_DROP;
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
