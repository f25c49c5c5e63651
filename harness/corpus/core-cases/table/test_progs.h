/*
 * Stands in for the header of the same name in the kernel's tools/testing/selftests/bpf, so that prog_tests/core_reloc.c compiles by itself and its
 * table of cases can be printed. Nothing of what is checked by these macros is run here, but for the setup functions of cases.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/types.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;

/* For bpf_testmod.h: of the kernel's, only the size counts. */
struct hlist_node {
	void *next;
	void **pprev;
};

struct test_env {
	bool has_testmod;
};
static struct test_env env;

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define CHECK(condition, tag, ...) ((condition) ? (fprintf(stderr, __VA_ARGS__), 1) : 0)
#define CHECK_FAIL(condition) CHECK(condition, "", "failed\n")
#define ASSERT_TRUE(actual, name) (!!(actual))
#define ASSERT_FALSE(actual, name) (!(actual))
#define ASSERT_OK(result, name) ((result) == 0)
#define ASSERT_GE(actual, expected, name) ((actual) >= (expected))
#define ASSERT_OK_PTR(pointer, name) (libbpf_get_error(pointer) == 0)
#define test__start_subtest(name) false
#define test__skip() ((void)0)
#define sys_gettid() 0

static inline int trigger_module_test_read(int size)
{
	(void)size;
	return 0;
}
