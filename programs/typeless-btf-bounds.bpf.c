// The linker puts __start_BTF and __stop_BTF around the kernel's own type information. Their distance must be the size
// of /sys/kernel/btf/vmlinux: a truth about two addresses that does not come from kallsyms.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void __start_BTF __ksym;
extern const void __stop_BTF __ksym;

__u64 start;
__u64 stop;
__u64 size;
__u16 magic;

SEC("raw_tp/sys_enter")
int typeless_btf_bounds(void *ctx)
{
	start = (__u64)&__start_BTF;
	stop = (__u64)&__stop_BTF;
	size = stop - start;
	/* An address is only a number to the verifier; this is how to read what lies there. */
	bpf_probe_read_kernel(&magic, sizeof(magic), &__start_BTF);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
