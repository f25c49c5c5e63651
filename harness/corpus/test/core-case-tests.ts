import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { readCaseTable } from '../core-cases/case-table.ts';
import { compileCases } from '../core-cases/compile-cases.ts';

/** As much of the kernel's prog_tests/core_reloc.c as its table of cases takes, with two cases of our own. */
const TABLE = `
#include <test_progs.h>
struct core_reloc_test_case {
	const char *case_name, *bpf_obj_file, *btf_src_file, *input;
	int input_len;
	const char *output;
	int output_len;
	bool fails, run_btfgen_fails, needs_testmod;
	const char *prog_name, *raw_tp_name;
	int (*setup)(struct core_reloc_test_case *test);
};
struct numbers { u32 one; s64 two; };
static int look_up(struct core_reloc_test_case *test)
{
	struct btf *btf = btf__parse(test->btf_src_file, NULL);

	((struct numbers *)test->output)->one = btf__find_by_name_kind(btf, "core_reloc_mine", BTF_KIND_STRUCT);
	return CHECK(libbpf_get_error(btf), "btf", "no BTF\\n");
}
static const struct core_reloc_test_case test_cases[] = {
	{
		.case_name = "mine", .bpf_obj_file = "test_core_reloc_mine.bpf.o", .btf_src_file = "btf__core_reloc_mine.bpf.o", .input = "\\x7f\\x80",
		.input_len = 3, .output = (const char *)&(struct numbers){ .two = -2 }, .output_len = sizeof(struct numbers),
		.prog_name = "go", .raw_tp_name = "sys_enter", .setup = look_up,
	},
	{ .case_name = "kernel", .bpf_obj_file = "test_core_reloc_other.bpf.o", .prog_name = "go", .fails = true, .needs_testmod = ARRAY_SIZE("x") == 2 },
};`;

/** Tests of how the kernel's cases for CO-RE are compiled and read. What becomes of them on a kernel, a run of the corpus shows. */
export function testCoreCases(t: Test): void {
  t.test('the kernel’s cases for CO-RE are read from C, with what they look up in their objects', async (t) => {
    const folder = t.testdir({
      selftests: {
        prog_tests: { 'core_reloc.c': TABLE },
        progs: {
          'test_core_reloc_mine.c': '#include <stdint.h>\nuint8_t go(void) { return sizeof(uint64_t); }',
          'test_core_reloc_other.c': '#include "vmlinux.h"\n',
          'btf__core_reloc_mine.c': 'struct core_reloc_mine { int x; } variable;',
          'test_something_else.c': 'this is not looked at',
        },
      },
    });
    const selftests = join(folder, 'selftests');
    const objects = join(folder, 'objects');
    t.match(await compileCases(selftests, objects), [
      { object: 'test_core_reloc_other.bpf.o', why: /'vmlinux.h' file not found/ },
    ]);
    t.strictSame(readdirSync(objects).sort(), ['btf__core_reloc_mine.bpf.o', 'test_core_reloc_mine.bpf.o']);
    const output = new Uint8Array(16).fill(0xff, 9);
    // clang writes the struct as the first type of a file that has little else; what libbpf has found goes before the number.
    output.set([1, 0, 0, 0, 0, 0, 0, 0, 0xfe]);
    t.strictSame(await readCaseTable(selftests, objects), [
      {
        name: 'mine',
        object: 'test_core_reloc_mine.bpf.o',
        btf: 'btf__core_reloc_mine.bpf.o',
        program: 'go',
        tracepoint: 'sys_enter',
        input: Uint8Array.of(0x7f, 0x80, 0),
        output,
        fails: false,
        needsTestModule: false,
        setUp: true,
      },
      {
        name: 'kernel',
        object: 'test_core_reloc_other.bpf.o',
        btf: null,
        program: 'go',
        tracepoint: null,
        input: new Uint8Array(),
        output: new Uint8Array(),
        fails: true,
        needsTestModule: true,
        setUp: true,
      },
    ]);
    await t.rejects(readCaseTable(join(folder, 'nowhere'), objects), {
      code: 'core-cases-table',
      why: /core_reloc\.c/,
    });
  });
}
