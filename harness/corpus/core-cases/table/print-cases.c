/*
 * Prints the table of cases in the kernel's prog_tests/core_reloc.c, one JSON object a line. To be run where the objects are that the
 * table names: some cases look up in them what they expect.
 */
#include "prog_tests/core_reloc.c"

static void print_hex(const char *name, const char *bytes, int length)
{
	printf("\"%s\":\"", name);
	for (int i = 0; bytes && i < length; i++)
		printf("%02x", (unsigned char)bytes[i]);
	printf("\",");
}

static void print_name(const char *name, const char *value)
{
	if (value)
		printf("\"%s\":\"%s\",", name, value);
	else
		printf("\"%s\":null,", name);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(test_cases); i++) {
		struct core_reloc_test_case one = test_cases[i];
		int failed = one.setup ? one.setup(&one) : 0;

		printf("{");
		print_name("name", one.case_name);
		print_name("object", one.bpf_obj_file);
		print_name("btf", one.btf_src_file);
		print_name("program", one.prog_name);
		print_name("tracepoint", one.raw_tp_name);
		print_hex("input", one.input, one.input_len);
		print_hex("output", one.output, one.output_len);
		printf("\"fails\":%s,\"needsTestModule\":%s,\"setUp\":%s}\n", one.fails ? "true" : "false",
		       one.needs_testmod ? "true" : "false", failed ? "false" : "true");
	}
	return 0;
}
